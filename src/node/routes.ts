/** How a peer finds the others: its fingers, the peers that it knows, its part in lookups, and lookups of its own. */
import type { Random } from '../base/random.js';
import { limits } from '../base/limits.js';
import { stretchOf } from '../ring/density.js';
import { FingerTable } from '../ring/fingers.js';
import type { Id } from '../ring/identifier.js';
import type { LookupResult } from '../ring/lookup.js';
import { PeerCache } from '../ring/peer-cache.js';
import type { PeerRef } from '../ring/peer.js';
import { type LookupStep, lookupStep } from '../ring/routing.js';
import { isSameList } from '../ring/successor-list.js';
import { Finder, type FindOptions } from '../wire/lookup.js';
import type { Transport } from '../wire/transport.js';
import { Acquaintances } from './acquaintances.js';
import type { Pointers } from './pointers.js';

export interface RoutesOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly random: Random;
  /** The most peers that are kept in mind. */
  readonly knownPeers: number;
  readonly pointers: Pointers;
}

export class Routes {
  readonly #options: RoutesOptions;
  readonly #fingers: FingerTable;
  readonly #cache: PeerCache;
  readonly #finder: Finder;
  readonly #acquaintances: Acquaintances;
  #nextFinger = 0;

  constructor(options: RoutesOptions) {
    const { self, transport, random, knownPeers, pointers } = options;
    this.#options = options;
    this.#fingers = new FingerTable(self.id);
    this.#cache = new PeerCache({ self: self.id, capacity: knownPeers, random });
    this.#finder = new Finder({
      transport,
      cache: this.#cache,
      reference: () => stretchOf(self.id, pointers.now.successors),
      // A finger is a hint: one that costs a wait is not worth keeping.
      onSilent: ({ id }) => this.#fingers.remove(id),
    });
    this.#acquaintances = new Acquaintances({
      ...options,
      finder: this.#finder,
      cache: this.#cache,
      find: (key, signal) => this.find(key, this.start, { signal }),
    });
  }

  /** The distinct peers that the fingers point to. */
  get fingers(): readonly PeerRef[] {
    return this.#fingers.heads();
  }

  /** The peers that this one knows behind a place on the ring. @throws PeerStoreError UNSETTLED while it is outside. */
  knownPeers(after: Id): readonly PeerRef[] {
    return this.#acquaintances.page(after);
  }

  /** Notes that a peer has called us. */
  met(peer: PeerRef): void {
    this.#cache.met(peer);
  }

  /** Forgets a peer that is gone. */
  forget(peer: PeerRef): void {
    this.#finder.silent(peer);
  }

  /** Where a lookup of this peer's own begins: here, or, while it is not taken in, with those who may be. */
  get start(): readonly PeerRef[] {
    const { pointers, self } = this.#options;
    if (pointers.isInside) return [self];
    const { predecessor, successors } = pointers.now;
    return predecessor === null ? successors : [predecessor, ...successors];
  }

  /** One step of somebody's lookup. @throws PeerStoreError UNSETTLED while this peer is not taken in. */
  step(key: Id): LookupStep {
    const known = this.#cache.before(key, limits.lookupCandidates);
    return lookupStep(this.#options.pointers.inside, [...this.#fingers.peers(), ...known], key);
  }

  /**
   * Finds the peer responsible for a key.
   * @param start peers to begin with
   * @throws PeerStoreError UNREACHABLE, CANCELLED.
   */
  find(key: Id, start: readonly PeerRef[], options: FindOptions): Promise<LookupResult> {
    const { self, pointers } = this.#options;
    return this.#finder.find(key, start, {
      ...options,
      local: (peer) => (peer.id === self.id && pointers.isInside ? this.step(key) : undefined),
    });
  }

  /**
   * Sets the fingers, those that the successor list answers and one more by a lookup, and gets to know other peers.
   * @returns whether a finger has changed.
   */
  async fixFingers(signal: AbortSignal): Promise<boolean> {
    const before = this.fingers;
    const beyond = this.#fingers.fillFromSuccessors(this.#options.pointers.now);
    await this.#acquaintances.round(signal);
    if (beyond.length > 0) {
      this.#nextFinger = (this.#nextFinger + 1) % beyond.length;
      const power = beyond[this.#nextFinger] ?? 0;
      const { peers } = await this.find(this.#fingers.start(power), this.start, { signal });
      this.#fingers.set(power, peers);
    }
    return !isSameList(before, this.fingers);
  }
}
