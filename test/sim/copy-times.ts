/**
 * How long values stay at each number of copies: what theory needs, to say how often one is lost. Looks at random moments
 * say which share of the time that is, and every loss says how often it begins; stays that no look has met count as well.
 */
export class CopyTimes {
  readonly #seen = new Map<number, number>();
  readonly #begun = new Map<number, number>();
  #looks = 0;

  /** A look at all values. @param copies how many copies there are of each */
  look(copies: Iterable<number>): void {
    this.#looks += 1;
    for (const count of copies) add(this.#seen, count);
  }

  /** A copy is lost, and so many are left of that value. */
  fell(copies: number): void {
    add(this.#begun, copies);
  }

  /** How long a value is left with so many copies when it has lost one. @param elapsedMs the time of all looks */
  meanMs(copies: number, elapsedMs: number): number {
    const inAllMs = ((this.#seen.get(copies) ?? 0) / Math.max(1, this.#looks)) * elapsedMs;
    return inAllMs / Math.max(1, this.#begun.get(copies) ?? 0);
  }
}

function add(counts: Map<number, number>, copies: number): void {
  counts.set(copies, (counts.get(copies) ?? 0) + 1);
}
