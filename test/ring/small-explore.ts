/** Walks through the worlds of a small model: all of them, nearest first, or at random and far. */
import { type Random, seededRandom } from '../../src/base/random.js';
import type { RingState } from '../../src/ring/state.js';
import { principalRules, principals, smallRingRules } from '../sim/principals.js';
import { brokenRules, ringRules, type RuleSet, whyNotIdeal } from '../sim/rules.js';
import { type Member, RingShape } from '../sim/shape.js';
import { type Event, type Protocol, SmallModel, type World } from './small-model.js';

/** What is held against every world, and what is taken for granted of crashes. */
export interface RingPromise {
  readonly rules: RuleSet;
  /** Whether those on their way in count as part of the ring. */
  readonly countsNewcomers: boolean;
  /** Whether a crash that leaves these is within what is assumed. */
  readonly allows: (left: readonly Member[]) => boolean;
}

/** Rings whose lists have room for everybody: nothing is assumed but that somebody is left. */
export const smallPromise: RingPromise = {
  rules: { states: ringRules.states, shapes: { ...ringRules.shapes, ...smallRingRules.shapes } },
  countsNewcomers: false,
  allows: () => true,
};

/** Rings of every size: everybody keeps a live successor, and one principal is left. */
export const largePromise: RingPromise = {
  rules: { states: ringRules.states, shapes: { ...ringRules.shapes, ...principalRules.shapes } },
  countsNewcomers: true,
  allows: (left) => everybodyHasSuccessor(left) && principals(RingShape.of(left)).length > 0,
};

/** What is not enough by itself: that everybody keeps a live successor. */
export const successorsOnly: RingPromise = {
  rules: ringRules,
  countsNewcomers: true,
  allows: everybodyHasSuccessor,
};

function everybodyHasSuccessor(members: readonly Member[]): boolean {
  const living = new Set(members.map(({ state }) => state.self.id));
  return members.every(
    ({ state: { successors } }) =>
      successors.some(({ id }) => living.has(id)) || (successors.length === 0 && members.length === 1),
  );
}

export interface Found {
  readonly rule: string;
  readonly what: string;
  /** How it came to be, step by step, with the pointers after each. */
  readonly story: readonly string[];
}

export interface Exploration {
  readonly worlds: number;
  readonly steps: number;
  /** Whether there are no other worlds. */
  readonly isComplete: boolean;
  readonly found: Found | undefined;
}

/** Goes through the worlds that can come out of a ring of one, those that take the fewest steps first. */
export function explore(model: SmallModel, promise: RingPromise, maxWorlds: number): Exploration {
  const judge = new Judge(model, promise);
  const start = model.founded();
  const worlds: World[] = [start];
  const cameFrom = [-1];
  const happened = [''];
  const seen = new Set([keyOf(start)]);
  let steps = 0;
  for (let at = 0; at < worlds.length; at += 1) {
    const world = worlds[at]!;
    for (const event of model.events(world)) {
      if (!judge.allows(event, world)) continue;
      steps += 1;
      const key = keyOf(event.world);
      if (seen.has(key)) continue;
      seen.add(key);
      worlds.push(event.world);
      cameFrom.push(at);
      happened.push(event.what);
      const broken = judge.broken(event.world);
      if (broken !== undefined) {
        const story: string[] = [];
        for (let back = worlds.length - 1; back > 0; back = cameFrom[back]!) {
          story.unshift(told(model, happened[back]!, worlds[back]!));
        }
        const [rule, what] = broken;
        return { worlds: worlds.length, steps, isComplete: false, found: { rule, what, story } };
      }
      if (worlds.length >= maxWorlds) {
        return { worlds: worlds.length, steps, isComplete: false, found: undefined };
      }
    }
  }
  return { worlds: worlds.length, steps, isComplete: true, found: undefined };
}

export interface Walks {
  readonly seeds: number;
  readonly steps: number;
  /** The most rounds from the last disturbance to the ideal ring, by the number of members. */
  readonly roundsToIdeal: ReadonlyMap<number, number>;
}

/**
 * Random walks, one for each seed from `from` on. Each draws the size of its circle and of its lists, and how often peers
 * come and go; after it, the ring has to become ideal.
 * @throws Error the first rule that is broken, with the seed and the way there.
 */
export function runSeeds(from: number, count: number, protocol?: Protocol): Walks {
  const roundsToIdeal = new Map<number, number>();
  let steps = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const random = seededRandom(seed);
    const places = 2 + random.below(7);
    const isSmall = random.below(2) === 0;
    const length = isSmall ? places : 1 + random.below(Math.max(1, places - 1));
    const model = new SmallModel({ places, length, ...(protocol === undefined ? {} : { protocol }) });
    const promise = isSmall ? smallPromise : largePromise;
    const walk = new Walk(model, promise, random, `seed ${seed}, ${places} places, lists of ${length}`);
    walk.wander(100 + random.below(300));
    steps += walk.steps;
    const { members, rounds } = walk.settle();
    roundsToIdeal.set(members, Math.max(rounds, roundsToIdeal.get(members) ?? 0));
  }
  return { seeds: count, steps, roundsToIdeal };
}

