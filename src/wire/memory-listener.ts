/** The answering half of the network in memory. */
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { RequestHeader } from './frame.js';
import type { Identity } from './identity.js';
import { admit, type AdmittedCall, errorFrame, type OutgoingFrame, serve } from './serve.js';
import type { Dispatch, Listener } from './transport.js';

/** A request that has arrived. */
export interface Arrival {
  readonly caller: Identity;
  readonly header: RequestHeader;
  readonly body: Uint8Array;
  /** Takes the answer. */
  readonly answer: (frame: OutgoingFrame) => void;
  /** Told when there will be no answer, because the listener was closed. */
  readonly onClosed: () => void;
}

export interface MemoryListenerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly address: string;
  /** Who it proves to be. */
  readonly identity: Identity;
  readonly dispatch: Dispatch;
  /** Called once when it accepts no more. */
  readonly onClose: () => void;
}

/** A peer that listens. */
export class MemoryListener implements Listener {
  readonly address: string;
  readonly identity: Identity;
  readonly #options: MemoryListenerOptions;
  readonly #inHand = new Map<number, { readonly call: AdmittedCall; readonly onClosed: () => void }>();
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MemoryListenerOptions) {
    this.address = options.address;
    this.identity = options.identity;
    this.#options = options;
  }

  /** A request has arrived: carries it out and answers it. */
  take({ caller, header, body, answer, onClosed }: Arrival): void {
    const { clock, log, dispatch } = this.#options;
    const { id, method, timeoutMs } = header;
    let call: AdmittedCall;
    try {
      call = admit(header, body.length, caller);
    } catch (error) {
      answer(errorFrame(id, error, method, log));
      return;
    }
    call.body = body;
    this.#inHand.set(id, { call, onClosed });
    const deadline = clock.setTimer(timeoutMs, () =>
      call.abandon(new PeerStoreError('TIMEOUT', `the deadline of ${method} has passed`)),
    );
    void serve(dispatch, call, id, log).then((outcome) => {
      deadline.cancel();
      this.#inHand.delete(id);
      if (outcome !== undefined) answer(outcome);
      if (this.#inHand.size === 0) this.#onIdle?.();
    });
  }

  /** The caller of this request gave up. */
  cancel(id: number): void {
    this.#inHand.get(id)?.call.abandon(new PeerStoreError('CANCELLED', 'the caller gave up'));
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  #close(graceMs: number): Promise<void> {
    this.#options.onClose();
    if (this.#inHand.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(graceMs, () => {
        for (const { call, onClosed } of this.#inHand.values()) {
          call.abandon(new PeerStoreError('CANCELLED', 'the connection to the caller is gone'));
          onClosed();
        }
        resolve();
      });
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
