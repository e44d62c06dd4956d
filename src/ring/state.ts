/** What a peer knows of its place: the pointers of the corrected protocol, as one immutable value. */
import { isSameReference, type PeerRef } from './peer.js';
import { isOrdered, isSameList } from './successor-list.js';

/** A peer's pointers. A ring of one has no successors and no predecessor: the peer is both to itself. */
export interface RingState {
  readonly self: PeerRef;
  /** Null while none is known: in a ring of one, and after the last one was found dead. */
  readonly predecessor: PeerRef | null;
  /** Nearest first; see successor-list.ts for its length. */
  readonly successors: readonly PeerRef[];
}

/** What a peer answers when it is asked for its pointers. */
export type Neighbourhood = RingState;

/** The state of a ring of one. */
export function aloneState(self: PeerRef): RingState {
  return { self, predecessor: null, successors: [] };
}

/** The best successor as far as this peer knows: itself when it is alone. */
export function firstSuccessor(state: RingState): PeerRef {
  return state.successors[0] ?? state.self;
}

/**
 * Whether the successors are all other members, so that the peer sees the whole ring: they are when the last of them
 * is the predecessor. A ring of one is whole.
 */
export function seesWholeRing(state: RingState): boolean {
  const last = state.successors.at(-1);
  return last === undefined ? state.predecessor === null : last.id === state.predecessor?.id;
}

/** Whether two states of one peer point to the same peers. */
export function hasSamePointers(a: RingState, b: RingState): boolean {
  return isSameReference(a.predecessor, b.predecessor) && isSameList(a.successors, b.successors);
}

/**
 * Why an answer cannot be the pointers of a peer, or undefined when it can: its list has to be in order and without
 * duplicates, and the peer is not its own neighbour.
 */
export function faultIn(neighbourhood: Neighbourhood): string | undefined {
  const { self, predecessor, successors } = neighbourhood;
  if (predecessor?.id === self.id) return 'it is its own predecessor';
  if (!isOrdered(self.id, successors)) return 'its successor list is out of order or has duplicates';
  return undefined;
}
