/** Things that a peer does again and again: jittered, never twice at once, and never ended by a failure. */
import type { Clock, Timer } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';

export interface PeriodicOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A share of the interval by which each round is early or late, so that peers do not fall into step. */
const jitterShare = 0.3;

/** An action that repeats until it is stopped. */
export class Periodic {
  readonly #options: PeriodicOptions;
  readonly #name: string;
  readonly #intervalMs: number;
  readonly #action: () => Promise<void>;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  /** @param intervalMs the time between the end of one round and the beginning of the next, on average */
  constructor(options: PeriodicOptions, name: string, intervalMs: number, action: () => Promise<void>) {
    this.#options = options;
    this.#name = name;
    this.#intervalMs = intervalMs;
    this.#action = action;
  }

  /** Begins; the first round comes after one interval. */
  start(): void {
    this.#schedule();
  }

  /** Ends the repetition, and waits for a round that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#options;
    this.#timer = clock.setTimer(jittered(random, this.#intervalMs, jitterShare), () => {
      this.#running = this.#round();
    });
  }

  async #round(): Promise<void> {
    try {
      await this.#action();
    } catch (error) {
      this.#options.log.warn(`${this.#name} failed; it will be tried again`, { error: messageOf(error) });
    }
    this.#schedule();
  }
}
