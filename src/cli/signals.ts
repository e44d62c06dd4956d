/** SIGTERM and SIGINT: the first asks to finish, the second insists. */
import { setMaxListeners } from 'node:events';

import type { Logger } from '../base/log.js';
import { exitCodes } from './exit-codes.js';

const stopSignals = ['SIGTERM', 'SIGINT'] as const;

/** Resolves with the name of the first signal; a second one ends the process at once. */
export function untilStopped(log: Logger): Promise<string> {
  return new Promise((resolve) => {
    let asked = false;
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

/** A signal that fires at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // every request under way listens: that is no leak
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(exitCodes.interrupted);
      controller.abort();
    });
  }
  return controller.signal;
}
