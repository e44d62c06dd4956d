/** The protocol with one of its rules for small rings taken out. Each of these has to be found out. */
import { between } from '../../src/ring/interval.js';
import { firstSuccessor, type Neighbourhood, type RingState } from '../../src/ring/state.js';
import * as steps from '../../src/ring/steps.js';
import { listBehind } from '../../src/ring/successor-list.js';
import { production, type Protocol } from './small-protocol.js';

/** Without all of them: the steps of the paper, with lists that end before their owner. */
export const paper: Protocol = {
  ...production,
  introduces: false,
  asksAgain: false,
  isPlaceOf: (self, member) => between(member.self.id, self.id, firstSuccessor(member).id),
  join: (self, member, length) => {
    const [head, ...tail] = member.successors;
    const successors =
      head === undefined ? [member.self] : listBehind(self.id, head, [...tail, member.self], length);
    return { self, predecessor: member.self, successors };
  },
  without: (state, id) => ({
    self: state.self,
    predecessor: state.predecessor?.id === id ? null : state.predecessor,
    successors: state.successors.filter((peer) => peer.id !== id),
  }),
  stabilize: (state, answer, length) =>
    replacing(state, answer, length, steps.stabilize(state, answer, length)),
  stabilizeFromPredecessor: (state, answer, length) =>
    replacing(state, answer, length, steps.stabilizeFromPredecessor(state, answer, length)),
  stabilizeWithoutAnswer: (state) => {
    const successors = state.successors.slice(1);
    const [head] = successors;
    return {
      state: { ...state, successors },
      next: head === undefined ? { do: 'nothing' } : { do: 'notify', peer: head },
    };
  },
  rectify: (state, candidate, length) => {
    const rectified = steps.rectify(state, candidate, length);
    return rectified === undefined ? undefined : { ...rectified, successors: state.successors };
  },
  forgetPredecessor: (state) => ({ ...state, predecessor: null }),
  forgetMember: (state) => state,
};

/** A newcomer is a member as soon as one member has answered it. */
export const withoutIntroductions: Protocol = { ...production, introduces: false };

/** It is in when it has met everybody, whether or not the one that let it in still lives. */
export const withoutAskingAgain: Protocol = { ...production, asksAgain: false };

/** It believes a witness that has restarted in between. */
export const withoutLives: Protocol = { ...production, knowsLives: false };

/** A list is what the first successor says, whoever was in it. */
export const forgettingTheLiving: Protocol = {
  ...production,
  stabilize: paper.stabilize,
  stabilizeFromPredecessor: paper.stabilizeFromPredecessor,
};

/** rectify adopts whoever notifies, without a look at the predecessor it has. */
export const rectifyingUnasked: Protocol = {
  ...production,
  rectify: (state, candidate) => ({ ...state, predecessor: candidate }),
};

/** The dead are never taken out of a list. */
export const keepingTheDead: Protocol = { ...production, forgetMember: (state) => state };

/** The list as the answer has it, in place of what the step made of it. */
function replacing(
  state: RingState,
  answer: Neighbourhood,
  length: number,
  { state: after, next }: steps.Step,
): steps.Step {
  if (after === state) return { state, next };
  const successors = listBehind(state.self.id, answer.self, answer.successors, length);
  return { state: { ...state, successors }, next };
}
