/**
 * When each peer was last heard of. Every request that a peer makes and every answer that it gives, a refusal too, is a
 * sign of life; so whoever talks to us anyhow need not be asked whether it is there.
 */
import type { Clock } from '../base/clock.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { Transport } from '../wire/transport.js';
import { meansNoAnswer } from './liveness.js';

export class Contacts {
  readonly #clock: Clock;
  /** Heard last is last in the map; the first ones are forgotten when there are too many. */
  readonly #heardAtMs = new Map<Id, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The same transport, on which everything that comes from another peer is noted. */
  noting(transport: Transport): Transport {
    return {
      call: async (to, method, request, options) => {
        try {
          const reply = await transport.call(to, method, request, options);
          if (to.id !== undefined) this.hear(to.id);
          return reply;
        } catch (error) {
          if (to.id !== undefined && isRefusal(error)) this.hear(to.id);
          throw error;
        }
      },
      listen: (address, dispatch) =>
        transport.listen(address, (call) => {
          if (call.caller.kind === 'peer') for (const id of call.caller.ids) this.hear(id);
          return dispatch(call);
        }),
      close: () => transport.close(),
    };
  }

  /** Notes a sign of life. */
  hear(id: Id): void {
    this.#heardAtMs.delete(id);
    this.#heardAtMs.set(id, this.#clock.monotonicMs());
    if (this.#heardAtMs.size <= limits.contacts) return;
    const [oldest] = this.#heardAtMs.keys();
    if (oldest !== undefined) this.#heardAtMs.delete(oldest);
  }

  /** For how long nothing has been heard of a peer, in milliseconds; Infinity when nothing ever was. */
  silentMs(id: Id): number {
    const heardAtMs = this.#heardAtMs.get(id);
    return heardAtMs === undefined ? Infinity : this.#clock.monotonicMs() - heardAtMs;
  }
}

/** Whether the other side itself said no: CANCELLED is our own doing, and USAGE an address that nobody can have. */
function isRefusal(error: unknown): boolean {
  return error instanceof PeerStoreError && !meansNoAnswer(error) && !hasCode(error, 'CANCELLED', 'USAGE');
}
