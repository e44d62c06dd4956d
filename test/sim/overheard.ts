/** What peers ask and answer each other, for rules about it. */
import type { MethodName } from '../../src/wire/catalogue.js';
import type { Identity } from '../../src/wire/identity.js';
import type { Transport } from '../../src/wire/transport.js';

/** Who listens to one process. */
export interface Ear {
  /** It asks somebody. @returns called when it has an answer, or will have none. */
  asks(method: MethodName): () => void;
  /** It has answered somebody, and has not refused to. */
  answers(method: MethodName, caller: Identity): void;
}

/** A peer's connections, with somebody listening. */
export function overheard(transport: Transport, ear: Ear): Transport {
  return {
    call: async (to, method, request, options) => {
      const isOver = ear.asks(method);
      try {
        return await transport.call(to, method, request, options);
      } finally {
        isOver();
      }
    },
    listen: (address, dispatch) =>
      transport.listen(address, async (call) => {
        const outcome = await dispatch(call);
        ear.answers(call.method, call.caller);
        return outcome;
      }),
    close: () => transport.close(),
  };
}