class Walk {
  readonly #model: SmallModel;
  readonly #judge: Judge;
  readonly #random: Random;
  readonly #title: string;
  readonly #story: string[] = [];
  #world: World;
  steps = 0;

  constructor(model: SmallModel, promise: RingPromise, random: Random, title: string) {
    this.#model = model;
    this.#judge = new Judge(model, promise);
    this.#random = random;
    this.#title = title;
    this.#world = model.founded(random.below(model.places));
  }

  wander(steps: number): void {
    // How much is going on: seldom or often, more coming or more going.
    const weights = {
      ask: 8,
      entry: 8,
      miss: 2,
      enter: 1 + this.#random.below(8),
      end: 1 + this.#random.below(4),
    };
    for (let step = 0; step < steps; step += 1) {
      const events = [...this.#model.events(this.#world)].filter((one) =>
        this.#judge.allows(one, this.#world),
      );
      const kinds = [...new Set(events.map(({ kind }) => kind))];
      const kind = this.#weighted(kinds, (one) => weights[one]);
      const ofKind = events.filter((one) => one.kind === kind);
      const event = ofKind[this.#random.below(ofKind.length)];
      if (event === undefined) return;
      this.#becomes(event.what, event.world);
    }
  }

  /** @returns how many rounds it took to the ideal ring. */
  settle(): { readonly members: number; readonly rounds: number } {
    for (let rounds = 0; rounds <= 6 * this.#model.places + 6; rounds += 1) {
      const members = membersOf(this.#model.allStates(this.#world));
      const isIn = this.#world.every(
        (number, place) => number === 0 || this.#model.isMember(this.#world, place),
      );
      if (isIn && whyNotIdeal(members, this.#model.length) === undefined)
        return { members: members.length, rounds };
      this.#becomes('a round', this.#model.round(this.#world));
    }
    throw this.#error('the ring does not become ideal');
  }

  #becomes(what: string, world: World): void {
    this.#world = world;
    this.steps += 1;
    this.#story.push(told(this.#model, what, world));
    const broken = this.#judge.broken(world);
    if (broken !== undefined) throw this.#error(broken.join(': '));
  }

  #weighted<T>(values: readonly T[], weightOf: (value: T) => number): T | undefined {
    let left = this.#random.below(
      Math.max(
        1,
        values.reduce((sum, value) => sum + weightOf(value), 0),
      ),
    );
    return values.find((value) => (left -= weightOf(value)) < 0);
  }

  #error(what: string): Error {
    return new Error([`${this.#title}: ${what}`, ...this.#story.slice(-30)].join('\n'));
  }
}

/** The first rule of a promise that a world breaks, and how. */
export function brokenIn(
  model: SmallModel,
  world: World,
  promise: RingPromise,
): readonly [string, string] | undefined {
  return new Judge(model, promise).broken(world);
}

/** Holds a promise against worlds. Rules see pointers only, so each such picture is judged once. */
class Judge {
  readonly #model: SmallModel;
  readonly #promise: RingPromise;
  readonly #verdicts = new Map<string, readonly [string, string] | undefined>();

  constructor(model: SmallModel, promise: RingPromise) {
    this.#model = model;
    this.#promise = promise;
  }

  allows(event: Event, before: World): boolean {
    if (event.kind !== 'end') return true;
    // With no member there is no ring, and newcomers find none.
    if (this.#model.states(event.world).every((state) => state === undefined)) return false;
    const left = this.#members(event.world);
    // Somebody on the way in, who does not count.
    if (left.length === this.#members(before).length) return true;
    return this.#promise.allows(left);
  }

  broken(world: World): readonly [string, string] | undefined {
    const members = this.#members(world);
    const key = members.map(({ state }) => pictureOf(state)).join(';');
    if (!this.#verdicts.has(key)) {
      const [first] = brokenRules(members, this.#promise.rules);
      this.#verdicts.set(key, first);
    }
    return this.#verdicts.get(key);
  }

  #members(world: World): readonly Member[] {
    return membersOf(
      this.#promise.countsNewcomers ? this.#model.allStates(world) : this.#model.states(world),
    );
  }
}

function membersOf(states: readonly (RingState | undefined)[]): readonly Member[] {
  return states.flatMap((state) => (state === undefined ? [] : [{ state, alive: true }]));
}

function pictureOf({ self, predecessor, successors }: RingState): string {
  return [self, predecessor, ...successors].map((peer) => peer?.address).join();
}

function keyOf(world: World): string {
  return String.fromCharCode(...world.flatMap((number) => [number & 0xffff, number >> 16]));
}

function told(model: SmallModel, what: string, world: World): string {
  return `${what.padEnd(34)} ${model.describe(world)}`;
}
