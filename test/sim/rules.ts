/**
 * The rules of the ring. Their names, and what they say, are those of Pamela Zave, "Reasoning about identifier spaces: how
 * to make Chord correct" (IEEE TSE 2017). Each is a pure function of one moment and returns what is wrong, or undefined.
 */
import { type Id, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { RingState } from '../../src/ring/state.js';
import type { MethodName } from '../../src/wire/catalogue.js';
import { ConductWatch } from './conduct.js';
import { NeighbourWatch } from './neighbours.js';
import { PrincipalWatch } from './principal-watch.js';
import { type Member, RingShape } from './shape.js';

/** A rule that a peer's pointers keep by themselves, whatever the network does. */
export type StateRule = (state: RingState) => string | undefined;
/** A rule about all live peers of one network that is whole. */
export type ShapeRule = (shape: RingShape) => string | undefined;

/** A rule that is broken, and how. */
export interface Broken {
  readonly rule: string;
  readonly what: string;
}

/** One peer's pointers have changed, or where it stands. */
export interface Change {
  readonly id: Id;
  /** Undefined for a peer that had none, or has none any more. */
  readonly before: RingState | undefined;
  readonly after: RingState | undefined;
  /** Whether its process runs; it may have no pointers yet. */
  readonly isUp: boolean;
  readonly isInside: boolean;
  readonly isLeaving: boolean;
  readonly atMs: number;
}

/** What a peer has just asked another one, or answered it. A refusal is no answer. */
export interface Saying {
  readonly id: Id;
  readonly what: 'asks' | 'has asked' | 'answers';
  readonly method: MethodName;
  /** Tells a question from others; 0 for an answer. */
  readonly question: number;
  /** Whether the peer has pointers that others may ask for, and is inside. */
  readonly hasPointers: boolean;
  readonly isInside: boolean;
  /** The number of the event of virtual time. */
  readonly event: number;
}

/** Rules about how the ring changes, and what is said meanwhile. */
export interface Watch {
  changed(change: Change): void;
  said?(saying: Saying): void;
  /** What the changes of one event have broken. */
  broken(): Iterable<Broken>;
}

/** Rules by name. */
export interface RuleSet {
  readonly states: Readonly<Record<string, StateRule>>;
  readonly shapes: Readonly<Record<string, ShapeRule>>;
  /** Made anew where they begin to hold. Each stands for several rules, and names them. */
  readonly watches?: readonly (() => Watch)[];
}

/** A list, read after its owner, goes round once at most, each peer farther than the one before. */
const orderedSuccessorLists: StateRule = ({ self, successors }) => {
  const ids = [self, ...successors].map(({ id }) => id);
  for (let at = 0; at + 2 < ids.length; at += 1) {
    if (!between(ids[at]!, ids[at + 1]!, ids[at + 2]!)) {
      return `the list of ${shortId(self.id)} is out of order at ${at}`;
    }
  }
  return undefined;
};

/** A list names nobody twice, nor its owner. */
const noDuplicates: StateRule = ({ self, successors }) => {
  const ids = new Set(successors.map(({ id }) => id)).add(self.id);
  return ids.size <= successors.length ? `the list of ${shortId(self.id)} has duplicates` : undefined;
};

/** Every member has a live peer in its list. */
const oneLiveSuccessor: ShapeRule = ({ live, best }) => {
  for (const id of live.keys()) if (!best.has(id)) return `${shortId(id)} has no live successor`;
  return undefined;
};

/** Some member reaches itself by first live successors. */
const atLeastOneRing: ShapeRule = ({ live, rings }) =>
  live.size > 0 && rings.length === 0 ? 'there is no ring' : undefined;

/** All that reach themselves do so on the same way round. */
const atMostOneRing: ShapeRule = ({ rings }) =>
  rings.length > 1 ? `there are ${rings.length} rings` : undefined;

/** Between a member of the ring and the next one lies no other member of the ring: it goes round once. */
const orderedRing: ShapeRule = ({ rings }) => {
  for (const ring of rings) {
    let descents = 0;
    let from: Id | undefined;
    for (const [at, id] of ring.entries()) {
      const next = ring[(at + 1) % ring.length]!;
      if (next > id) continue;
      descents += 1;
      if (descents > 1) return `the ring comes past zero again between ${shortId(id)} and ${shortId(next)}`;
      from = id;
    }
    if (from === undefined && ring.length > 0) return 'the ring never comes past zero';
  }
  return undefined;
};

/** Who is not on the ring comes to it by first live successors. */
const connectedAppendages: ShapeRule = ({ live, best, rings }) => {
  const leadsToRing = new Set(rings.flat());
  for (const start of live.keys()) {
    const way: Id[] = [];
    let at: Id | undefined = start;
    while (at !== undefined && !leadsToRing.has(at) && way.length <= live.size) {
      way.push(at);
      at = best.get(at);
    }
    if (at === undefined || !leadsToRing.has(at)) return `${shortId(start)} does not lead to the ring`;
    for (const id of way) leadsToRing.add(id);
  }
  return undefined;
};

const states = { orderedSuccessorLists, noDuplicates };

/** All rules: they hold at every moment in one whole network whose peers are never falsely taken for dead. */
export const ringRules: RuleSet = {
  states,
  shapes: { oneLiveSuccessor, atLeastOneRing, atMostOneRing, orderedRing, connectedAppendages },
  watches: [() => new NeighbourWatch(), () => new ConductWatch(), () => new PrincipalWatch()],
};

/** {@link ringRules}, with the watch of principals that a scenario asks. */
export function ringRulesWith(principals: PrincipalWatch): RuleSet {
  return { ...ringRules, watches: [() => new NeighbourWatch(), () => new ConductWatch(), () => principals] };
}

/** The rules that each peer keeps by itself: for networks that are cut or lose messages. */
export const listRules: RuleSet = { states, shapes: {} };

/** The rules that are broken at one moment, with what is wrong. */
export function brokenRules(
  members: readonly Member[],
  rules: RuleSet = ringRules,
): ReadonlyMap<string, string> {
  const broken = new Map<string, string>();
  const note = (name: string, what: string | undefined): void => {
    if (what !== undefined) broken.set(name, what);
  };
  const shape = RingShape.of(members);
  for (const [name, rule] of Object.entries(rules.states)) {
    for (const state of shape.live.values()) note(name, rule(state));
  }
  for (const [name, rule] of Object.entries(rules.shapes)) note(name, rule(shape));
  return broken;
}

/** Whether every live member knows exactly its true neighbours: what the ring comes to when nothing happens any more. */
export function whyNotIdeal(members: readonly Member[], listLength: number): string | undefined {
  const live = members.filter(({ alive }) => alive).map(({ state }) => state);
  live.sort((a, b) => (a.self.id < b.self.id ? -1 : 1));
  const listed = Math.min(listLength, live.length - 1);
  for (const [at, { self, predecessor, successors }] of live.entries()) {
    const before = live.length === 1 ? undefined : live.at(at - 1)!.self;
    if (predecessor?.id !== before?.id) return `${shortId(self.id)} has another predecessor`;
    if (predecessor?.address !== before?.address) return `${shortId(self.id)} has an old address before it`;
    if (successors.length !== listed) return `the list of ${shortId(self.id)} has another length`;
    for (const [place, peer] of successors.entries()) {
      const wanted = live[(at + 1 + place) % live.length]!.self;
      if (peer.id !== wanted.id || peer.address !== wanted.address)
        return `the list of ${shortId(self.id)} names another peer at ${place}`;
    }
  }
  return undefined;
}
