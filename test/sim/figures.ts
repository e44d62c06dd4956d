/** Means and percentiles of what a scenario counted. */

export class Tally {
  readonly #values: number[] = [];

  add(value: number): void {
    this.#values.push(value);
  }

  get count(): number {
    return this.#values.length;
  }

  /** 0 when nothing was counted; two decimals. */
  get mean(): number {
    if (this.#values.length === 0) return 0;
    const sum = this.#values.reduce((total, value) => total + value, 0);
    return Math.round((100 * sum) / this.#values.length) / 100;
  }

  /** As {@link percentileOf}; 0 when nothing was counted. */
  percentile(share: number): number {
    return percentileOf(
      [...this.#values].sort((a, b) => a - b),
      share,
    );
  }
}

/** The smallest value that at least `share` of the values, given in order, do not exceed (nearest rank); 0 of none. */
export function percentileOf(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
