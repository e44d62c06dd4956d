/**
 * The shape of a ring at one moment: who lives, and whom each peer's first live successor is. The words are those of
 * Pamela Zave, "Reasoning about identifier spaces: how to make Chord correct" (IEEE TSE 2017).
 */
import type { Id } from '../../src/ring/identifier.js';
import type { RingState } from '../../src/ring/state.js';

/** One peer that has joined, dead or alive. */
export interface Member {
  readonly state: RingState;
  readonly alive: boolean;
}

export class RingShape {
  /** The pointers of every live member. */
  readonly live: ReadonlyMap<Id, RingState>;
  /** The best successor of every live member that has one: see {@link bestSuccessor}. */
  readonly best: ReadonlyMap<Id, Id>;
  #rings: readonly (readonly Id[])[] | undefined;

  constructor(live: ReadonlyMap<Id, RingState>, best: ReadonlyMap<Id, Id>) {
    this.live = live;
    this.best = best;
  }

  static of(members: readonly Member[]): RingShape {
    const live = new Map(members.filter(({ alive }) => alive).map(({ state }) => [state.self.id, state]));
    const best = new Map<Id, Id>();
    for (const [id, state] of live) {
      const successor = bestSuccessor(state, live);
      if (successor !== undefined) best.set(id, successor);
    }
    return new RingShape(live, best);
  }

  /** The members that reach themselves by best successors, by the ring that they are in, in its order. */
  get rings(): readonly (readonly Id[])[] {
    this.#rings ??= this.#findRings();
    return this.#rings;
  }

  #findRings(): Id[][] {
    const rings: Id[][] = [];
    const visited = new Map<Id, number>();
    let walk = 0;
    for (const start of this.live.keys()) {
      walk += 1;
      let at: Id | undefined = start;
      while (at !== undefined && !visited.has(at)) {
        visited.set(at, walk);
        at = this.best.get(at);
      }
      // A walk that meets itself has found a ring; one that meets an earlier walk comes to a ring that is known.
      if (at !== undefined && visited.get(at) === walk) rings.push(this.#ringFrom(at));
    }
    return rings;
  }

  #ringFrom(member: Id): Id[] {
    const ring = [member];
    for (let at = this.best.get(member); at !== undefined && at !== member; at = this.best.get(at))
      ring.push(at);
    return ring;
  }
}

/**
 * The first live entry of a member's list. A member without a list, or the only one alive, is its own successor; a
 * member whose list names dead ones only has none.
 */
export function bestSuccessor(
  { self, successors }: RingState,
  live: ReadonlyMap<Id, unknown>,
): Id | undefined {
  const next = successors.find(({ id }) => live.has(id));
  if (next !== undefined) return next.id;
  return successors.length === 0 || live.size === 1 ? self.id : undefined;
}
