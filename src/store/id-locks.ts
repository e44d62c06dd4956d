/** One thing at a time for each id: what was asked first is done first. */
import type { Id } from '../ring/identifier.js';

export class IdLocks {
  /** The end of the line of each id that somebody works on or waits for. */
  readonly #tails = new Map<Id, Promise<void>>();

  /**
   * Does `work` while nobody else works on any of these ids. All places in line are taken in one step, so two calls
   * with the same ids in another order cannot wait for each other.
   */
  async with<T>(ids: readonly Id[], work: () => Promise<T>): Promise<T> {
    const own = [...new Set(ids)];
    const before = own.map((id) => this.#tails.get(id)).filter((tail) => tail !== undefined);
    let leave!: () => void;
    const left = new Promise<void>((resolve) => (leave = resolve));
    for (const id of own) this.#tails.set(id, left);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      for (const id of own) if (this.#tails.get(id) === left) this.#tails.delete(id);
      leave();
    }
  }
}
