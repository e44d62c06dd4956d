/**
 * Many requests over one stream of bytes, in both directions: frames in, frames out, and an end to everything that is
 * under way when the stream ends. The stream is a TLS socket in life and a pair of pipes in tests.
 */
import type { Duplex } from 'node:stream';

import type { Clock, Timer } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { MethodName } from './catalogue.js';
import { asPeerStoreError, fromWireError, toWireError } from './errors.js';
import { encodeFrame, type FrameHeader } from './frame.js';
import { type FrameBounds, FrameParser } from './frame-parser.js';
import type { Identity } from './identity.js';
import type { ConnectionMemory } from './budget.js';
import { IncomingCalls } from './incoming.js';
import { Outbox } from './outbox.js';
import { OutgoingCalls, UnsentError } from './outgoing.js';
import type { OutgoingFrame, UntypedReply } from './serve.js';
import type { CallOptions, Dispatch } from './transport.js';

export interface ConnectionOptions {
  readonly stream: Duplex;
  /**
   * Where the bytes of the stream come from; by default its own `data`. Called once, with who takes them. A piece may be
   * overwritten when it has been taken.
   */
  readonly onBytes?: (take: (piece: Uint8Array) => void) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** The other side's address, for messages and the log. */
  readonly remote: string;
  /** Who the other side has proved to be: the caller of its requests. */
  readonly identity: Identity;
  /** The longest frames that the other side may send. */
  readonly bounds: FrameBounds;
  /** Carries out the other side's requests; without it they are refused. */
  readonly dispatch?: Dispatch;
  readonly memory: ConnectionMemory;
  /** The connection is closed after this long with nothing in flight. */
  readonly idleMs: number;
  /** What a failure of the stream means; by default UNREACHABLE. */
  readonly explain?: (error: Error) => PeerStoreError;
}

/** One connection, open from its making on. */
export class Connection {
  /** Resolves when the stream is gone. */
  readonly closed: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #stream: Duplex;
  readonly #outbox: Outbox;
  readonly #outgoing: OutgoingCalls;
  readonly #incoming: IncomingCalls;
  readonly #parser: FrameParser;
  /** Why no more calls are taken. */
  #ended: PeerStoreError | undefined;
  /** Set while the requests in hand are given time to end. */
  #isEnding = false;
  #lastActiveMs: number;
  /** What was seen last of a stream that had bytes to take: how many it had taken, and since when it is that many. */
  #writing: { readonly takenBytes: number; readonly sinceMs: number } | undefined;
  #watch: Timer | undefined;

