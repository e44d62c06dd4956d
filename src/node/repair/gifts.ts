/**
 * What was given to other holders lately. Who lacks again what it was given has lost its disk, or keeps nothing: it is given
 * the same once more at once, and then after ever longer pauses, so that it cannot have others send without end.
 */
import type { Clock } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import type { Id } from '../../ring/identifier.js';

interface Gift {
  readonly times: number;
  readonly atMs: number;
}

export class Gifts {
  readonly #clock: Clock;
  /** By holder and value, those given last at the end. */
  readonly #given = new Map<string, Gift>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a holder may be given a value that it lacks. */
  mayGive(holder: Id, value: string): boolean {
    const gift = this.#recent(holder, value);
    if (gift === undefined || gift.times === 1) return true;
    return this.#clock.monotonicMs() - gift.atMs >= limits.giftPauseMs * 2 ** (gift.times - 2);
  }

  /** A holder was given a value. */
  gave(holder: Id, value: string): void {
    const times = (this.#recent(holder, value)?.times ?? 0) + 1;
    const name = nameOf(holder, value);
    this.#given.delete(name);
    this.#given.set(name, { times, atMs: this.#clock.monotonicMs() });
    for (const [oldest] of this.#given) {
      if (this.#given.size <= limits.giftsRemembered) break;
      this.#given.delete(oldest);
    }
  }

  #recent(holder: Id, value: string): Gift | undefined {
    const gift = this.#given.get(nameOf(holder, value));
    const isRecent = gift !== undefined && this.#clock.monotonicMs() - gift.atMs < limits.giftMemoryMs;
    return isRecent ? gift : undefined;
  }
}

function nameOf(holder: Id, value: string): string {
  return `${holder} ${value}`;
}
