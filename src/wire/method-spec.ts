/** What is said of a method of the catalogue. */
import type { Codec } from '../base/codec.js';
import type { CallerKind } from './identity.js';

/** What the dispatcher and the transports need to know of a method. */
export interface MethodSpec<Request, Response> {
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
  /** Who may call it. Everybody else gets FORBIDDEN. */
  readonly callers: readonly CallerKind[];
  /** The most bytes that may follow the header of a request, and of an answer. */
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
  /** The deadline when the caller names none. */
  readonly timeoutMs: number;
  /** `ring`: keeps the ring in order, and has a lane of its own. `data`: passes the bounded pool. */
  readonly lane: 'ring' | 'data';
}

/** A method, with what most of them have in common. */
export function method<Request, Response>(
  spec: Pick<MethodSpec<Request, Response>, 'request' | 'response' | 'callers' | 'lane'> &
    Partial<MethodSpec<Request, Response>>,
): MethodSpec<Request, Response> {
  return {
    requestBodyBytes: 0,
    responseBodyBytes: 0,
    timeoutMs: spec.lane === 'ring' ? 3_000 : 30_000,
    ...spec,
  };
}
