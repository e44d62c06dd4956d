/** One step of a lookup, as the peer that is asked sees it. */
import { limits } from '../base/limits.js';
import type { Id } from './identifier.js';
import { between, inHalfOpen } from './interval.js';
import type { PeerRef } from './peer.js';
import { type RingState, seesWholeRing } from './state.js';

/** An answer to "who is responsible for this key?". */
export interface LookupStep {
  /** Whether `peers` begins with the responsible peer; otherwise they are closer to the key, best first. */
  readonly found: boolean;
  readonly peers: readonly PeerRef[];
}

/**
 * What a peer answers: the responsible peer and those behind it when its own pointers tell, else the closest ones
 * before the key that it knows.
 * @param others peers beside the successors: fingers, remembered ones. Any order.
 */
export function lookupStep(state: RingState, others: Iterable<PeerRef>, key: Id): LookupStep {
  const { self, predecessor, successors } = state;
  // The whole ring, as long as nobody has joined it by stabilize: a newcomer that only notified is no member yet.
  if (successors.length === 0) return { found: true, peers: [self] };
  if (predecessor !== null && inHalfOpen(predecessor.id, key, self.id)) {
    return { found: true, peers: [self, ...successors] };
  }
  const at = indexOfOwner(state, key);
  if (at >= 0 && seesWholeRing(state)) {
    return { found: true, peers: [...successors.slice(at), self, ...successors.slice(0, at)] };
  }
  // Near its end the list names the owner but hardly anyone behind it, who would stand in for a dead owner: a closer
  // peer can. The first successor is answered in any case, since nobody is closer.
  if (at === 0 || (at > 0 && successors.length - at >= limits.holdersNamed)) {
    return { found: true, peers: successors.slice(at) };
  }
  return {
    found: false,
    peers: closestBefore(self.id, [...successors, ...others], key, limits.lookupCandidates),
  };
}

/** Where in the successor list the owner of `key` stands, or -1 when the list does not reach it. */
function indexOfOwner({ self, successors }: RingState, key: Id): number {
  let before = self.id;
  for (const [at, { id }] of successors.entries()) {
    if (inHalfOpen(before, key, id)) return at;
    before = id;
  }
  return -1;
}

/** The peers between `from` and `key`, nearest to the key first, each once, at most `limit`. */
export function closestBefore(
  from: Id,
  peers: Iterable<PeerRef>,
  key: Id,
  limit: number,
): readonly PeerRef[] {
  const seen = new Map<Id, PeerRef>();
  for (const peer of peers) if (between(from, peer.id, key)) seen.set(peer.id, peer);
  return [...seen.values()].sort((a, b) => (between(from, a.id, b.id) ? 1 : -1)).slice(0, limit);
}
