/** Time as an argument: the logic never names the machine's clock, so that a simulator can replace it. */
import { PeerStoreError } from './errors.js';

/** A timer that was set. */
export interface Timer {
  /** Stops it; its function is not called any more. Harmless when it has fired. */
  cancel(): void;
}

/** The one source of time. */
export interface Clock {
  /** Wall time in milliseconds since 1970. It may jump: for what is shown to people and written into files. */
  nowMs(): number;
  /** Milliseconds that only ever grow, from an arbitrary start: for deadlines, intervals and durations. */
  monotonicMs(): number;
  /** Calls `action` once, `delayMs` from now. */
  setTimer(delayMs: number, action: () => void): Timer;
}

/** The machine's clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, action) => {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits.
 * @throws PeerStoreError CANCELLED when the signal fires first.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new PeerStoreError('CANCELLED', 'the wait was cancelled'));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(new PeerStoreError('CANCELLED', 'the wait was cancelled'));
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * The result of `work`, unless it takes longer than `timeoutMs`; the work is then told to stop through its signal.
 * @throws PeerStoreError TIMEOUT, naming `what`.
 */
export async function withTimeout<T>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimer(timeoutMs, () => {
      reject(new PeerStoreError('TIMEOUT', `${what} took longer than ${timeoutMs} ms`));
      controller.abort();
    });
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    timer?.cancel();
  }
}
