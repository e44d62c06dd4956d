/**
 * What peers know that have met others for long: as many as fit the cache, chosen at random, for everybody meets
 * everybody. In a ring that fits, all of them.
 */
import { limits } from '../../src/base/limits.js';
import type { Random } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { IdealRing } from './ideal-ring.js';

export class PeerCaches {
  readonly #ring: IdealRing;
  readonly #random: Random;
  /** Made when they are first asked for, as most peers of a large ring are never visited. */
  readonly #caches = new Map<Id, readonly PeerRef[]>();

  constructor(ring: IdealRing, random: Random) {
    this.#ring = ring;
    this.#random = random;
  }

  of(id: Id): readonly PeerRef[] {
    let cache = this.#caches.get(id);
    if (cache === undefined) {
      cache = this.#draw(id);
      this.#caches.set(id, cache);
    }
    return cache;
  }

  #draw(id: Id): readonly PeerRef[] {
    const { peers } = this.#ring;
    if (peers.length - 1 <= limits.rememberedPeers) return peers.filter((peer) => peer.id !== id);
    const met = new Set<PeerRef>();
    while (met.size < limits.rememberedPeers) {
      const peer = peers[this.#random.below(peers.length)]!;
      if (peer.id !== id) met.add(peer);
    }
    return [...met];
  }
}
