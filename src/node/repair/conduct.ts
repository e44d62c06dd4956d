/**
 * How another peer has behaved since a survey, or a round of handing over, began: from when on nothing more is asked of it, or
 * nothing more given to it. What fails of one value says nothing of the others, until it is too many of them.
 */
import { hasCode } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Id } from '../../ring/identifier.js';
import { meansNoAnswer } from '../../wire/errors.js';
import type { Refusals } from './refusals.js';

export class Conduct {
  readonly #peer: Id;
  readonly #refusals: Refusals;
  #isGone = false;
  #isFull = false;
  /** Values that it said it has, and did not give. */
  #withheld = 0;
  /** Values in a row that its disk failed to keep. */
  #failed = 0;

  constructor(peer: Id, refusals: Refusals) {
    this.#peer = peer;
    this.#refusals = refusals;
  }

  /** Whether nobody is there, or it only talks. */
  get isGivenUp(): boolean {
    return this.#isGone || this.#withheld >= limits.valuesWithheld;
  }

  /**
   * Whether it may be given one more item now: one without room is tried again with a single value, now and then.
   * @param needsRoom false for what is known of a block that nobody owns any more
   */
  mayBeGiven(needsRoom: boolean): boolean {
    if (this.isGivenUp || this.#failed >= limits.valuesFailed) return false;
    return !needsRoom || (!this.#isFull && this.#refusals.mayTry(this.#peer));
  }

  /** It is given values from another place of the disk now. */
  goOn(): void {
    this.#failed = 0;
  }

  /** What it was to be given could not be read. */
  missed(): void {
    this.#refusals.wasNotTried(this.#peer);
  }

  /** It has taken a value. */
  took(): void {
    this.#failed = 0;
    this.#refusals.accepted(this.#peer);
  }

  /** It has not taken a value. @returns whether others have to stand in for it from now on. */
  refused(error: unknown): boolean {
    if (meansNoAnswer(error)) this.#isGone = true;
    // Good bytes that are called damaged were not kept, either.
    if (!hasCode(error, 'NO_SPACE', 'IO', 'DAMAGED')) return false;
    const hasNoRoom = hasCode(error, 'NO_SPACE');
    this.#failed += Number(!hasNoRoom);
    this.#isFull ||= hasNoRoom;
    return this.#refusals.refused(this.#peer, hasNoRoom);
  }

  /** It did not answer a question, or did so with no. */
  failed(error: unknown): void {
    this.#isGone ||= meansNoAnswer(error);
  }

  /** It has not given a value that it says it has. */
  withheld(error: unknown): void {
    this.failed(error);
    this.#withheld += 1;
  }
}
