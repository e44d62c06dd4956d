/**
 * Principals while a ring changes. No step makes a claim about a stretch of the ring that was not part of an older
 * claim, except over a peer that is dead (principals.ts). So:
 *
 * - `principalsStay`: a member that nobody skips is never skipped while it lives. A step that breaks this is wrong at
 *   that moment, long before the ring breaks, if it ever does in this run.
 * - `sufficientPrincipals`: there is one, as long as crashes leave one.
 * - `everybodyIsPrincipal`: in a ring that has never had more peers than a list names and one, every member is one
 *   (src/ring/whole-ring.ts); so nothing has to be assumed of crashes there.
 */
import { limits } from '../../src/base/limits.js';
import { type Id, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import { mostDelayMs } from './network-faults.js';
import { type Claim, claimsOf } from './principals.js';
import type { Broken, Change, Watch } from './rules.js';

/**
 * How long an answer travels at most. It repeats the claims that its sender made when it sent it, and so does who applies
 * it, even if nobody else does any more: whoever has been skipped by nobody for less than this may be skipped once more.
 */
const answerMs = 1.5 * mostDelayMs;

/**
 * The principals of a ring while it changes. A newcomer on its way in claims like everybody, since others learn from it,
 * and counts as a principal only once it is inside: until then it may have yet to introduce itself to another one.
 */
export class PrincipalWatch implements Watch {
  /** The live peers that have joined, in the order of their ids. */
  readonly #order: Id[] = [];
  readonly #inside = new Set<Id>();
  readonly #claims = new Map<Id, readonly Claim[]>();
  /** By how many claims each live peer is skipped. */
  readonly #skips = new Map<Id, number>();
  /** Since when they are. */
  readonly #principals = new Map<Id, number>();
  /** Those who may have become principals, or cease to be, in this event. */
  readonly #changed = new Set<Id>();
  /** Everybody who ever came, be it only to introduce itself. */
  readonly #known = new Set<Id>();
  #nowMs = 0;

  /** How many there are, after the last event. */
  get count(): number {
    return this.#principals.size;
  }

  /** Whether somebody beside this one is a principal, and stays it. */
  hasOther(id: Id): boolean {
    for (const [other, sinceMs] of this.#principals)
      if (other !== id && this.#nowMs - sinceMs > answerMs) return true;
    return false;
  }

  changed({ id, after, isInside, isLeaving, atMs }: Change): void {
    this.#nowMs = atMs;
    this.#known.add(id);
    this.#changed.add(id);
    for (const claim of this.#claims.get(id) ?? []) this.#count(claim, -1);
    // Who says goodbye is taken at its word, and may be skipped before its process has ended.
    if (after === undefined || isLeaving) {
      this.#forget(id);
      return;
    }
    if (isInside) this.#inside.add(id);
    if (!this.#claims.has(id)) this.#insert(id);
    const claims = claimsOf(after);
    this.#claims.set(id, claims);
    for (const claim of claims) this.#count(claim, 1);
  }

  *broken(): Iterable<Broken> {
    for (const id of this.#changed) {
      const skips = this.#skips.get(id);
      if (skips === undefined) continue;
      const sinceMs = this.#principals.get(id);
      if (skips === 0) {
        if (sinceMs === undefined && this.#inside.has(id)) this.#principals.set(id, this.#nowMs);
        continue;
      }
      this.#principals.delete(id);
      if (sinceMs !== undefined && this.#nowMs - sinceMs > answerMs)
        yield { rule: 'principalsStay', what: `${shortId(id)} lives and is skipped` };
    }
    if (this.#changed.size > 0 && this.#inside.size > 0 && this.count === 0)
      yield { rule: 'sufficientPrincipals', what: 'there is no principal' };
    const isSmall = this.#known.size <= limits.successorListLength + 1;
    if (isSmall && this.#changed.size > 0 && this.count < this.#inside.size)
      yield { rule: 'everybodyIsPrincipal', what: `only ${this.count} of ${this.#inside.size} members are` };
    this.#changed.clear();
  }

  #insert(id: Id): void {
    this.#order.splice(this.#placeFrom(id), 0, id);
    let skips = 0;
    for (const claims of this.#claims.values())
      for (const [from, to] of claims) if (between(from, id, to)) skips += 1;
    this.#skips.set(id, skips);
  }

  #forget(id: Id): void {
    this.#inside.delete(id);
    this.#principals.delete(id);
    this.#skips.delete(id);
    if (this.#claims.delete(id)) this.#order.splice(this.#placeFrom(id), 1);
  }

  #count([from, to]: Claim, change: 1 | -1): void {
    const start = this.#placeFrom(from);
    for (let step = 0; step < this.#order.length; step += 1) {
      const id = this.#order[(start + step) % this.#order.length]!;
      if (id === from) continue;
      if (!between(from, id, to)) return;
      this.#skips.set(id, this.#skips.get(id)! + change);
      this.#changed.add(id);
    }
  }

  /** Where the first peer at or after an id stands. */
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
