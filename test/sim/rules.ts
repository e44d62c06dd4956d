/**
 * The rules of the ring, as pure functions of what all peers have for pointers at one moment. Their names, and what
 * they say, are those of Pamela Zave, "Reasoning about identifier spaces: how to make Chord correct" (IEEE TSE 2017).
 * Each returns what is wrong, or undefined.
 */
import { type Id, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { RingState } from '../../src/ring/state.js';

/** One peer that has joined, dead or alive. */
export interface Member {
  readonly state: RingState;
  readonly alive: boolean;
}

export type Rule = (members: readonly Member[]) => string | undefined;

/** The live members and their first live successors. Without a list, or as the only one alive, a peer is its own. */
class Shape {
  readonly live: ReadonlyMap<Id, RingState>;
  readonly best = new Map<Id, Id>();
  /** The members that reach themselves, by the ring that they are in. */
  readonly rings: readonly (readonly Id[])[];

  constructor(members: readonly Member[]) {
    this.live = new Map(
      members.filter(({ alive }) => alive).map(({ state }) => [state.self.id, state] as const),
    );
    for (const [id, { successors }] of this.live) {
      const next = successors.find((peer) => this.live.has(peer.id));
      if (next !== undefined) this.best.set(id, next.id);
      else if (successors.length === 0 || this.live.size === 1) this.best.set(id, id);
    }
    this.rings = this.#findRings();
  }

  #findRings(): Id[][] {
    const rings: Id[][] = [];
    const visited = new Set<Id>();
    for (const start of this.live.keys()) {
      const path: Id[] = [];
      let at: Id | undefined = start;
      while (at !== undefined && !visited.has(at)) {
        visited.add(at);
        path.push(at);
        at = this.best.get(at);
      }
      const from = at === undefined ? -1 : path.indexOf(at);
      if (from >= 0) rings.push(path.slice(from));
    }
    return rings;
  }
}

/** Every member has a live peer in its list. */
export const oneLiveSuccessor: Rule = (members) => {
  const { live, best } = new Shape(members);
  for (const id of live.keys()) if (!best.has(id)) return `${shortId(id)} has no live successor`;
  return undefined;
};

/** A list, read after its owner, goes round once at most, each peer farther than the one before. */
export const orderedSuccessorLists: Rule = (members) => {
  for (const { state, alive } of members) {
    if (!alive) continue;
    const ids = [state.self, ...state.successors].map(({ id }) => id);
    for (let at = 0; at + 2 < ids.length; at += 1) {
      if (!between(ids[at]!, ids[at + 1]!, ids[at + 2]!)) {
        return `the list of ${shortId(ids[0]!)} is out of order at ${at}`;
      }
    }
  }
  return undefined;
};

/** A list names nobody twice, nor its owner. */
export const noDuplicates: Rule = (members) => {
  for (const { state, alive } of members) {
    const ids = [state.self, ...state.successors].map(({ id }) => id);
    if (alive && new Set(ids).size < ids.length)
      return `the list of ${shortId(state.self.id)} has duplicates`;
  }
  return undefined;
};

/** Some member reaches itself by first live successors. */
export const atLeastOneRing: Rule = (members) => {
  const { live, rings } = new Shape(members);
  return live.size > 0 && rings.length === 0 ? 'there is no ring' : undefined;
};

/** All that reach themselves do so on the same way round. */
export const atMostOneRing: Rule = (members) => {
  const { rings } = new Shape(members);
  return rings.length > 1 ? `there are ${rings.length} rings` : undefined;
};

/** Between a member of the ring and the next one lies no other member of the ring. */
export const orderedRing: Rule = (members) => {
  for (const ring of new Shape(members).rings) {
    const sorted = [...ring].sort();
    for (const [at, id] of ring.entries()) {
      const next = ring[(at + 1) % ring.length]!;
      if (sorted[(sorted.indexOf(id) + 1) % sorted.length] !== next) {
        return `the ring goes from ${shortId(id)} to ${shortId(next)} and skips a member`;
      }
    }
  }
  return undefined;
};

/** Who is not on the ring comes to it by first live successors. */
export const connectedAppendages: Rule = (members) => {
  const { live, best, rings } = new Shape(members);
  const onRing = new Set(rings.flat());
  for (const start of live.keys()) {
    let at: Id | undefined = start;
    for (let step = 0; at !== undefined && !onRing.has(at) && step <= live.size; step += 1) at = best.get(at);
    if (at === undefined || !onRing.has(at)) return `${shortId(start)} does not lead to the ring`;
  }
  return undefined;
};

/** The rules that hold at every moment in one network, by name. */
export const ringRules = {
  oneLiveSuccessor,
  orderedSuccessorLists,
  noDuplicates,
  atLeastOneRing,
  atMostOneRing,
  orderedRing,
  connectedAppendages,
} as const satisfies Record<string, Rule>;

/** The rules that each peer keeps by itself, whatever the network does. */
export const listRules = { orderedSuccessorLists, noDuplicates } as const satisfies Record<string, Rule>;

/** Whether every live member knows exactly its true neighbours: what the ring comes to when nothing happens any more. */
export function whyNotIdeal(members: readonly Member[], listLength: number): string | undefined {
  const live = members.filter(({ alive }) => alive).map(({ state }) => state);
  live.sort((a, b) => (a.self.id < b.self.id ? -1 : 1));
  for (const [at, { self, predecessor, successors }] of live.entries()) {
    const others = [...live.slice(at + 1), ...live.slice(0, at)].map((state) => state.self);
    const before = others.at(-1);
    if (predecessor?.id !== before?.id) return `${shortId(self.id)} has another predecessor`;
    if (predecessor?.address !== before?.address) return `${shortId(self.id)} has an old address before it`;
    const wanted = others.slice(0, listLength).map(({ id, address }) => `${id} ${address}`);
    const found = successors.map(({ id, address }) => `${id} ${address}`);
    if (wanted.join() !== found.join()) return `${shortId(self.id)} has another list`;
  }
  return undefined;
}
