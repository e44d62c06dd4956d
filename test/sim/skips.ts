/**
 * Principals: the members that hold a ring together.
 *
 * A member's pointers claim that nobody lies between two peers that they name one after the other: between itself and
 * its first successor, between two entries of its list, and between its predecessor and itself. A ring of one claims
 * that there is nobody else. A *principal* is a live member that no live member's pointers skip in this sense.
 *
 * No step makes a claim about a stretch of the ring that was not part of an older claim, except over a peer that is dead.
 * So a principal stays one until it dies.
 */
import type { Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { RingState } from '../../src/ring/state.js';

/** A stretch, from one peer to the next, that somebody claims to be empty. */
type Claim = readonly [from: Id, to: Id];

/** The stretches that these pointers claim to be empty. */
export function claimsOf({ self, predecessor, successors }: RingState): readonly Claim[] {
  const list = [self, ...successors].map(({ id }) => id);
  if (list.length === 1 && predecessor === null) return [[self.id, self.id]];
  const claims = list.slice(1).map((to, at): Claim => [list[at]!, to]);
  return predecessor === null ? claims : [...claims, [predecessor.id, self.id]];
}

/** Who is a principal, while the ring changes. */
export class Principals {
  /** The live members, in the order of their ids. */
  readonly #order: Id[] = [];
  readonly #claims = new Map<Id, readonly Claim[]>();
  /** By how many claims each live member is skipped. */
  readonly #skips = new Map<Id, number>();
  /** Those that are principals now, as far as {@link settle} has looked. */
  readonly #principals = new Set<Id>();

  /** A member's pointers have changed; undefined when it is gone. */
  update(id: Id, state: RingState | undefined): void {
    const isNew = !this.#claims.has(id);
    for (const claim of this.#claims.get(id) ?? []) this.#count(claim, -1);
    if (state === undefined) {
      this.#claims.delete(id);
      this.#skips.delete(id);
      this.#principals.delete(id);
      if (!isNew) this.#order.splice(this.#placeFrom(id), 1);
      return;
    }
    if (isNew) {
      this.#order.splice(this.#placeFrom(id), 0, id);
      let skips = 0;
      for (const claims of this.#claims.values())
        for (const [from, to] of claims) if (between(from, id, to)) skips += 1;
      this.#skips.set(id, skips);
    }
    const claims = claimsOf(state);
    this.#claims.set(id, claims);
    for (const claim of claims) this.#count(claim, 1);
  }

  /** Looks who has become a principal since the last time. @returns who was one, lives, and is one no more. */
  settle(): readonly Id[] {
    const lost: Id[] = [];
    for (const [id, skips] of this.#skips) {
      if (skips === 0) this.#principals.add(id);
      else if (this.#principals.delete(id)) lost.push(id);
    }
    return lost;
  }

  get count(): number {
    return this.#principals.size;
  }

  /** Whether somebody would be a principal without this member. */
  wouldRemain(without: Id): boolean {
    return this.#principals.size > (this.#principals.has(without) ? 1 : 0);
  }

  #count([from, to]: Claim, change: 1 | -1): void {
    const start = this.#placeFrom(from);
    for (let step = 0; step < this.#order.length; step += 1) {
      const id = this.#order[(start + step) % this.#order.length]!;
      if (id === from) continue;
      if (!between(from, id, to)) return;
      this.#skips.set(id, this.#skips.get(id)! + change);
    }
  }

  /** Where the first member at or after an id stands. */
  #placeFrom(id: Id): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#order[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
