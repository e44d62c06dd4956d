/** What happens at random moments, once or again and again, until it is over. */
import type { Clock, Timer } from '../../src/base/clock.js';
import { jittered, type Random, randomFraction } from '../../src/base/random.js';

export class Agenda {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Does something once, after about this long. */
  after(aboutMs: number, act: () => void): void {
    this.#at(jittered(this.#random, aboutMs, 0.9), act);
  }

  #at(delayMs: number, act: () => void): void {
    if (this.#isOver) return;
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }

  /** Does something again and again, each time after about this long; never when that is `Infinity`. */
  again(everyMs: number, act: () => void): void {
    if (everyMs === Infinity) return;
    this.after(everyMs, () => {
      act();
      this.again(everyMs, act);
    });
  }

  /** Does something again and again, each time independently of when it was done before: a Poisson process. */
  independently(meanMs: number, act: () => void): void {
    this.#at(-meanMs * Math.log(1 - randomFraction(this.#random)), () => {
      act();
      this.independently(meanMs, act);
    });
  }

  /** From now on nothing of it happens. */
  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
