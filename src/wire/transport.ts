/**
 * The contract between a peer or a client and the network. TLS (tls.ts) and memory (memory.ts) implement it and pass
 * the same conformance suite; wrappers (retry, faults, counting) keep it.
 *
 * - A call ends once: with an answer, or with a PeerStoreError. UNREACHABLE: no connection, or it broke (the request
 *   may or may not have been carried out). TIMEOUT: the deadline passed. CANCELLED: the caller's signal fired.
 *   NOT_ADMITTED: the other side is not who `to` says, or refused us. Every other code is the handler's own.
 * - When a call is cancelled or times out at the caller, the handler's signal fires.
 * - Requests on one connection are handled concurrently and may be answered in any order.
 * - A body that a call returns, or a handler is given, belongs to the receiver.
 */
import type { Id } from '../ring/identifier.js';
import type { MethodName, RequestOf, ResponseOf } from './catalogue.js';
import type { Identity } from './identity.js';

/** Whom to call. */
export interface Endpoint {
  /** `host:port`; an empty host is this machine. */
  readonly address: string;
  /** The place on the ring that the other side has to prove; without it, any peer of the ring will do. */
  readonly id?: Id;
}

export interface CallOptions {
  /** The bytes behind the request's header. */
  readonly body?: Uint8Array;
  /** Instead of the method's own deadline. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An answer, and the bytes behind its header (empty when there are none). */
export interface Reply<M extends MethodName> {
  readonly response: ResponseOf<M>;
  readonly body: Uint8Array;
}

/** A request as its handler sees it. */
export interface IncomingCall<M extends MethodName = MethodName> {
  readonly method: M;
  readonly request: RequestOf<M>;
  readonly body: Uint8Array;
  readonly caller: Identity;
  /**
   * Says that nobody looks at the body any more: its memory may hold the next one. Worth it for large bodies; without it
   * the body simply belongs to the handler.
   */
  releaseBody?(): void;
  /** Fires when the caller gave up, the deadline passed or the connection broke: nobody will read the answer. */
  readonly signal: AbortSignal;
}

/** What a handler returns: an answer, with bytes behind it if the method has any. */
export interface Outcome<M extends MethodName = MethodName> {
  readonly response: ResponseOf<M>;
  readonly body?: Uint8Array;
}

/**
 * Carries out one request. A PeerStoreError reaches the caller with its code and message; anything else becomes
 * INTERNAL there and is logged here. Requests of callers that the catalogue does not admit never get here.
 */
export type Dispatch = <M extends MethodName>(call: IncomingCall<M>) => Promise<Outcome<M>>;

/** A transport that was told to listen. */
export interface Listener {
  /** Where it listens, with the real port: `host:port`. */
  readonly address: string;
  /** Accepts no more, gives requests in hand `graceMs` to end, and closes every connection it accepted. */
  close(graceMs: number): Promise<void>;
}

export interface Transport {
  /**
   * Calls a method.
   * @throws PeerStoreError as the contract above says.
   */
  call<M extends MethodName>(
    to: Endpoint,
    method: M,
    request: RequestOf<M>,
    options?: CallOptions,
  ): Promise<Reply<M>>;
  /**
   * Accepts calls at `host:port`; port 0 picks one, an empty host is every interface.
   * @throws PeerStoreError IN_USE when the port is taken, USAGE when the address makes no sense.
   */
  listen(address: string, dispatch: Dispatch): Promise<Listener>;
  /** Closes the connections that calls opened. Calls in hand end with CANCELLED. */
  close(): Promise<void>;
}
