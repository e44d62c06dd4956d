/** Lookups over the network: for peers, and for clients, which are no part of the ring. */
import type { Id } from '../ring/identifier.js';
import { lookup, type LookupResult } from '../ring/lookup.js';
import type { PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import type { Transport } from './transport.js';

export interface WireLookupOptions {
  readonly signal?: AbortSignal;
  /** Answers in place of a peer that needs no asking, such as the asker itself. */
  readonly local?: (peer: PeerRef) => LookupStep | undefined;
}

/**
 * Finds the peer responsible for a key, asking one peer after the other.
 * @param start peers to begin with, in any order
 * @throws PeerStoreError UNREACHABLE when no peer is left to ask, CANCELLED.
 */
export function lookupOverWire(
  transport: Transport,
  key: Id,
  start: Iterable<PeerRef>,
  options: WireLookupOptions = {},
): Promise<LookupResult> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  return lookup(key, start, {
    ask: async (peer) =>
      options.local?.(peer) ?? (await transport.call(peer, 'successor', { key }, signal)).response,
    ...signal,
  });
}
