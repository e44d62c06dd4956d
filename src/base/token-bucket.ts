/** A bound on how many bytes pass a second. */
import { type Clock, sleep } from './clock.js';

/** Bytes that may pass at once after a pause: a quarter of a second's worth. */
const burstSeconds = 0.25;

/**
 * A token bucket that may be in debt: whoever takes more than there is waits until the debt is paid, and those behind
 * wait in their order. So a body larger than the bucket passes too, and the average holds.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  #bytes: number;
  #atMs: number;
  #last: Promise<void> = Promise.resolve();

  /** @param bytesPerS at least 1 */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerS / 1000;
    this.#burstBytes = bytesPerS * burstSeconds;
    this.#bytes = this.#burstBytes;
    this.#atMs = clock.monotonicMs();
  }

  /**
   * Takes the bytes, and resolves when they may pass.
   * @throws PeerStoreError CANCELLED when the signal fires first; the bytes stay taken.
   */
  take(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    const mine = this.#last.then(() => this.#take(sizeBytes, signal));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #take(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const earned = (nowMs - this.#atMs) * this.#bytesPerMs;
    this.#bytes = Math.min(this.#burstBytes, this.#bytes + earned) - sizeBytes;
    this.#atMs = nowMs;
    if (this.#bytes < 0) await sleep(this.#clock, -this.#bytes / this.#bytesPerMs, signal);
  }
}
