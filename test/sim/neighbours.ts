/**
 * How a member's neighbours change: what the protocol says of each single step, in a network whose peers are never falsely
 * taken for dead. (A newcomer on its way in may begin anew by another member.)
 *
 * - `livingNeighboursStay`: the first successor and the predecessor make room only for nearer ones, unless they are dead or
 *   leave in good order.
 * - `onlyTheLivingAreAdopted`: whoever becomes the first successor from outside of the list has answered a question just
 *   before.
 */
import { limits } from '../../src/base/limits.js';
import { type Id, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import type { Broken, Change, Watch } from './rules.js';

export class NeighbourWatch implements Watch {
  /** Those who are here to stay. */
  readonly #staying = new Set<Id>();
  readonly #inside = new Set<Id>();
  readonly #goneAtMs = new Map<Id, number>();
  #changes: Change[] = [];

  changed(change: Change): void {
    const { id, after, isUp, isInside, isLeaving, atMs } = change;
    if (after !== undefined && !isLeaving) this.#staying.add(id);
    else this.#staying.delete(id);
    if (isUp) this.#goneAtMs.delete(id);
    else if (!this.#goneAtMs.has(id)) this.#goneAtMs.set(id, atMs);
    if (this.#inside.has(id)) this.#changes.push(change);
    if (isInside) this.#inside.add(id);
    else this.#inside.delete(id);
  }

  /** After the event, when everybody's change is known. */
  *broken(): Iterable<Broken> {
    const changes = this.#changes;
    this.#changes = [];
    for (const { before, after, atMs } of changes) {
      if (before === undefined || after === undefined) continue;
      yield* this.#dropped(before, after);
      yield* this.#adopted(before, after, atMs);
    }
  }

  *#dropped(before: RingState, after: RingState): Iterable<Broken> {
    const { id } = after.self;
    const rule = 'livingNeighboursStay';
    if (this.#stays(before.successors[0]) && !isNearer(id, after.successors[0], before.successors[0]))
      yield { rule, what: `${shortId(id)} drops its first successor, which lives` };
    if (this.#stays(before.predecessor) && !isNearerBefore(id, after.predecessor, before.predecessor))
      yield { rule, what: `${shortId(id)} drops its predecessor, which lives` };
  }

  *#adopted(before: RingState, after: RingState, atMs: number): Iterable<Broken> {
    const head = after.successors[0];
    // One that was never in the ring is on its way in: it has introduced itself, and has no pointers yet.
    if (head === undefined || before.successors.some(({ id }) => id === head.id)) return;
    const goneAtMs = this.#goneAtMs.get(head.id);
    if (goneAtMs !== undefined && atMs - goneAtMs > limits.pointersTimeoutMs)
      yield { rule: 'onlyTheLivingAreAdopted', what: `${shortId(after.self.id)} adopts a dead peer` };
  }

  #stays(peer: PeerRef | null | undefined): peer is PeerRef {
    return peer !== null && peer !== undefined && this.#staying.has(peer.id);
  }
}

/** Whether a peer's first successor is at least as near as another one. */
function isNearer(self: Id, now: PeerRef | undefined, before: PeerRef): boolean {
  return now !== undefined && (now.id === before.id || between(self, now.id, before.id));
}

/** Whether a peer's predecessor is at least as near as another one. */
function isNearerBefore(self: Id, now: PeerRef | null, before: PeerRef): boolean {
  return now !== null && (now.id === before.id || between(before.id, now.id, self));
}
