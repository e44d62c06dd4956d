/**
 * One request at the side that answers it: whether it may be carried out, and what its outcome looks like as a frame.
 * Both transports go through here, so that a request meets the same checks in the same order on each.
 */
import { assert, PeerStoreError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { BodyMemory } from './body-memory.js';
import { isMethodName, type MethodName, methods, type RequestOf } from './catalogue.js';
import type { MethodSpec } from './method-spec.js';
import { toWireError } from './errors.js';
import { encodeFrame, type RequestHeader } from './frame.js';
import type { Identity } from './identity.js';
import type { Dispatch, IncomingCall } from './transport.js';

/** A frame that is ready to be sent. */
export interface OutgoingFrame {
  /** Prefix and header. */
  readonly frame: Uint8Array;
  readonly body: Uint8Array;
}

/** A Reply below the layers that know the types of each method. */
export interface UntypedReply {
  readonly response: unknown;
  readonly body: Uint8Array;
}

const noBytes = new Uint8Array(0);

/** What the catalogue says of a method whose types do not matter here. */
export function specOf(method: MethodName): MethodSpec<unknown, unknown> {
  return methods[method];
}

/** A request that has passed the checks, as its handler sees it. */
export class AdmittedCall implements IncomingCall {
  readonly method: MethodName;
  readonly request: RequestOf<MethodName>;
  readonly caller: Identity;
  #body: Uint8Array = noBytes;
  #memory: BodyMemory | undefined;
  #abandoned: PeerStoreError | undefined;
  #controller: AbortController | undefined;

  /** @param request as the method's codec read it */
  constructor(method: MethodName, request: unknown, caller: Identity) {
    this.method = method;
    this.request = request as RequestOf<MethodName>;
    this.caller = caller;
  }

  get body(): Uint8Array {
    return this.#body;
  }

  /** @param memory where the body's bytes may be used again, if anywhere */
  setBody(body: Uint8Array, memory?: BodyMemory): void {
    this.#body = body;
    this.#memory = memory;
  }

  releaseBody(): void {
    const body = this.#body;
    this.#body = noBytes;
    this.#memory?.giveBack(body);
    this.#memory = undefined;
  }

  /** Made when it is first asked for: most handlers never do, and a controller costs as much as a small request. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abandoned !== undefined) this.#controller.abort(this.#abandoned);
    }
    return this.#controller.signal;
  }

  get isAbandoned(): boolean {
    return this.#abandoned !== undefined;
  }

  /** Fires the signal: nobody will read the answer. */
  abandon(reason: PeerStoreError): void {
    if (this.#abandoned !== undefined) return;
    this.#abandoned = reason;
    this.#controller?.abort(reason);
  }
}

/**
 * Checks a request before its body is taken, in this order: the method, the caller, the request, the body's length.
 * @throws PeerStoreError PROTOCOL or FORBIDDEN: the answer to the request; the connection stays.
 */
export function admit(header: RequestHeader, bodyBytes: number, caller: Identity): AdmittedCall {
  const { method } = header;
  if (!isMethodName(method)) {
    throw new PeerStoreError('PROTOCOL', `there is no method "${method}" in this version`);
  }
  const spec = specOf(method);
  if (!spec.callers.includes(caller.kind)) {
    throw new PeerStoreError('FORBIDDEN', `${method} is not for a ${caller.kind}`);
  }
  const request = spec.request.decode(header.params, method);
  if (bodyBytes > spec.requestBodyBytes) throw bodyTooLong(method, bodyBytes, spec.requestBodyBytes);
  return new AdmittedCall(method, request, caller);
}

/** The error for a body that the catalogue does not allow. */
export function bodyTooLong(method: MethodName, bodyBytes: number, mostBytes: number): PeerStoreError {
  return new PeerStoreError('PROTOCOL', `${method} with a body of ${bodyBytes} bytes; at most ${mostBytes}`);
}

/**
 * Carries out a request. Never rejects.
 * @returns the frame that answers it, or undefined when the request was abandoned meanwhile.
 */
export async function serve(
  dispatch: Dispatch,
  call: AdmittedCall,
  id: number,
  log: Logger,
): Promise<OutgoingFrame | undefined> {
  try {
    const outcome = await dispatch(call);
    if (call.isAbandoned) return undefined;
    const spec = specOf(call.method);
    const body = outcome.body ?? noBytes;
    assert(body.length <= spec.responseBodyBytes, `an answer to ${call.method} keeps to its body's limit`);
    const params = spec.response.encode(outcome.response);
    return { frame: encodeFrame({ kind: 'answer', id, params }, body.length), body };
  } catch (error) {
    return call.isAbandoned ? undefined : errorFrame(id, error, call.method, log);
  }
}

/** The frame that answers a request with an error; see {@link toWireError}. */
export function errorFrame(id: number, error: unknown, doing: string, log: Logger): OutgoingFrame {
  return { frame: encodeFrame({ kind: 'error', id, ...toWireError(error, doing, log) }, 0), body: noBytes };
}
