/** One step of a lookup, as the peer that is asked sees it. */
import { limits } from '../base/limits.js';
import type { Id } from './identifier.js';
import { between, inHalfOpen } from './interval.js';
import type { PeerRef } from './peer.js';
import { type RingState, seesWholeRing } from './state.js';

/**
 * An answer to "who is responsible for this key?".
 *
 * A peer speaks with authority of two stretches of the ring only: from its predecessor to itself, and from itself to its
 * first successor. What it knows beyond is old by as many rounds as it lies away, and a newcomer may stand between two
 * entries of its list; of that it gives hints, and the asker finds out.
 */
export interface LookupStep {
  /** Whether `peers` begins with the responsible peer; otherwise they are closer to the key, best first. */
  readonly found: boolean;
  readonly peers: readonly PeerRef[];
  /**
   * Where nothing was found: the peers from the key on that the answering peer's list names, in order. The first one is
   * responsible unless somebody has come in between; if all between the answering peer and the key are dead, it is the
   * first one that lives.
   */
  readonly after?: readonly PeerRef[];
  /** The answering peer's predecessor. A peer that is asked as the owner says so who is nearer. */
  readonly predecessor?: PeerRef;
}

/**
 * What a peer answers: the responsible peer and those behind it where its own pointers tell for certain, else the
 * closest ones before the key that it knows, and whom its list names behind it.
 * @param others peers beside the successors: fingers, cached ones. Any order.
 */
export function lookupStep(state: RingState, others: Iterable<PeerRef>, key: Id): LookupStep {
  const { self, predecessor, successors } = state;
  const [head] = successors;
  const before = predecessor === null ? {} : { predecessor };
  // The whole ring, as long as nobody has joined it by stabilize: a newcomer that only notified is no member yet.
  if (head === undefined) return { found: true, peers: [self] };
  if (predecessor !== null && inHalfOpen(predecessor.id, key, self.id)) {
    return { found: true, peers: [self, ...successors], ...before };
  }
  if (inHalfOpen(self.id, key, head.id)) return { found: true, peers: ringFrom(state, 0), ...before };
  const at = indexOfOwner(state, key);
  return {
    found: false,
    peers: closestBefore(self.id, [...successors, ...others], key, limits.lookupCandidates),
    ...(at < 0 ? {} : { after: ringFrom(state, at) }),
    ...before,
  };
}

/** The list from one of its places on; when it is the whole ring, once round. */
function ringFrom(state: RingState, at: number): readonly PeerRef[] {
  const { self, successors } = state;
  const rest = successors.slice(at);
  return seesWholeRing(state) ? [...rest, self, ...successors.slice(0, at)] : rest;
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
