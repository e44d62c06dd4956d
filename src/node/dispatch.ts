/** From a request to its handler, through the lane that it belongs to. */
import { methods, type MethodName } from '../wire/catalogue.js';
import type { Identity } from '../wire/identity.js';
import type { Dispatch } from '../wire/transport.js';
import type { Handler } from './handlers/handler.js';
import type { Lane, WorkerPool } from './pool.js';

/** A handler for every method of the catalogue. */
export type Handlers = { readonly [M in MethodName]: Handler<M> };

/** The one dispatch table of a peer. */
export function createDispatch(handlers: Handlers, pool: WorkerPool): Dispatch {
  return async (call) => {
    const handler = handlers[call.method];
    // A ping is answered whatever else there is to do: silence means death to those who ask.
    if (call.method === 'ping') return handler(call);
    return pool.run(laneOf(call.method, call.caller), call, () => handler(call));
  };
}

/** Data that a peer passes on ends here; what a user asks may fan out from here. See pool.ts for why that matters. */
function laneOf(method: MethodName, caller: Identity): Lane {
  if (methods[method].lane === 'ring') return 'ring';
  return caller.kind === 'peer' ? 'replica' : 'client';
}
