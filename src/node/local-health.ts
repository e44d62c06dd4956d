/**
 * Whether this peer itself is the slow one. A peer that was paused, or whose network is gone, finds everybody else
 * silent; it must not take them for dead. So the outcome of its own questions and the lateness of its own timers say how
 * far it may be trusted, and whoever waits for others waits that many times longer. (The local health multiplier of
 * Dadgar, Phillips and Currey, "Lifeguard: Local health awareness for more accurate failure detection", 2017.)
 */
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';

export class LocalHealth {
  readonly #clock: Clock;
  /** Who has left a question unanswered since anybody last answered one. */
  readonly #silent = new Set<Id>();
  #answeredAtMs = -Infinity;
  #pausedAtMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody has answered a question of ours. */
  answered(): void {
    this.#silent.clear();
    this.#answeredAtMs = this.#clock.monotonicMs();
  }

  /** A question to this peer was not answered. */
  unanswered(id: Id): void {
    if (this.#silent.size < limits.healthMultiplierMax) this.#silent.add(id);
  }

  /**
   * How many times longer than usual to wait before somebody else is called dead: 1 to `limits.healthMultiplierMax`. One
   * silent peer says nothing about us, and neither do many while others answer.
   */
  get multiplier(): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#pausedAtMs < limits.healthPauseMs) return limits.healthMultiplierMax;
    if (nowMs - this.#answeredAtMs < limits.healthAnswerMs) return 1;
    return Math.max(1, this.#silent.size);
  }

  /** Whether this process has stood still at some time after `sinceMs` of the clock that only grows. */
  wasPausedSince(sinceMs: number): boolean {
    return this.#pausedAtMs > sinceMs;
  }

  /** The same clock, on which a timer that fires late tells that the process has stood still. */
  watching(clock: Clock): Clock {
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, action) => {
        const dueMs = clock.monotonicMs() + delayMs;
        return clock.setTimer(delayMs, () => {
          const nowMs = clock.monotonicMs();
          if (nowMs - dueMs >= limits.healthLateMs) this.#pausedAtMs = nowMs;
          action();
        });
      },
    };
  }
}
