/**
 * Who had no room lately, or a disk that takes nothing: others stand in for them. A holder that has recovered is found out
 * when it is asked again, as it is in each survey, or by the time that is over.
 */
import type { Clock } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import type { Id } from '../../ring/identifier.js';

interface Refusal {
  /** When it refused something last, in monotonic time. */
  readonly atMs: number;
  /** Whether it has no room: whose disk fails may be offered as much as it can keep. */
  readonly isFull: boolean;
  /** When, and how often, it was offered something all the same. */
  readonly triedAtMs: number;
  readonly trials: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #refusals = new Map<Id, Refusal>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A peer has refused a copy.
   * @param isFull whether others will fare no better there: what a disk fails to keep, in one place of it, may be kept in another
   * @returns whether that is news.
   */
  refused(peer: Id, isFull: boolean): boolean {
    const isNews = !this.isRefusing(peer);
    const atMs = this.#clock.monotonicMs();
    const trials = isNews ? 0 : (this.#refusals.get(peer)?.trials ?? 0);
    this.#refusals.set(peer, { atMs, isFull, triedAtMs: atMs, trials });
    for (const [id] of this.#refusals) if (!this.isRefusing(id)) this.#refusals.delete(id);
    return isNews;
  }

  /** A peer has taken a copy. */
  accepted(peer: Id): void {
    this.#refusals.delete(peer);
  }

  isRefusing(peer: Id): boolean {
    const refusal = this.#refusals.get(peer);
    return refusal !== undefined && this.#clock.monotonicMs() - refusal.atMs < limits.refusalMemoryMs;
  }

  /**
   * Whether a peer may be offered a copy: one that has no room a single one ever more seldom, which shows whether it has
   * some again, for its disk may say no only when all bytes have come.
   */
  mayTry(peer: Id): boolean {
    const refusal = this.#refusals.get(peer);
    if (refusal?.isFull !== true || !this.isRefusing(peer)) return true;
    const triedAtMs = this.#clock.monotonicMs();
    const pauseMs = Math.min(limits.refusalTrialMs * 2 ** refusal.trials, limits.refusalMemoryMs / 2);
    if (triedAtMs - refusal.triedAtMs < pauseMs) return false;
    this.#refusals.set(peer, { ...refusal, triedAtMs, trials: refusal.trials + 1 });
    return true;
  }

  /** What a peer was to be offered could not be read: it may be offered something else at once. */
  wasNotTried(peer: Id): void {
    const refusal = this.#refusals.get(peer);
    if (refusal !== undefined) this.#refusals.set(peer, { ...refusal, triedAtMs: -Infinity });
  }
}
