/** Walks through the worlds of a small model: all of them, nearest first, or at random for long. */
import type { RingState } from '../../src/ring/state.js';
import { brokenRules, ringRules, type RuleSet } from '../sim/rules.js';
import type { Member } from '../sim/shape.js';
import type { Event, SmallModel, World } from './small-model.js';

/** What is taken for granted of crashes: whether the world after one is still within it. */
export type Assumption = (members: readonly Member[], before: readonly Member[]) => boolean;

export interface Found {
  readonly rule: string;
  readonly what: string;
  /** How it came to be, step by step, with the pointers after each. */
  readonly story: readonly string[];
}

export interface Exploration {
  readonly worlds: number;
  readonly steps: number;
  /** Whether no world was left out for want of room. */
  readonly isComplete: boolean;
  readonly found: Found | undefined;
}

export function membersOf(states: readonly (RingState | undefined)[]): readonly Member[] {
  return states.flatMap((state) => (state === undefined ? [] : [{ state, alive: true }]));
}

/** Goes through all worlds that can come out of a ring of one, those that take the fewest steps first. */
export function explore(
  model: SmallModel,
  assumption: Assumption,
  options: { readonly maxWorlds: number; readonly rules?: RuleSet; readonly everybody?: boolean },
): Exploration {
  const rules = options.rules ?? ringRules;
  const view = (world: World) => options.everybody ? model.allStates(world) : model.states(world);
  const start = model.founded();
  const worlds: World[] = [start];
  const cameFrom = [-1];
  const happened = [''];
  const seen = new Set([keyOf(start)]);
  const verdicts = new Map<string, readonly [string, string] | undefined>();
  let steps = 0;
  for (let at = 0; at < worlds.length; at += 1) {
    const world = worlds[at]!;
    for (const event of model.events(world)) {
      if (!isAllowed(view, assumption, world, event)) continue;
      steps += 1;
      const key = keyOf(event.world);
      if (seen.has(key)) continue;
      seen.add(key);
      worlds.push(event.world);
      cameFrom.push(at);
      happened.push(event.what);
      const verdict = judge(view(event.world), rules, verdicts);
      if (verdict !== undefined) {
        const story: string[] = [];
        for (let back = worlds.length - 1; back > 0; back = cameFrom[back]!) {
          story.unshift(`${happened[back]!.padEnd(34)} ${model.describe(worlds[back]!)}`);
        }
        const [rule, what] = verdict;
        return { worlds: worlds.length, steps, isComplete: false, found: { rule, what, story } };
      }
      if (worlds.length >= options.maxWorlds)
        return { worlds: worlds.length, steps, isComplete: false, found: undefined };
    }
  }
  return { worlds: worlds.length, steps, isComplete: true, found: undefined };
}

function isAllowed(view: (world: World) => readonly (RingState | undefined)[], assumption: Assumption, world: World, event: Event): boolean {
  if (event.kind !== 'crash') return true;
  const after = membersOf(view(event.world));
  const before = membersOf(view(world));
  if (after.length === before.length) return true; // Somebody on the way in: nothing is assumed of those.
  return after.length > 0 && assumption(after, before);
}

/** The first broken rule. Rules see the members' pointers only, so each such picture is judged once. */
function judge(
  states: readonly (RingState | undefined)[],
  rules: RuleSet,
  verdicts: Map<string, readonly [string, string] | undefined>,
): readonly [string, string] | undefined {
  const key = states
    .map((state) =>
      state === undefined ? '' : [state.predecessor, ...state.successors].map((p) => p?.address).join(),
    )
    .join(';');
  if (verdicts.has(key)) return verdicts.get(key);
  const members = membersOf(states);
  let verdict: readonly [string, string] | undefined;
  for (const broken of brokenRules(members, rules)) {
    verdict = broken;
    break;
  }
  verdicts.set(key, verdict);
  return verdict;
}

function keyOf(world: World): string {
  return String.fromCharCode(...world.flatMap((number) => [number & 0xffff, number >> 16]));
}
