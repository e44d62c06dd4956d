/**
 * Things that a peer does again and again: jittered, never twice at once, and never ended by a failure.
 *
 * A round says whether it found news. While there are none, the pause before the next one doubles, up to the longest;
 * news, or being woken, bring it back to the shortest. So a ring in motion is looked after closely, and a quiet one
 * nearly costs nothing.
 */
import type { Clock, Timer } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';

export interface PeriodicOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The pause between the end of one round and the beginning of the next, on average. */
export interface Interval {
  readonly shortestMs: number;
  /** Infinity: after a round without news there is none until somebody wakes it, and no timer is set. */
  readonly longestMs: number;
}

/** A share of the pause by which each round is early or late, so that peers do not fall into step. */
export const jitterShare = 0.3;

/** An action that repeats until it is stopped. */
export class Periodic {
  readonly #options: PeriodicOptions;
  readonly #name: string;
  readonly #interval: Interval;
  readonly #action: () => Promise<boolean>;
  #pauseMs: number;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #phase: 'new' | 'waiting' | 'in a round' | 'stopped' = 'new';
  #wakings = 0;

  /** @param action one round; resolves with whether it found news */
  constructor(options: PeriodicOptions, name: string, interval: Interval, action: () => Promise<boolean>) {
    this.#options = options;
    this.#name = name;
    this.#interval = interval;
    this.#action = action;
    this.#pauseMs = interval.shortestMs;
  }

  /** Begins; the first round comes after the shortest pause. */
  start(): void {
    this.#wait(this.#interval.shortestMs);
  }

  /** Something has happened: the next round comes after the shortest pause. During a round, it is the one after it. */
  wake(): void {
    this.#wakings += 1;
    if (this.#phase !== 'waiting' || this.#pauseMs <= this.#interval.shortestMs) return;
    this.#wait(this.#interval.shortestMs);
  }

  /** Ends the repetition, and waits for a round that is under way. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#timer?.cancel();
    await this.#running;
  }

  #wait(pauseMs: number): void {
    if (this.#phase === 'stopped') return;
    this.#phase = 'waiting';
    this.#pauseMs = pauseMs;
    this.#timer?.cancel();
    if (pauseMs === Infinity) return;
    const { clock, random } = this.#options;
    this.#timer = clock.setTimer(jittered(random, pauseMs, jitterShare), () => {
      this.#running = this.#round();
    });
  }

  async #round(): Promise<void> {
    const { shortestMs, longestMs } = this.#interval;
    this.#phase = 'in a round';
    const wakings = this.#wakings;
    let nextPauseMs = Math.min(2 * this.#pauseMs, longestMs);
    try {
      if (await this.#action()) nextPauseMs = shortestMs;
      else if (longestMs === Infinity) nextPauseMs = Infinity;
    } catch (error) {
      this.#options.log.warn(`${this.#name} failed; it will be tried again`, { error: messageOf(error) });
    }
    this.#wait(this.#wakings > wakings ? shortestMs : nextPauseMs);
  }
}
