/**
 * The steps of the corrected Chord protocol (Pamela Zave, "Reasoning about identifier spaces: how to make Chord
 * correct", IEEE TSE 43(12), 2017), as pure functions.
 *
 * Each step turns one peer's state and at most one answer of one other peer into the new state and what to do next.
 * Nothing here waits, sends or measures time; src/node/membership.ts asks the questions, applies the answers, and keeps
 * the protocol's rule of atomicity: between a question that may change the state and its answer, the peer neither
 * changes its state otherwise nor answers questions about it.
 */
import { assert } from '../base/errors.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';
import { firstSuccessor, type Neighbourhood, type RingState } from './state.js';
import { listBehind } from './successor-list.js';

/** What is to be done after a step of stabilize. */
export type Next =
  /** Tell this peer that we may be its predecessor; the round is over. */
  | { readonly do: 'notify'; readonly peer: PeerRef }
  /** Ask this peer, which may be a nearer successor, for its neighbourhood. */
  | { readonly do: 'ask'; readonly peer: PeerRef }
  | { readonly do: 'nothing' };

export interface Step {
  readonly state: RingState;
  readonly next: Next;
}

/**
 * Where a newcomer stands after `member` answered it: right behind that member, with the member's list as it stands.
 * @param member its neighbourhood; the newcomer's id has to lie between it and its first successor (see
 *   {@link isPlaceOf}).
 */
export function join(self: PeerRef, member: Neighbourhood, length: number): RingState {
  assert(isPlaceOf(self, member), 'a newcomer joins where it belongs');
  const [head, ...tail] = member.successors;
  // The first newcomer of a ring of one: the member itself is what comes next.
  const successors =
    head === undefined ? [member.self] : listBehind(self.id, head, [...tail, member.self], length);
  return { self, predecessor: member.self, successors };
}

/** Whether a newcomer belongs right behind this member. */
export function isPlaceOf(self: PeerRef, member: Neighbourhood): boolean {
  return between(member.self.id, self.id, firstSuccessor(member).id);
}

/** stabilize, when the first successor answered. In a ring of one that is the peer itself. */
export function stabilize(state: RingState, answer: Neighbourhood, length: number): Step {
  const head = firstSuccessor(state);
  assert(answer.self.id === head.id, 'stabilize applies the answer of the first successor');
  const alone = head.id === state.self.id;
  const next = alone
    ? state
    : { ...state, successors: listBehind(state.self.id, answer.self, answer.successors, length) };
  const candidate = answer.predecessor;
  if (candidate !== null && between(state.self.id, candidate.id, head.id)) {
    return { state: next, next: { do: 'ask', peer: candidate } };
  }
  return { state: next, next: alone ? { do: 'nothing' } : { do: 'notify', peer: answer.self } };
}

/** stabilize, when the first successor is dead: the next one takes its place. */
export function stabilizeWithoutAnswer(state: RingState): Step {
  const successors = state.successors.slice(1);
  const head = successors[0];
  return {
    state: { ...state, successors },
    next: head === undefined ? { do: 'nothing' } : { do: 'notify', peer: head },
  };
}

/**
 * stabilizeFromPred, when the nearer peer answered: it becomes the first successor, if it still lies before the one
 * we have. Where it knows somebody nearer still, that one is asked next, as stabilize would with the same answer: so
 * a peer that has missed many finds the nearest of them at once.
 */
export function stabilizeFromPredecessor(state: RingState, answer: Neighbourhood, length: number): Step {
  if (!between(state.self.id, answer.self.id, firstSuccessor(state).id))
    return { state, next: { do: 'nothing' } };
  const successors = listBehind(state.self.id, answer.self, answer.successors, length);
  const next = { ...state, successors };
  const candidate = answer.predecessor;
  if (candidate !== null && between(state.self.id, candidate.id, answer.self.id)) {
    return { state: next, next: { do: 'ask', peer: candidate } };
  }
  return { state: next, next: { do: 'notify', peer: answer.self } };
}

/** stabilizeFromPred, when the nearer peer is dead: nothing changes, and the successor hears of us. */
export function stabilizeFromPredecessorWithoutAnswer(state: RingState): Step {
  const head = state.successors[0];
  return { state, next: head === undefined ? { do: 'nothing' } : { do: 'notify', peer: head } };
}

/**
 * rectify, first half, on a notify from `candidate`: adopts it when it is nearer than the predecessor, or there is none.
 * @returns undefined when the present predecessor has to be asked first whether it lives (then {@link rectifyAfterPing}).
 */
export function rectify(state: RingState, candidate: PeerRef): RingState | undefined {
  if (candidate.id === state.self.id) return state;
  const { predecessor } = state;
  if (predecessor === null || between(predecessor.id, candidate.id, state.self.id)) {
    return { ...state, predecessor: candidate };
  }
  // The same peer again; it may have moved to another address.
  return predecessor.id === candidate.id ? { ...state, predecessor: candidate } : undefined;
}

/** rectify, second half: the predecessor is dead, so the one that notified replaces it. */
export function rectifyAfterPing(state: RingState, candidate: PeerRef): RingState {
  return { ...state, predecessor: candidate };
}

/** The predecessor was found dead and nobody has offered to replace it. */
export function forgetPredecessor(state: RingState): RingState {
  return { ...state, predecessor: null };
}

/**
 * A neighbour says that it leaves, and what its own pointers were: what stabilize and rectify would find out one after
 * the other. Its word counts only where it is our neighbour.
 */
export function afterLeave(state: RingState, leaving: Neighbourhood, length: number): RingState {
  const { self } = state;
  const gone = leaving.self.id;
  let { predecessor, successors } = state;
  if (successors[0]?.id === gone) {
    const [head, ...tail] = leaving.successors.filter(({ id }) => id !== self.id);
    successors = head === undefined ? [] : listBehind(self.id, head, tail, length);
  } else {
    successors = successors.filter(({ id }) => id !== gone);
  }
  if (predecessor?.id === gone) {
    predecessor = leaving.predecessor?.id === self.id ? null : leaving.predecessor;
  }
  return { self, predecessor, successors };
}
