/** What a holder is owed that is busy: it lives, and is better placed than whoever would stand in for it. */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { jittered, type Random } from '../base/random.js';

export interface PatienceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Asks a holder again, a few times, while it is busy. @throws what it says in the end, PeerStoreError CANCELLED. */
export async function untilNotBusy<T>(
  ask: () => Promise<T>,
  { clock, random, signal }: PatienceOptions,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!hasCode(error, 'BUSY') || attempt >= limits.copyBusyRetries) throw error;
      const waitMs = Math.min(error.retryAfterMs ?? limits.busyRetryAfterMs, limits.copyBusyWaitMs);
      await sleep(clock, jittered(random, waitMs, 0.5), signal);
    }
  }
}
