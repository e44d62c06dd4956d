/** Small things that the tests of the wire share. */
import { systemClock } from '../../src/base/clock.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { createLogger, type Logger } from '../../src/base/log.js';
import type { Dispatch, IncomingCall, Outcome } from '../../src/wire/transport.js';

/** A promise that is settled from outside. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

/** The error that a call ends with. @throws Error when it does not end with one of ours. */
export async function failureOf(call: Promise<unknown>): Promise<PeerStoreError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof PeerStoreError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

/** One handler for every method. What it returns is taken for the answer of the method that was called. */
export function dispatchWith(handler: (call: IncomingCall) => Promise<Outcome<never>>): Dispatch {
  return (call: IncomingCall) => handler(call);
}

/** A logger that keeps the lines of one level and above. */
export function collectingLogger(level: 'error' | 'warn'): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({ level, format: 'text', clock: systemClock, write: (line) => lines.push(line) });
  return { log, lines };
}
