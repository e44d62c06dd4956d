/** How fast copies are moved: within the operator's bound, and behind the clients that are being served. */
import { type Clock, sleep } from '../../base/clock.js';
import { limits } from '../../base/limits.js';
import { TokenBucket } from '../../base/token-bucket.js';

export interface PaceOptions {
  readonly clock: Clock;
  /** Undefined is no bound. */
  readonly bytesPerS?: number;
  /** Whether clients wait for this peer. */
  readonly isBusy: () => boolean;
}

const yieldStepMs = 25;

export class Pace {
  readonly #options: PaceOptions;
  readonly #bucket: TokenBucket | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
    const { clock, bytesPerS } = options;
    this.#bucket = bytesPerS === undefined ? undefined : new TokenBucket(clock, bytesPerS);
  }

  /** Resolves when so many bytes may be moved. @throws PeerStoreError CANCELLED. */
  async mayMove(sizeBytes: number, signal: AbortSignal): Promise<void> {
    await this.#bucket?.take(sizeBytes, signal);
    const { clock, isBusy } = this.#options;
    for (let waitedMs = 0; waitedMs < limits.repairYieldMs && isBusy(); waitedMs += yieldStepMs)
      await sleep(clock, yieldStepMs, signal);
  }
}
