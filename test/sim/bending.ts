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

  /**
   * What a share with this bound may measure by chance. Lookups are few, and so are liars: how many lookups meet one is
   * in proportion to the gap that it stands in front of, which differs from liar to liar by as much as its mean.
   * @param liars how many there were
   * @param paths of each lookup: as many liars have to be met
   */
  mayMeasure(liars: number, paths: number): number {
    const { bound } = this;
    const variance = (bound * (1 - bound)) / this.#count + (paths * bound) ** 2 / liars;
    return bound + standardErrors * Math.sqrt(variance);
  }
}

function rounded(share: number): number {
  return Math.round(share * 10_000) / 10_000;
}
