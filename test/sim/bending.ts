/** How many lookups ended with a peer that is not the owner of the key, and how many may have by chance. */
import type { Id } from '../../src/ring/identifier.js';

/** What a measured share may be off by. */
const standardErrors = 4;

/** What came of lookups. */
export class Bending {
  #count = 0;
  #bent = 0;
  #failed = 0;
  #bound = 0;

  /**
   * @param named the peer with which a lookup ended, if it did
   * @param bound how likely it is, at most, that liars bend one that asks as many peers
   * @returns whether it was bent.
   */
  add(named: Id | undefined, owner: Id | undefined, bound = 0): boolean {
    const isBent = named !== undefined && named !== owner;
    this.#count += 1;
    if (named === undefined) this.#failed += 1;
    if (isBent) this.#bent += 1;
    this.#bound += bound;
    return isBent;
  }

  get bent(): number {
    return rounded(this.#bent / this.#count);
  }

  get failed(): number {
    return rounded(this.#failed / this.#count);
  }

  get bound(): number {
    return rounded(this.#bound / this.#count);
  }

  /** What a share with this bound may measure: more by some standard errors of as many lookups. */
  get boundMeasured(): number {
    const { bound } = this;
    return bound + standardErrors * Math.sqrt((bound * (1 - bound)) / this.#count);
  }
}

function rounded(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
