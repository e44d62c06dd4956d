/** Tells the watches of a world's rules how the ring changes. */
import type { Id } from '../../src/ring/identifier.js';
import type { RingState } from '../../src/ring/state.js';
import type { Broken, RuleSet, Saying, Watch } from './rules.js';
import type { SimulatedPeer } from './peer.js';

/** What the watches were told of a peer last. */
interface Told {
  readonly state: RingState | undefined;
  readonly isUp: boolean;
  readonly isInside: boolean;
  readonly isLeaving: boolean;
}

export class Watches {
  readonly #told = new Map<Id, Told>();
  readonly #watches: readonly Watch[];

  /** @param peers those that there are when the rules begin to hold */
  constructor(rules: RuleSet, peers: readonly SimulatedPeer[], atMs: number) {
    this.#watches = (rules.watches ?? []).map((make) => make());
    for (const peer of peers) this.look(peer, atMs);
  }

  /** Looks at a peer that may have changed. */
  look(peer: SimulatedPeer, atMs: number): void {
    if (this.#watches.length === 0) return;
    const { id, isUp, isInside, isLeaving } = peer;
    const before = this.#told.get(id);
    const told: Told = { state: isUp ? peer.state : undefined, isUp, isInside, isLeaving };
    if (before !== undefined && isSame(before, told)) return;
    this.#told.set(id, told);
    for (const watch of this.#watches) {
      watch.changed({ id, before: before?.state, after: told.state, isUp, isInside, isLeaving, atMs });
    }
  }

  /** A peer has asked or answered something. */
  said(saying: Saying): void {
    for (const watch of this.#watches) watch.said?.(saying);
  }

  /** What the changes since the last time have broken. */
  *broken(): Iterable<Broken> {
    for (const watch of this.#watches) yield* watch.broken();
  }
}

function isSame(a: Told, b: Told): boolean {
  return a.state === b.state && a.isUp === b.isUp && a.isInside === b.isInside && a.isLeaving === b.isLeaving;
}
