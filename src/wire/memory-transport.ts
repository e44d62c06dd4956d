/** The calling half of the network in memory. */
import type { Timer } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { canonicalAddress } from './address.js';
import type { MethodName, RequestOf } from './catalogue.js';
import { asPeerStoreError, fromWireError } from './errors.js';
import { checkExpected } from './expected.js';
import {
  type AnswerHeader,
  decodeHeader,
  encodeFrame,
  type ErrorHeader,
  framePrefixBytes,
  type RequestHeader,
} from './frame.js';
import type { Identity } from './identity.js';
import type { MemoryMessage, MemoryNetwork } from './memory.js';
import type { MemoryListener } from './memory-listener.js';
import { cancelled, checkCall, timedOut, toReply } from './outgoing.js';
import { type OutgoingFrame, specOf, type UntypedReply } from './serve.js';
import type { CallOptions, Dispatch, Endpoint, Listener, Reply, Transport } from './transport.js';

/** What one peer or client sees of the network. */
export class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork;
  readonly #identity: Identity;
  readonly #calls = new Set<MemoryCall>();
  /** Where its messages come from: where it listens, if it does. */
  #from: string;
  #isClosed = false;

  constructor(network: MemoryNetwork, identity: Identity, from: string) {
    this.#network = network;
    this.#identity = identity;
    this.#from = from;
  }

  async call<M extends MethodName>(
    to: Endpoint,
    method: M,
    request: RequestOf<M>,
    options: CallOptions = {},
  ): Promise<Reply<M>> {
    if (this.#isClosed) throw closedError();
    const call = new MemoryCall(this.#network, this.#identity, this.#from, to, method);
    this.#calls.add(call);
    try {
      return (await call.run(request, options)) as Reply<M>;
    } finally {
      this.#calls.delete(call);
    }
  }

  listen(address: string, dispatch: Dispatch): Promise<Listener> {
    return new Promise((resolve) => {
      const listener = this.#network.listen(address, this.#identity, dispatch);
      this.#from = canonicalAddress(listener.address);
      resolve(listener);
    });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#calls) call.giveUp(closedError());
    return Promise.resolve();
  }
}

/** One call: the request on its way there, the answer on its way back, and what may end it before. */
class MemoryCall {
  readonly #network: MemoryNetwork;
  readonly #caller: Identity;
  readonly #from: string;
  readonly #to: Endpoint;
  /** The address in the one spelling that the network knows. */
  readonly #address: string;
  readonly #method: MethodName;
  readonly #id: number;
  readonly #reply: Promise<UntypedReply>;
  #resolve: (reply: UntypedReply) => void = () => undefined;
  #reject: (error: PeerStoreError) => void = () => undefined;
  #timer: Timer | undefined;
  /** Who has the request, once it has arrived. */
  #taker: MemoryListener | undefined;

  /** @throws PeerStoreError USAGE when nobody can be called at that address. */
  constructor(network: MemoryNetwork, caller: Identity, from: string, to: Endpoint, method: MethodName) {
    this.#address = canonicalAddress(to.address);
    this.#network = network;
    this.#caller = caller;
    this.#from = from;
    this.#to = to;
    this.#method = method;
    this.#id = network.nextId();
    this.#reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whether or not somebody is waiting yet: run() hands the error on.
    this.#reply.catch(() => undefined);
  }

  async run(request: unknown, options: CallOptions): Promise<UntypedReply> {
    const method = this.#method;
    const { body, timeoutMs } = checkCall(method, options);
    const params = specOf(method).request.encode(request);
    const frame = encodeFrame({ kind: 'request', id: this.#id, method, timeoutMs, params }, body.length);
    const copy = new Uint8Array(body);
    const onAbort = (): void => this.giveUp(cancelled(method));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#timer = this.#network.clock.setTimer(timeoutMs, () =>
      this.giveUp(timedOut(method, this.#to.address, timeoutMs)),
    );
    try {
      this.#network.send(this.#message('request'), () => this.#arrive({ frame, body: copy }), this.#break);
      return await this.#reply;
    } finally {
      this.#timer.cancel();
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the call, and tells the other side that nobody waits for the answer. Harmless when it has ended. */
  giveUp(error: PeerStoreError): void {
    this.#reject(error);
    this.#network.send(
      this.#message('cancel'),
      () => this.#taker?.cancel(this.#id),
      () => undefined,
    );
  }

  readonly #break = (): void =>
    this.#reject(unreachable(this.#to, 'the connection broke before the answer came'));

  /** The request has reached its address. */
  #arrive({ frame, body }: OutgoingFrame): void {
    const listener = this.#network.listenerAt(this.#address);
    if (listener === undefined) {
      this.#reject(unreachable(this.#to, 'nobody is listening there'));
      return;
    }
    try {
      checkExpected(listener.identity, this.#to);
    } catch (error) {
      this.#reject(asPeerStoreError(error));
      return;
    }
    this.#taker = listener;
    listener.take({
      caller: this.#caller,
      header: decodeHeader(frame.subarray(framePrefixBytes)) as RequestHeader,
      body,
      answer: (answer) => {
        const copy = new Uint8Array(answer.body);
        this.#network.send(this.#message('answer'), () => this.#answer(answer.frame, copy), this.#break);
      },
      onClosed: () => this.#network.send(this.#message('answer'), this.#break, this.#break),
    });
  }

  /** The answer is back. */
  #answer(frame: Uint8Array, body: Uint8Array): void {
    try {
      const header = decodeHeader(frame.subarray(framePrefixBytes)) as AnswerHeader | ErrorHeader;
      if (header.kind === 'error') throw fromWireError(header);
      this.#resolve(toReply(this.#method, header, body));
    } catch (error) {
      this.#reject(asPeerStoreError(error));
    }
  }

  #message(kind: MemoryMessage['kind']): MemoryMessage {
    const to = this.#address;
    const [sender, receiver] = kind === 'answer' ? [to, this.#from] : [this.#from, to];
    return { from: sender, to: receiver, kind, method: this.#method };
  }
}

function unreachable(to: Endpoint, why: string): PeerStoreError {
  return new PeerStoreError('UNREACHABLE', `cannot reach ${to.address}: ${why}`);
}

function closedError(): PeerStoreError {
  return new PeerStoreError('CANCELLED', 'the transport was closed');
}
