/**
 * The caches of peers that have heard of everybody for long. In a ring that fits its cache, a peer knows all others. In a
 * larger one src/ring/peer-cache.ts keeps a peer that is the r-th behind its owner with a chance of c/r, up to 1: the
 * harmonic choice. It is drawn here directly, since to let thousands of caches hear of thousands of peers takes minutes;
 * a test holds the drawn ones against real ones.
 */
import { limits } from '../../src/base/limits.js';
import { type Random, randomFraction } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { IdealRing } from './ideal-ring.js';

/** What peers know beside their pointers and fingers. */
export interface CachedPeers {
  /** The peers in a peer's cache that lie before a key, nearest to the key first, at most `limit`. */
  before(peer: PeerRef, key: Id, limit: number): readonly PeerRef[];
}

export class PeerCaches implements CachedPeers {
  readonly #ring: IdealRing;
  readonly #random: Random;
  /** The c of c/r; as large as the ring where everybody fits. */
  readonly #surelyKept: number;
  /** How far behind its owner each peer in a cache stands, in order. Drawn when first asked for. */
  readonly #kept = new Map<Id, Uint32Array>();

  /** @param capacity entries of each cache */
  constructor(ring: IdealRing, random: Random, capacity: number = limits.knownPeers) {
    this.#ring = ring;
    this.#random = random;
    this.#surelyKept = surelyKept(ring.peers.length - 1, capacity);
  }

  before({ id }: PeerRef, key: Id, limit: number): readonly PeerRef[] {
    const own = this.#ring.placeOf(id);
    const { length } = this.#ring.peers;
    const distance = (this.#ring.placeOf(key) - own + length) % length || length;
    const kept = this.#keptBy(id);
    const before: PeerRef[] = [];
    for (let at = countBelow(kept, distance) - 1; at >= 0 && before.length < limit; at -= 1) {
      before.push(this.#ring.at(own + kept[at]!));
    }
    return before;
  }

  #keptBy(id: Id): Uint32Array {
    let kept = this.#kept.get(id);
    if (kept === undefined) {
      kept = this.#draw();
      this.#kept.set(id, kept);
    }
    return kept;
  }

  #draw(): Uint32Array {
    const kept: number[] = [];
    for (let distance = 1; distance < this.#ring.peers.length; distance += 1) {
      const isSure = distance <= this.#surelyKept;
      if (isSure || randomFraction(this.#random) < this.#surelyKept / distance) kept.push(distance);
    }
    return Uint32Array.from(kept);
  }
}

/** The c for which the chances min(1, c/r) of r = 1 to `others` sum up to the capacity. */
function surelyKept(others: number, capacity: number): number {
  if (others <= capacity) return others;
  let low = 0;
  let high = capacity;
  for (let round = 0; round < 40; round += 1) {
    const middle = (low + high) / 2;
    let sum = 0;
    for (let distance = 1; distance <= others; distance += 1) sum += Math.min(1, middle / distance);
    if (sum < capacity) low = middle;
    else high = middle;
  }
  return low;
}

/** How many of the values, given in order, are below a bound. */
function countBelow(sorted: Uint32Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
