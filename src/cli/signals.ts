/** SIGTERM and SIGINT: the first asks to finish, the second insists. */
import type { Logger } from '../base/log.js';
import { exitCodes } from './exit-codes.js';

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/**
 * Resolves with the name of the first signal, or when `isDone` fires; a signal after that ends the process at once.
 */
export function untilStopped(log: Logger, isDone: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
    isDone.addEventListener('abort', () => resolve('done'), { once: true });
    for (const signal of stopSignals) {
      process.on(signal, () => {
        if (asked) {
          log.warn('told to stop a second time; ending at once', { signal });
          process.exit(exitCodes.interrupted);
        }
        asked = true;
        resolve(signal);
      });
    }
  });
}

/** What a person at the keyboard, or the system, may do to a command. */
export interface Interruption {
  /** Fires at the first SIGINT or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** From now on the signals do again what they did before. */
  readonly forget: () => void;
}

/** Listens to SIGINT and SIGTERM. */
export function interruption(): Interruption {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
  };
  for (const signal of stopSignals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    forget: () => {
      for (const signal of stopSignals) process.off(signal, onSignal);
    },
  };
}
