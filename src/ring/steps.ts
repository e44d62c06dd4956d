/**
 * The steps of the corrected Chord protocol (Pamela Zave, "Reasoning about identifier spaces: how to make Chord
 * correct", IEEE TSE 43(12), 2017), as pure functions.
 *
 * Each step turns one peer's state and at most one answer of one other peer into the new state and what to do next.
 * Nothing here waits, sends or measures time; src/node/stabilizer.ts asks the questions, applies the answers, and keeps
 * the protocol's rule of atomicity: between a question that may change the state and its answer, the peer neither
 * changes its state otherwise nor answers questions about it.
 */
import { assert } from '../base/errors.js';
import type { Id } from './identifier.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';
import { aloneState, firstSuccessor, type Neighbourhood, type RingState, seesWholeRing } from './state.js';
import { listBehind } from './successor-list.js';
import { takeIn, withList, without, withPeers } from './whole-ring.js';

/** What is to be done after a step of stabilize. */
export type Next =
  /** Tell this peer that we may be its predecessor; the round is over. */
  | { readonly do: 'notify'; readonly peer: PeerRef }
  /** Ask this peer, which may be a nearer successor, for its neighbourhood. */
  | { readonly do: 'ask'; readonly peer: PeerRef }
  /** Every peer in the list is dead, and there were more than those: this peer has lost its ring. */
  | { readonly do: 'enter again' }
  | { readonly do: 'nothing' };

export interface Step {
  readonly state: RingState;
  readonly next: Next;
}

/**
 * Where a newcomer stands after `member` answered it. A member that sees the whole ring tells it everybody, wherever in
 * the ring the two are; else it belongs right behind that member, with the member's list as it stands.
 * @param member its pointers, without the newcomer; see {@link isPlaceOf}
 */
export function join(self: PeerRef, member: Neighbourhood, length: number): RingState {
  assert(isPlaceOf(self, member), 'a newcomer joins where it belongs');
  if (seesWholeRing(member)) {
    return withPeers(aloneState(self), [member.self, ...member.successors], length);
  }
  const [head = member.self, ...tail] = member.successors;
  return { self, predecessor: member.self, successors: listBehind(self.id, head, tail, length) };
}

/** Whether a newcomer can begin with this member's pointers. */
export function isPlaceOf(self: PeerRef, member: Neighbourhood): boolean {
  return seesWholeRing(member) || between(member.self.id, self.id, firstSuccessor(member).id);
}

/** stabilize, when the first successor answered. In a ring of one that is the peer itself. */
export function stabilize(state: RingState, answer: Neighbourhood, length: number): Step {
  const head = firstSuccessor(state);
  assert(answer.self.id === head.id, 'stabilize applies the answer of the first successor');
  const alone = head.id === state.self.id;
  const next = alone ? state : behind(state, answer, length);
  const candidate = answer.predecessor;
  if (candidate !== null && between(state.self.id, candidate.id, head.id)) {
    return { state: next, next: { do: 'ask', peer: candidate } };
  }
  return { state: next, next: alone ? { do: 'nothing' } : { do: 'notify', peer: answer.self } };
}

/** stabilize, when the first successor is dead: the next one takes its place. */
export function stabilizeWithoutAnswer(state: RingState): Step {
  const isWhole = seesWholeRing(state);
  if (!isWhole && state.successors.length === 1) return { state, next: { do: 'enter again' } };
  const next = isWhole
    ? without(state, firstSuccessor(state).id)
    : { ...state, successors: state.successors.slice(1) };
  const head = next.successors[0];
  return { state: next, next: head === undefined ? { do: 'nothing' } : { do: 'notify', peer: head } };
}

/**
 * stabilizeFromPred, when the nearer peer answered: it becomes the first successor, if it still lies before the one
 * we have. Where it knows somebody nearer still, that one is asked next, as stabilize would with the same answer: so
 * a peer that has missed many finds the nearest of them at once.
 */
export function stabilizeFromPredecessor(state: RingState, answer: Neighbourhood, length: number): Step {
  if (!between(state.self.id, answer.self.id, firstSuccessor(state).id))
    return { state, next: { do: 'nothing' } };
  const nearer = answer.predecessor;
  const isMissing = nearer !== null && between(state.self.id, nearer.id, answer.self.id);
  return {
    state: behind(state, answer, length),
    next: isMissing ? { do: 'ask', peer: nearer } : { do: 'notify', peer: answer.self },
  };
}

/** stabilizeFromPred, when the nearer peer is dead: nothing changes, and the successor hears of us. */
export function stabilizeFromPredecessorWithoutAnswer(state: RingState): Step {
  const head = state.successors[0];
  return { state, next: head === undefined ? { do: 'nothing' } : { do: 'notify', peer: head } };
}

/**
 * rectify, first half, on a notify from `candidate`: adopts it when it is nearer than the predecessor, or there is none.
 * @returns undefined when the present predecessor has to be asked first whether it lives. If it does not,
 *   it is forgotten, and the candidate asked to say it again: its word has grown old meanwhile, and somebody may have come
 *   in between.
 */
export function rectify(state: RingState, candidate: PeerRef, length: number): RingState | undefined {
  if (candidate.id === state.self.id) return state;
  const { predecessor } = state;
  const isNearer = predecessor === null || between(predecessor.id, candidate.id, state.self.id);
  // The same peer again may have moved to another address.
  if (!isNearer && predecessor.id !== candidate.id) return undefined;
  return seesWholeRing(state) ? takeIn(state, candidate, length) : { ...state, predecessor: candidate };
}

/** The predecessor was found dead. Who sees the whole ring knows the one before it; else somebody has to offer. */
export function forgetPredecessor(state: RingState): RingState {
  const { predecessor } = state;
  return predecessor !== null && seesWholeRing(state)
    ? without(state, predecessor.id)
    : { ...state, predecessor: null };
}

/**
 * Another peer in the list was found dead. Only a list that names the whole ring is rid of it here; in longer rings
 * stabilize replaces the list from its head on.
 */
export function forgetMember(state: RingState, dead: Id): RingState {
  return seesWholeRing(state) ? without(state, dead) : state;
}

/**
 * The peers that the first successor did not name, and this peer does: dead, or so new that they have not introduced
 * themselves there yet. Whoever sees the whole ring keeps them until it finds them dead ({@link forgetMember}).
 */
export function unconfirmed(state: RingState, answer: Neighbourhood): readonly PeerRef[] {
  if (!seesWholeRing(state)) return [];
  const named = new Set([answer.self, ...answer.successors].map(({ id }) => id));
  return state.successors.filter(({ id }) => !named.has(id));
}

/**
 * A peer says that it leaves. Its word counts for itself alone: who comes next is what stabilize and rectify find out. The
 * only one in a list that does not show the whole ring stays until stabilize finds it dead, and the peer comes in again.
 */
export function afterLeave(state: RingState, gone: Id): RingState {
  const { self } = state;
  if (seesWholeRing(state)) return without(state, gone);
  const others = state.successors.filter(({ id }) => id !== gone);
  const predecessor = state.predecessor?.id === gone ? null : state.predecessor;
  return { self, predecessor, successors: others.length > 0 ? others : state.successors };
}

/** The pointers when `head` is the first successor: its list behind it, and nobody forgotten who was in a whole one. */
function behind(state: RingState, head: Neighbourhood, length: number): RingState {
  return withList(state, listBehind(state.self.id, head.self, head.successors, length), length);
}
