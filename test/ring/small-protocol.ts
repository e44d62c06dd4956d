/** The rules that a small model runs by. */
import * as steps from '../../src/ring/steps.js';
import * as wholeRing from '../../src/ring/whole-ring.js';

/** The rules of the ring that a model runs: those of production, or with one of them taken out. */
export type Protocol = Pick<
  typeof steps,
  | 'join'
  | 'isPlaceOf'
  | 'stabilize'
  | 'stabilizeWithoutAnswer'
  | 'stabilizeFromPredecessor'
  | 'stabilizeFromPredecessorWithoutAnswer'
  | 'rectify'
  | 'forgetPredecessor'
  | 'forgetMember'
  | 'afterLeave'
> &
  Pick<typeof wholeRing, 'takeIn' | 'without'> & {
    /** Whether a newcomer introduces itself to everybody before it is a member. */
    readonly introduces: boolean;
    /** Whether it asks its witness once more before it counts itself in. */
    readonly asksAgain: boolean;
    /** Whether it notices that the one whom it asks has restarted in between. */
    readonly knowsLives: boolean;
  };

export const production: Protocol = {
  ...steps,
  ...wholeRing,
  introduces: true,
  asksAgain: true,
  knowsLives: true,
};
