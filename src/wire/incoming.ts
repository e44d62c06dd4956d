/** The requests that the other side of one connection has made and that are not answered yet. */
import type { Clock } from '../base/clock.js';
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { BodyMemory } from './body-memory.js';
import type { ByteBudget } from './budget.js';
import { Deadlines, type Expiring } from './deadlines.js';
import type { RequestHeader } from './frame.js';
import type { Identity } from './identity.js';
import { admit, type AdmittedCall, errorFrame, type OutgoingFrame, serve } from './serve.js';
import type { Dispatch } from './transport.js';

export interface IncomingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly caller: Identity;
  readonly dispatch: Dispatch | undefined;
  /** For the bodies of requests. */
  readonly budget: ByteBudget;
  /** Where those bodies are put, and go back to. */
  readonly bodies: BodyMemory;
  /** Sends an answer. @returns false when there is no memory to keep it in until the other side takes it. */
  readonly send: (frame: OutgoingFrame) => boolean;
  /** Lets the rest of a body that is still arriving pass by. */
  readonly dropBody: () => void;
  /** Called whenever the last request in hand has ended. */
  readonly onIdle: () => void;
}

interface InHand extends Expiring {
  readonly id: number;
  readonly call: AdmittedCall;
  readonly bodyBytes: number;
  isRunning: boolean;
}

/** Carries out the requests of one connection, concurrently. */
export class IncomingCalls {
  readonly #options: IncomingOptions;
  readonly #inHand = new Map<number, InHand>();
  readonly #deadlines: Deadlines<InHand>;
  #isClosing = false;

  constructor(options: IncomingOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock, this.#inHand, (item) =>
      this.#abandon(item, new PeerStoreError('TIMEOUT', `the deadline of ${item.call.method} has passed`)),
    );
  }

  /** Requests in hand, abandoned ones included as long as their handlers run. */
  get size(): number {
    return this.#inHand.size;
  }

  /**
   * A request's header has come. A request that cannot be carried out is answered at once.
   * @returns whether its body is wanted.
   * @throws PeerStoreError PROTOCOL when the number is taken, or requests are not what this side is for: the connection
   * can be of no more use.
   */
  begin(header: RequestHeader, bodyBytes: number): boolean {
    const { clock, log, budget, caller } = this.#options;
    const { id } = header;
    if (this.#options.dispatch === undefined) {
      throw new PeerStoreError('PROTOCOL', 'a request to a side of the connection that takes none');
    }
    if (id === 0 || this.#inHand.has(id)) {
      throw new PeerStoreError('PROTOCOL', `request number ${id} is not free`);
    }
    let call: AdmittedCall;
    try {
      this.#checkRoom();
      call = admit(header, bodyBytes, caller);
      if (!budget.tryTake(bodyBytes)) {
        throw busy('the peer is receiving as much as it has memory for');
      }
    } catch (error) {
      this.#options.send(errorFrame(id, error, header.method, log));
      return false;
    }
    const deadlineMs = clock.monotonicMs() + header.timeoutMs;
    this.#inHand.set(id, { id, call, bodyBytes, deadlineMs, isRunning: false });
    this.#deadlines.watch(deadlineMs);
    return true;
  }

  /** The body of a request is complete: its handler starts. */
  run(id: number, body: Uint8Array): void {
    const item = this.#inHand.get(id);
    assert(item?.isRunning === false, 'a request runs once, after it was admitted');
    item.isRunning = true;
    item.call.setBody(body, this.#options.bodies);
    void this.#carryOut(item);
  }

  /** The caller gave up. */
  cancel(id: number): void {
    const item = this.#inHand.get(id);
    if (item !== undefined) this.#abandon(item, new PeerStoreError('CANCELLED', 'the caller gave up'));
  }

  /** From now on, new requests are refused; those in hand go on. */
  refuseNew(): void {
    this.#isClosing = true;
  }

  /** The connection is gone: nobody will read the answers. */
  abandonAll(): void {
    this.#deadlines.stop();
    const reason = new PeerStoreError('CANCELLED', 'the connection to the caller is gone');
    for (const item of [...this.#inHand.values()]) this.#abandon(item, reason);
  }

  #checkRoom(): void {
    if (this.#isClosing) throw new PeerStoreError('UNREACHABLE', 'the peer is shutting down');
    if (this.#inHand.size >= limits.requestsPerConnection) {
      throw busy(`${limits.requestsPerConnection} requests of this connection are in hand`);
    }
  }

  async #carryOut(item: InHand): Promise<void> {
    const { dispatch, log, send } = this.#options;
    assert(dispatch !== undefined, 'requests are taken only where there is a dispatch');
    const answer = await serve(dispatch, item.call, item.id, log);
    this.#end(item);
    if (answer !== undefined && !send(answer)) {
      const reason = busy('too many answers wait for their callers to take them');
      send(errorFrame(item.id, reason, item.call.method, log));
    }
    if (this.#inHand.size === 0) this.#options.onIdle();
  }

  #abandon(item: InHand, reason: PeerStoreError): void {
    item.call.abandon(reason);
    // A running handler stays in hand until it ends, as it still takes room; of the others nothing is left to wait for.
    if (item.isRunning) return;
    this.#options.dropBody();
    this.#end(item);
    if (this.#inHand.size === 0) this.#options.onIdle();
  }

  #end(item: InHand): void {
    this.#inHand.delete(item.id);
    this.#options.budget.giveBack(item.bodyBytes);
  }
}

function busy(message: string): PeerStoreError {
  return new PeerStoreError('BUSY', message, { retryAfterMs: limits.busyRetryAfterMs });
}
