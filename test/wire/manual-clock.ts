/** A clock that a test moves. */
import type { Clock, Timer } from '../../src/base/clock.js';

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  readonly #startMs: number;
  #nowMs = 0;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  /** @param startMs the wall time at which it begins */
  constructor(startMs = 1_900_000_000_000) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const waiting = { atMs: this.#nowMs + Math.max(0, delayMs), order: (this.#order += 1), action };
    this.#waiting.add(waiting);
    return { cancel: () => this.#waiting.delete(waiting) };
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#waiting.size;
  }

  /** Moves time on; the timers on the way fire in their order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#waiting].filter((waiting) => waiting.atMs <= endMs);
      const [next] = due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (next === undefined) break;
      this.#waiting.delete(next);
      this.#nowMs = next.atMs;
      next.action();
    }
    this.#nowMs = endMs;
  }
}
