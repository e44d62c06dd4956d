/** With whom a peer has to do: whom it may ask about others, and about whom others may ask it. */
import { type Random, shuffled } from '../base/random.js';
import { isSamePeer, type PeerRef } from '../ring/peer.js';
import type { RingState } from '../ring/state.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface Vicinity {
  readonly state: RingState;
  readonly fingers: readonly PeerRef[];
  readonly remembered: Pick<RememberedPeers, 'has'>;
}

/** Who may know a suspect: first the peer behind it and the one before us, whose pointers name it, then anybody. */
export function witnessesOf(
  suspect: PeerRef,
  { state, fingers }: Vicinity,
  random: Random,
): readonly PeerRef[] {
  const { self, predecessor, successors } = state;
  const behind = successors[successors.findIndex(({ id }) => id === suspect.id) + 1];
  const sure = [behind, predecessor].filter((peer) => peer !== undefined && peer !== null);
  const others = shuffled([...successors, ...fingers], random);
  const distinct = new Map([...sure, ...others].map((peer) => [peer.id, peer]));
  return [...distinct.values()].filter(({ id }) => id !== suspect.id && id !== self.id);
}

/** Whether a peer itself has had to do with another, at this address. */
export function knows({ state, fingers, remembered }: Vicinity, peer: PeerRef): boolean {
  const { predecessor, successors } = state;
  const isIt = (one: PeerRef | null): boolean => isSamePeer(one, peer);
  return isIt(predecessor) || successors.some(isIt) || fingers.some(isIt) || remembered.has(peer);
}
