/** Small things that the tests of the wire share. */
import { Duplex } from 'node:stream';

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

/** One end of a pipe: what is written to it can be read from the other end. */
class PipeEnd extends Duplex {
  other!: PipeEnd;
  #onRead: (() => void) | undefined;

  override _read(): void {
    const onRead = this.#onRead;
    this.#onRead = undefined;
    onRead?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    // Copied, as a network does. The writer waits while the reader has enough.
    if (this.other.push(Buffer.from(chunk))) done();
    else this.other.#onRead = done;
  }

  override _final(done: () => void): void {
    this.other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.other.destroyed) this.other.push(null);
    done(error);
  }
}

/** Two ends of a pipe. */
export function pipe(): [Duplex, Duplex] {
  const [a, b] = [new PipeEnd({ allowHalfOpen: false }), new PipeEnd({ allowHalfOpen: false })];
  a.other = b;
  b.other = a;
  return [a, b];
}

/** Waits until everything that is under way without timers has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
