/** Trying again: what a ring in motion or a busy peer refuses now, it takes in a moment. */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { jittered, type Random } from '../base/random.js';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** No new attempt is begun after this long. */
  readonly retryForMs: number;
  readonly signal?: AbortSignal;
}

/** The first pause where the other side gave no hint, and the longest one. It doubles in between. */
const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Whether the same request may succeed a little later, perhaps at another peer. */
export function isPassing(error: unknown): error is PeerStoreError {
  return hasCode(error, 'BUSY', 'NOT_RESPONSIBLE', 'UNREACHABLE', 'TIMEOUT', 'TOO_FEW_COPIES', 'UNSETTLED');
}

/**
 * Does something until it succeeds, fails for good, or the time is up. It has to be harmless to do twice.
 * @throws what the last attempt threw; CANCELLED when the signal fires.
 */
export async function retrying<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { clock, random, retryForMs, signal } = options;
  const since = clock.monotonicMs();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'cancelled');
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error) || clock.monotonicMs() - since >= retryForMs) throw error;
      await sleep(clock, jittered(random, Math.max(pauseMs, error.retryAfterMs ?? 0), 0.3), signal);
    }
  }
}