  constructor(options: ConnectionOptions) {
    const { stream, clock, log, remote, identity, dispatch, memory } = options;
    this.#options = options;
    this.#stream = stream;
    this.#outbox = new Outbox(stream, (bytes) => memory.answers.giveBack(bytes));
    this.#outgoing = new OutgoingCalls(clock, remote, this.#outbox);
    this.#parser = new FrameParser(options.bounds, {
      onHeader: (header, bodyBytes) => this.#onHeader(header, bodyBytes),
      memoryFor: ({ kind }, bodyBytes) =>
        kind === 'request' ? memory.bodies.take(bodyBytes) : Buffer.allocUnsafeSlow(bodyBytes),
      onFrame: (header, body) => this.#onFrame(header, body),
    });
    this.#incoming = new IncomingCalls({
      clock,
      log,
      caller: identity,
      dispatch,
      budget: memory.requestBodies,
      bodies: memory.bodies,
      send: (answer) => this.#answer(answer),
      dropBody: () => this.#parser.dropBody(),
      onIdle: () => {
        this.#lastActiveMs = clock.monotonicMs();
        if (this.#isEnding) this.#finish();
      },
    });
    this.#lastActiveMs = clock.monotonicMs();
    this.closed = new Promise((resolve) => stream.once('close', resolve));
    const take = (piece: Uint8Array): void => this.#onData(piece);
    if (options.onBytes === undefined) stream.on('data', take);
    else options.onBytes(take);
    stream.on('end', () => this.#onStreamEnd(undefined));
    stream.on('error', (error: Error) => this.#onStreamEnd(error));
    stream.on('close', () => this.#onStreamEnd(undefined));
    this.#watchStillness(Math.min(options.idleMs, limits.writeStallMs));
  }

  /** Whether calls can be made. */
  get isOpen(): boolean {
    return this.#ended === undefined && !this.#isEnding;
  }

  /** Whether neither side waits for an answer, or for the end of one. */
  get isIdle(): boolean {
    return this.#outgoing.size === 0 && this.#incoming.size === 0 && this.#outbox.isEmpty;
  }

  /** See Transport.call. Rejects with UnsentError when the request was certainly not written. */
  call(method: MethodName, request: unknown, options: CallOptions): Promise<UntypedReply> {
    if (this.#ended !== undefined) return Promise.reject(new UnsentError(this.#ended));
    return this.#outgoing.call(method, request, options);
  }

  /** Takes no more requests, gives those in hand `graceMs` to end, sends their answers, and closes. */
  async end(graceMs: number): Promise<void> {
    if (this.#ended === undefined && !this.#isEnding) {
      this.#isEnding = true;
      this.#incoming.refuseNew();
      if (this.#incoming.size === 0) this.#finish();
    }
    const timer = this.#options.clock.setTimer(graceMs, () =>
      this.abort(new PeerStoreError('UNREACHABLE', `the connection to ${this.#options.remote} was closed`)),
    );
    await this.closed;
    timer.cancel();
  }

  /** Closes at once. The calls in flight end with this error. */
  abort(reason: PeerStoreError): void {
    this.#settle(reason);
    this.#stream.destroy();
  }

  #onData(chunk: Uint8Array): void {
    // After the end, bytes are read and forgotten, so that what was written last is not lost to a reset.
    if (this.#ended !== undefined) return;
    this.#lastActiveMs = this.#options.clock.monotonicMs();
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#breakOff(error);
      return;
    }
    // A caller goes on reading: were both sides to wait for the other to read, they would wait for ever.
    if (this.#options.dispatch !== undefined && this.#outbox.isFull) this.#pause();
  }

  #onHeader(header: FrameHeader, bodyBytes: number): boolean {
    // A frame before this one, in the same piece of the stream, may have ended the connection.
    if (this.#ended !== undefined) return false;
    switch (header.kind) {
      case 'request':
        return this.#incoming.begin(header, bodyBytes);
      case 'cancel':
        this.#incoming.cancel(header.id);
        return false;
      case 'error':
        if (header.id !== 0) return this.#outgoing.begin(header, bodyBytes);
        this.abort(fromWireError(header));
        return false;
      case 'answer':
        return this.#outgoing.begin(header, bodyBytes);
    }
  }

  #onFrame(header: FrameHeader, body: Uint8Array): void {
    if (header.kind === 'request') this.#incoming.run(header.id, body);
    else if (header.kind !== 'cancel') this.#outgoing.finish(header, body);
  }

  /** The other side does not take its answers: no more of its requests are read until it has. */
  #pause(): void {
    this.#stream.pause();
    this.#outbox.whenRoom(() => this.#stream.resume());
  }

  /** @returns false when there is no memory to keep the answer in. */
  #answer({ frame, body }: OutgoingFrame): boolean {
    if (this.#ended !== undefined) return true;
    const heldBytes = frame.length + body.length;
    if (this.#options.memory.answers.tryTake(heldBytes)) {
      this.#outbox.add(frame, body, heldBytes);
      return true;
    }
    // Not even for the few bytes of a refusal: the answers before it have to be taken first.
    if (body.length === 0) this.#closeUnread();
    return false;
  }

  /** The other side asks and does not read. */
  #closeUnread(): void {
    const { log, remote } = this.#options;
    log.warn('closed a connection: the other side does not read what it is sent', { remote });
    this.abort(new PeerStoreError('UNREACHABLE', `${remote} does not read what it is sent`));
  }

  /** The other side broke the protocol: one line in the log, and the end of this connection. */
  #breakOff(error: unknown): void {
    const { log, remote, clock } = this.#options;
    const fault = asPeerStoreError(error);
    log.warn('closed a connection: the other side broke the protocol', { remote, error: fault.message });
    this.#settle(
      new PeerStoreError('UNREACHABLE', `the connection to ${remote} was closed: it sent ${fault.message}`),
    );
    refuse(this.#stream, clock, log, fault);
  }

  /** The stream ended (by the other side, or by an error): the calls in flight cannot be answered any more. */
  #onStreamEnd(error: Error | undefined): void {
    if (this.#ended !== undefined) return;
    const { log, remote, explain } = this.#options;
    if (this.#parser.isInsideFrame) {
      const how = error === undefined ? 'the stream ended' : messageOf(error);
      log.warn('closed a connection: it ended inside a frame', { remote, error: how });
    }
    const reason =
      error === undefined
        ? new PeerStoreError('UNREACHABLE', `${remote} closed the connection before it answered`)
        : (explain?.(error) ?? broken(remote, error));
    this.abort(reason);
  }

  /** Every answer is queued: sends them and says goodbye. */
  #finish(): void {
    if (this.#ended !== undefined) return;
    this.#outbox.flush(Infinity);
    this.#settle(new PeerStoreError('UNREACHABLE', `the connection to ${this.#options.remote} was closed`));
    endStream(this.#stream, this.#options.clock);
  }

  /** Ends everything under way, once. */
  #settle(reason: PeerStoreError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#watch?.cancel();
    this.#outgoing.failAll(reason);
    this.#incoming.abandonAll();
    this.#outbox.drop();
    // Were it paused, its end would never be read.
    this.#stream.resume();
  }

  /** Closes the connection when nothing happens on it: nothing asked, or nothing taken by the other side. */
  #watchStillness(delayMs: number): void {
    const { clock, idleMs } = this.#options;
    this.#watch = clock.setTimer(delayMs, () => {
      const nowMs = clock.monotonicMs();
      if (this.#isStalled(nowMs)) {
        this.#closeUnread();
        return;
      }
      if (!this.isIdle) this.#lastActiveMs = nowMs;
      const idleLeftMs = this.#lastActiveMs + idleMs - nowMs;
      if (idleLeftMs <= 0) this.#finish();
      else this.#watchStillness(Math.min(idleLeftMs, limits.writeStallMs));
    });
  }

  /** Whether the other side has taken nothing of what waits for it, as long as it may. */
  #isStalled(nowMs: number): boolean {
    const { takenBytes, isEmpty } = this.#outbox;
    if (isEmpty) this.#writing = undefined;
    else if (this.#writing?.takenBytes !== takenBytes) this.#writing = { takenBytes, sinceMs: nowMs };
    return this.#writing !== undefined && nowMs - this.#writing.sinceMs >= limits.writeStallMs;
  }
}

function broken(remote: string, error: Error): PeerStoreError {
  return new PeerStoreError('UNREACHABLE', `the connection to ${remote} broke: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Tells the other side why the connection as a whole is refused, and closes it. */
export function refuse(stream: Duplex, clock: Clock, log: Logger, reason: PeerStoreError): void {
  stream.on('error', () => stream.destroy());
  stream.write(encodeFrame({ kind: 'error', id: 0, ...toWireError(reason, 'a connection', log) }, 0));
  endStream(stream, clock);
}

/** Ends a stream after what was written to it; one that the other side does not end in turn is cut. */
function endStream(stream: Duplex, clock: Clock): void {
  stream.resume();
  stream.end();
  const timer = clock.setTimer(limits.closeLingerMs, () => stream.destroy());
  stream.once('close', () => timer.cancel());
}
