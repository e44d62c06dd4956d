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
/** How far pauses differ, so that those who were refused together do not come back together. */
const jitterShare = 0.3;

/** Whether the same request may succeed a little later, perhaps at another peer. */
export function isPassing(error: unknown): error is PeerStoreError {
  return hasCode(error, 'BUSY', 'NOT_RESPONSIBLE', 'UNREACHABLE', 'TIMEOUT', 'TOO_FEW_COPIES', 'UNSETTLED');
}

/** Whether a peer was asked too much at once. */
export function isBusy(error: unknown): error is PeerStoreError {
  return hasCode(error, 'BUSY');
}

/**
 * Does something until it succeeds, fails for good, or the time is up. It has to be harmless to do twice.
 * @param mayPass which failures are worth another attempt
 * @throws what the last attempt threw; CANCELLED when the signal fires.
 */
export async function retrying<T>(
  options: RetryOptions,
  attempt: () => Promise<T>,
  mayPass: (error: unknown) => error is PeerStoreError = isPassing,
): Promise<T> {
  const { clock, random, retryForMs, signal } = options;
  const since = clock.monotonicMs();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'cancelled');
    try {
      return await attempt();
    } catch (error) {
      const leftMs = since + retryForMs - clock.monotonicMs();
      const hintMs = mayPass(error) ? (error.retryAfterMs ?? 0) : Infinity;
      if (leftMs <= 0 || hintMs > leftMs) throw error;
      await sleep(clock, Math.min(leftMs, jittered(random, Math.max(pauseMs, hintMs), jitterShare)), signal);
    }
  }
}
