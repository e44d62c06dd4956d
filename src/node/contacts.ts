/**
 * When each peer was last heard of. Every request that a peer makes and every answer that it gives, a refusal too, is a
 * sign of life; so whoever talks to us anyhow need not be asked whether it is there.
 */
import type { Clock } from '../base/clock.js';
import { hasCode, isFailure } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { Transport } from '../wire/transport.js';
import { meansNoAnswer } from '../wire/errors.js';
import type { LocalHealth } from './local-health.js';

/** When a peer was last heard, and when it last answered a question of ours, on the clock that only grows. */
interface Contact {
  readonly heardAtMs: number;
  readonly answeredAtMs: number;
}

export class Contacts {
  readonly #clock: Clock;
  readonly #health: LocalHealth;
  /** Heard last is last in the map; the first ones are forgotten when there are too many. */
  readonly #contacts = new Map<Id, Contact>();

  /** @param health is told what becomes of our own questions */
  constructor(clock: Clock, health: LocalHealth) {
    this.#clock = clock;
    this.#health = health;
  }

  /** The same transport, on which everything that comes from another peer is noted. */
  noting(transport: Transport): Transport {
    return {
      call: async (to, method, request, options) => {
        try {
          const reply = await transport.call(to, method, request, options);
          this.#answered(to.id);
          return reply;
        } catch (error) {
          if (isRefusal(error)) this.#answered(to.id);
          else if (to.id !== undefined && meansNoAnswer(error)) this.#health.unanswered(to.id);
          throw error;
        }
      },
      listen: (address, dispatch) =>
        transport.listen(address, (call) => {
          if (call.caller.kind === 'peer') for (const id of call.caller.ids) this.#note(id, false);
          return dispatch(call);
        }),
      close: () => transport.close(),
    };
  }

  /** For how long nothing has been heard of a peer, in milliseconds; Infinity when nothing ever was. */
  silentMs(id: Id): number {
    return this.#clock.monotonicMs() - (this.#contacts.get(id)?.heardAtMs ?? -Infinity);
  }

  /** For how long a peer has answered no question of ours, in milliseconds; Infinity when it never did. */
  unansweredMs(id: Id): number {
    return this.#clock.monotonicMs() - (this.#contacts.get(id)?.answeredAtMs ?? -Infinity);
  }

  /** Somebody has answered; it is not known who where only the address was. */
  #answered(id: Id | undefined): void {
    this.#health.answered();
    if (id !== undefined) this.#note(id, true);
  }

  #note(id: Id, hasAnswered: boolean): void {
    const heardAtMs = this.#clock.monotonicMs();
    const answeredAtMs = hasAnswered ? heardAtMs : (this.#contacts.get(id)?.answeredAtMs ?? -Infinity);
    this.#contacts.delete(id);
    this.#contacts.set(id, { heardAtMs, answeredAtMs });
    if (this.#contacts.size <= limits.contacts) return;
    const [oldest] = this.#contacts.keys();
    if (oldest !== undefined) this.#contacts.delete(oldest);
  }
}

/** Whether the other side itself said no: CANCELLED is our own doing, and USAGE an address that nobody can have. */
function isRefusal(error: unknown): boolean {
  return isFailure(error) && !meansNoAnswer(error) && !hasCode(error, 'USAGE');
}
