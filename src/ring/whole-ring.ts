/**
 * Small rings: what a peer does whose successor list names every other member.
 *
 * The protocol's proof needs more members than a list is long. Most people's rings never have that many, so the steps
 * keep a simpler and stronger invariant in them: *whoever is in the ring names everybody who is in it*. Three rules do it.
 * A newcomer introduces itself to all whom it hears of before it counts as a member (src/ring/entry.ts). Whoever is
 * introduced is taken into the list at once. And a list loses a peer only when that peer is dead, or when the ring has
 * outgrown the list, which leaves the state that the large ring's steps begin from: more members than a list is long,
 * none of whom any list skips.
 */
import type { Id } from './identifier.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';
import { type RingState, seesWholeRing } from './state.js';

/**
 * The pointers of a peer that sees the whole ring, and hears of more members: it keeps those that it knew.
 * @param heard who says so, by its own reference, and whom it names. Of others than itself its word adds peers, and
 *   changes nothing of what is known about them; it may name the peer itself
 */
export function withPeers(state: RingState, heard: readonly PeerRef[], length: number): RingState {
  const { self } = state;
  const others = inOrder(self.id, [...heard.slice(0, 1), ...state.successors, ...heard]);
  return { self, predecessor: others.at(-1) ?? null, successors: others.slice(0, length) };
}

/** The pointers with a new list, from which nobody is missing who was in one that showed the whole ring. */
export function withList(state: RingState, list: readonly PeerRef[], length: number): RingState {
  return seesWholeRing(state) ? withPeers(state, list, length) : { ...state, successors: list };
}

/**
 * A live peer has introduced itself: it takes its place in the list. Beyond the end of a list that does not show the
 * whole ring there is none, for nobody knows who lies between.
 */
export function takeIn(state: RingState, peer: PeerRef, length: number): RingState {
  if (peer.id === state.self.id) return state;
  if (seesWholeRing(state)) return withPeers(state, [peer], length);
  const { self, predecessor, successors } = state;
  const others = inOrder(self.id, [peer, ...successors]);
  const isBeyond = others.length > successors.length && others.at(-1)?.id === peer.id;
  const isNearer = predecessor !== null && between(predecessor.id, peer.id, self.id);
  return {
    self,
    predecessor: isNearer || predecessor?.id === peer.id ? peer : predecessor,
    successors: isBeyond ? successors : others.slice(0, length),
  };
}

/** The pointers without a peer. Who saw the whole ring still does, and is alone when that was the last other one. */
export function without(state: RingState, id: Id): RingState {
  const { self, predecessor } = state;
  const successors = state.successors.filter((peer) => peer.id !== id);
  if (predecessor?.id !== id) return { self, predecessor, successors };
  return { self, predecessor: seesWholeRing(state) ? (successors.at(-1) ?? null) : null, successors };
}

/** Peers clockwise from `owner`, each once, as it is named first. */
function inOrder(owner: Id, peers: readonly PeerRef[]): readonly PeerRef[] {
  const byId = new Map<Id, PeerRef>();
  for (const peer of peers) if (peer.id !== owner && !byId.has(peer.id)) byId.set(peer.id, peer);
  return [...byId.values()].sort((a, b) => (between(owner, a.id, b.id) ? -1 : 1));
}
