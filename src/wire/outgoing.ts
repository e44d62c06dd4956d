/** The calls that this side of one connection has made and that are not answered yet. */
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { MethodName } from './catalogue.js';
import { Deadlines, type Expiring } from './deadlines.js';
import { fromWireError } from './errors.js';
import { type AnswerHeader, encodeFrame, type ErrorHeader, requestIdMax } from './frame.js';
import type { Outbox } from './outbox.js';
import { bodyTooLong, specOf, type UntypedReply } from './serve.js';
import type { CallOptions } from './transport.js';

const noBytes = new Uint8Array(0);

/** UNREACHABLE for a call of which nothing was written: it was certainly not carried out. */
export class UnsentError extends PeerStoreError {
  constructor(reason: PeerStoreError) {
    super(reason.code, reason.message, { cause: reason });
  }
}

/** A call as it is made, checked. */
export interface CheckedCall {
  readonly body: Uint8Array;
  /** From now. */
  readonly timeoutMs: number;
}

/**
 * What a call's options come to.
 * @throws PeerStoreError PROTOCOL when the body is longer than the method's, CANCELLED when the signal has fired.
 */
export function checkCall(method: MethodName, options: CallOptions): CheckedCall {
  const spec = specOf(method);
  const body = options.body ?? noBytes;
  if (body.length > spec.requestBodyBytes) throw bodyTooLong(method, body.length, spec.requestBodyBytes);
  if (options.signal?.aborted === true) throw cancelled(method);
  const timeoutMs = Math.ceil(options.timeoutMs ?? spec.timeoutMs);
  return { body, timeoutMs: Math.min(limits.requestTimeoutMaxMs, Math.max(0, timeoutMs)) };
}

/** The error of a call whose signal fired. */
export function cancelled(method: MethodName): PeerStoreError {
  return new PeerStoreError('CANCELLED', `${method} was cancelled`);
}

/** The error of a call whose deadline passed. */
export function timedOut(method: MethodName, remote: string, timeoutMs: number): PeerStoreError {
  return new PeerStoreError('TIMEOUT', `${method} at ${remote} took longer than ${timeoutMs} ms`);
}

/**
 * The reply in an answer's header and body.
 * @throws PeerStoreError PROTOCOL when the answer has another shape.
 */
export function toReply(method: MethodName, header: AnswerHeader, body: Uint8Array): UntypedReply {
  const response = specOf(method).response.decode(header.params, `the answer to ${method}`);
  return { response, body };
}

interface Pending extends Expiring {
  readonly id: number;
  readonly method: MethodName;
  readonly params: unknown;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly resolve: (reply: UntypedReply) => void;
  readonly reject: (error: unknown) => void;
  /** Stops listening to the caller's signal. */
  detach: (() => void) | undefined;
  /** Stops waiting for room in the outbox: what has ended must not keep its body in memory. */
  withdraw: (() => void) | undefined;
  /** From the outbox, once the request is queued there. */
  ticket: number | undefined;
}

/** Makes the calls of one connection. */
export class OutgoingCalls {
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #pending = new Map<number, Pending>();
  readonly #deadlines: Deadlines<Pending>;
  #lastId = 0;

  /** @param remote the other side, for messages */
  constructor(clock: Clock, remote: string, outbox: Outbox) {
    this.#clock = clock;
    this.#outbox = outbox;
    this.#deadlines = new Deadlines(clock, this.#pending, (pending) =>
      this.#giveUp(pending, timedOut(pending.method, remote, pending.timeoutMs)),
    );
  }

  /** Calls that wait for their answer. */
  get size(): number {
    return this.#pending.size;
  }

  /** See Transport.call. Rejects with {@link UnsentError} when the connection breaks before the request is written. */
  call(method: MethodName, request: unknown, options: CallOptions): Promise<UntypedReply> {
    return new Promise((resolve, reject) => {
      // What is thrown in here rejects the promise.
      const { body, timeoutMs } = checkCall(method, options);
      const pending: Pending = {
        id: this.#freeId(),
        method,
        params: specOf(method).request.encode(request),
        body,
        timeoutMs,
        deadlineMs: this.#clock.monotonicMs() + timeoutMs,
        resolve,
        reject,
        detach: undefined,
        withdraw: undefined,
        ticket: undefined,
      };
      this.#pending.set(pending.id, pending);
      this.#deadlines.watch(pending.deadlineMs);
      const { signal } = options;
      if (signal !== undefined) {
        const onAbort = (): void => this.#giveUp(pending, cancelled(method));
        signal.addEventListener('abort', onAbort, { once: true });
        pending.detach = () => signal.removeEventListener('abort', onAbort);
      }
      pending.withdraw = this.#outbox.whenRoom(() => this.#send(pending));
    });
  }

  /**
   * The header of an answer or an error has come.
   * @returns whether its body is wanted: not when nobody waits for it any more, or when it is too long.
   */
  begin(header: AnswerHeader | ErrorHeader, bodyBytes: number): boolean {
    const pending = this.#pending.get(header.id);
    if (pending === undefined) return false;
    const mostBytes = header.kind === 'answer' ? specOf(pending.method).responseBodyBytes : 0;
    if (bodyBytes <= mostBytes) return true;
    this.#settle(pending);
    pending.reject(bodyTooLong(pending.method, bodyBytes, mostBytes));
    return false;
  }

  /** An answer or an error is complete. */
  finish(header: AnswerHeader | ErrorHeader, body: Uint8Array): void {
    const pending = this.#pending.get(header.id);
    // It may have timed out while the body arrived.
    if (pending === undefined) return;
    this.#settle(pending);
    if (header.kind === 'error') {
      pending.reject(fromWireError(header));
      return;
    }
    try {
      pending.resolve(toReply(pending.method, header, body));
    } catch (error) {
      pending.reject(error);
    }
  }

  /** The connection is gone: every call ends with this error. */
  failAll(error: PeerStoreError): void {
    this.#deadlines.stop();
    for (const pending of [...this.#pending.values()]) {
      this.#settle(pending);
      const isWritten = pending.ticket !== undefined && this.#outbox.wasWritten(pending.ticket);
      pending.reject(isWritten ? error : new UnsentError(error));
    }
  }

  #freeId(): number {
    do this.#lastId = this.#lastId >= requestIdMax ? 1 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #send(pending: Pending): void {
    const { id, method, params, body } = pending;
    // Time spent waiting for room is the caller's, not the other side's.
    const timeoutMs = Math.max(0, Math.ceil(pending.deadlineMs - this.#clock.monotonicMs()));
    try {
      const frame = encodeFrame({ kind: 'request', id, method, timeoutMs, params }, body.length);
      pending.ticket = this.#outbox.add(frame, body);
    } catch (error) {
      this.#settle(pending);
      pending.reject(error);
    }
  }

  #giveUp(pending: Pending, error: PeerStoreError): void {
    this.#settle(pending);
    pending.reject(error);
    if (pending.ticket !== undefined) {
      this.#outbox.add(encodeFrame({ kind: 'cancel', id: pending.id }, 0), noBytes);
    }
  }

  #settle(pending: Pending): void {
    this.#pending.delete(pending.id);
    pending.detach?.();
    pending.withdraw?.();
  }
}
