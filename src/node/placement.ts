/** Which peers hold a key: the first r distinct machines at or after it, distinct zones first. */
import type { PeerRef } from '../ring/peer.js';

/**
 * Orders candidates as holders: each machine once, a machine of a new zone before one of a zone that is represented
 * already, otherwise in ring order. The first r of the result are the holders of r copies; the rest stand in for
 * those that cannot be reached.
 * @param candidates from the key on, in ring order. The first one, which coordinates, stays first.
 */
export function holderOrder(candidates: readonly PeerRef[]): readonly PeerRef[] {
  const machines = new Set<string>();
  const zones = new Set<string>();
  const preferred: PeerRef[] = [];
  const rest: PeerRef[] = [];
  for (const peer of candidates) {
    if (machines.has(peer.machine)) continue;
    machines.add(peer.machine);
    if (peer.zone !== undefined && zones.has(peer.zone)) {
      rest.push(peer);
      continue;
    }
    if (peer.zone !== undefined) zones.add(peer.zone);
    preferred.push(peer);
  }
  return [...preferred, ...rest];
}

/** How many of `copies` make a majority. */
export function majorityOf(copies: number): number {
  return Math.floor(copies / 2) + 1;
}
