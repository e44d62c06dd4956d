/** How a peer finds the others: its fingers, its part in lookups, and lookups of its own. */
import { FingerTable } from '../ring/fingers.js';
import type { Id } from '../ring/identifier.js';
import { lookup, type LookupOptions, type LookupResult } from '../ring/lookup.js';
import type { PeerRef } from '../ring/peer.js';
import { type LookupStep, lookupStep } from '../ring/routing.js';
import type { Transport } from '../wire/transport.js';
import { meansNoAnswer } from './liveness.js';
import type { Pointers } from './pointers.js';

export interface RoutesOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly pointers: Pointers;
}

export class Routes {
  readonly #options: RoutesOptions;
  readonly #fingers: FingerTable;
  #nextFinger = 0;

  constructor(options: RoutesOptions) {
    this.#options = options;
    this.#fingers = new FingerTable(options.self.id);
  }

  /** The distinct peers that the fingers point to. */
  get fingers(): readonly PeerRef[] {
    return this.#fingers.heads();
  }

  /** Forgets the fingers to a peer that is gone. */
  forget(peer: PeerRef): void {
    this.#fingers.remove(peer.id);
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
    return lookupStep(this.#options.pointers.inside, this.#fingers.peers(), key);
  }

  /**
   * Finds the peer responsible for a key.
   * @param start peers to begin with
   * @throws PeerStoreError UNREACHABLE, CANCELLED.
   */
  find(
    key: Id,
    start: readonly PeerRef[],
    signal: AbortSignal,
    options: Pick<LookupOptions, 'confirm' | 'except'> = {},
  ): Promise<LookupResult> {
    const { self, transport, pointers } = this.#options;
    return lookup(key, start, {
      ...options,
      signal,
      local: (peer) => (peer.id === self.id && pointers.isInside ? this.step(key) : undefined),
      ask: async (peer) => {
        try {
          return (await transport.call(peer, 'successor', { key }, { signal })).response;
        } catch (error) {
          // A finger is a hint: one that costs a wait is not worth keeping.
          if (meansNoAnswer(error)) this.#fingers.remove(peer.id);
          throw error;
        }
      },
    });
  }

  /** Sets the fingers: those that the successor list answers, and one more by a lookup. */
  async fixFingers(signal: AbortSignal): Promise<void> {
    const beyond = this.#fingers.fillFromSuccessors(this.#options.pointers.now);
    if (beyond.length === 0) return;
    this.#nextFinger = (this.#nextFinger + 1) % beyond.length;
    const power = beyond[this.#nextFinger] ?? 0;
    const { peers } = await this.find(this.#fingers.start(power), this.start, signal);
    this.#fingers.set(power, peers);
  }
}
