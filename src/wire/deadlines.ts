/**
 * Many deadlines, one timer.
 *
 * A timer for each of 100,000 requests a second would cost more than the requests. The one timer is set for the
 * earliest deadline known; when it fires, what is still waiting is looked through and the timer is set anew. As most
 * requests are answered long before their deadline, that happens about once in the length of a deadline.
 */
import type { Clock, Timer } from '../base/clock.js';

/** Something that waits, but not longer than this. */
export interface Expiring {
  /** On the clock's monotonic scale. */
  readonly deadlineMs: number;
}

/** The deadlines of the values of a map, which its owner fills and empties. */
export class Deadlines<T extends Expiring> {
  readonly #clock: Clock;
  readonly #waiting: ReadonlyMap<unknown, T>;
  readonly #expire: (item: T) => void;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;

  /** @param expire is called once for each item whose deadline has passed and which is still in the map. */
  constructor(clock: Clock, waiting: ReadonlyMap<unknown, T>, expire: (item: T) => void) {
    this.#clock = clock;
    this.#waiting = waiting;
    this.#expire = expire;
  }

  /** Says that an item with this deadline was put into the map. */
  watch(deadlineMs: number): void {
    if (deadlineMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#set(deadlineMs);
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
  }

  #set(deadlineMs: number): void {
    this.#timerAtMs = deadlineMs;
    // Whole milliseconds, rounded up: a timer that fires early finds nothing to do and has to be set again.
    const delayMs = Math.max(0, Math.ceil(deadlineMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.setTimer(delayMs, () => this.#look());
  }

  #look(): void {
    this.stop();
    const nowMs = this.#clock.monotonicMs();
    const passed: T[] = [];
    let nextMs = Infinity;
    for (const item of this.#waiting.values()) {
      if (item.deadlineMs <= nowMs) passed.push(item);
      else nextMs = Math.min(nextMs, item.deadlineMs);
    }
    if (nextMs !== Infinity) this.#set(nextMs);
    for (const item of passed) this.#expire(item);
  }
}
