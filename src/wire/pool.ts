/**
 * The connections that calls go out on: one for each address and expected identifier, shared by concurrent calls,
 * made when it is first needed and again after it broke.
 *
 * A call is repeated on a new connection only when the old one turned out to be gone before the request was written.
 * A request that may have been carried out is never repeated here: that is for the caller to decide.
 */
import { setMaxListeners } from 'node:events';

import type { Clock } from '../base/clock.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { MethodName } from './catalogue.js';
import type { Connection } from './connection.js';
import { cancelled, checkCall, timedOut, UnsentError } from './outgoing.js';
import type { UntypedReply } from './serve.js';
import type { CallOptions, Endpoint } from './transport.js';

export interface PoolOptions {
  readonly clock: Clock;
  /** Makes a connection to a peer that has proved to be who `to` says; the signal fires when the pool is closed. */
  readonly connect: (to: Endpoint, signal: AbortSignal) => Promise<Connection>;
  /** By default `limits.pooledConnections`. */
  readonly maxConnections?: number;
}

interface Entry {
  readonly key: string;
  readonly connecting: Promise<Connection>;
  /** Set once it is made. */
  connection: Connection | undefined;
  /** Counts up with every use: the lowest number is the least recently used. */
  lastUse: number;
}

/** One method call, as it passes through the pool. */
interface Call {
  readonly to: Endpoint;
  readonly method: MethodName;
  readonly request: unknown;
  readonly options: CallOptions;
  readonly startedMs: number;
}

/** A bounded set of shared connections. */
export class ConnectionPool {
  readonly #clock: Clock;
  readonly #connect: PoolOptions['connect'];
  readonly #maxConnections: number;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #uses = 0;

  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#connect = options.connect;
    this.#maxConnections = options.maxConnections ?? limits.pooledConnections;
    // Every connection that is being made listens to it.
    setMaxListeners(this.#maxConnections, this.#closing.signal);
  }

  /** Connections that are open or being made. */
  get size(): number {
    return this.#entries.size;
  }

  /** See Transport.call. */
  call(to: Endpoint, method: MethodName, request: unknown, options: CallOptions): Promise<UntypedReply> {
    const call: Call = { to, method, request, options, startedMs: this.#clock.monotonicMs() };
    const entry = this.#entries.get(keyOf(to));
    if (entry?.connection?.isOpen !== true) return this.#callAnew(call);
    entry.lastUse = ++this.#uses;
    return entry.connection.call(method, request, options).catch((error: unknown) => {
      if (error instanceof UnsentError && hasCode(error, 'UNREACHABLE')) return this.#callAnew(call);
      throw error;
    });
  }

  /** Closes every connection; calls in hand, and later ones, end with CANCELLED. */
  async close(): Promise<void> {
    const reason = closedError();
    this.#closing.abort(reason);
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(
      entries.map(async ({ connecting, connection }) => {
        connection?.abort(reason);
        await connecting.then(
          (made) => {
            made.abort(reason);
            return made.closed;
          },
          () => undefined,
        );
      }),
    );
  }

  /** Waits for a connection as long as the call may take, and uses what is left of that time for the call. */
  async #callAnew({ to, method, request, options, startedMs }: Call): Promise<UntypedReply> {
    const { timeoutMs } = checkCall(method, options);
    const leftMs = (): number => timeoutMs - (this.#clock.monotonicMs() - startedMs);
    const entry = this.#open(to);
    const connection = await this.#waitFor(entry.connecting, leftMs(), options.signal, {
      late: () => timedOut(method, to.address, timeoutMs),
      aborted: () => cancelled(method),
    });
    entry.lastUse = ++this.#uses;
    return connection.call(method, request, { ...options, timeoutMs: leftMs() });
  }

  /** The entry of a connection that is open or being made. */
  #open(to: Endpoint): Entry {
    if (this.#closing.signal.aborted) throw closedError();
    const key = keyOf(to);
    const known = this.#entries.get(key);
    if (known !== undefined && known.connection?.isOpen !== false) return known;
    if (known === undefined) this.#makeRoom();
    const connecting = this.#connect(to, this.#closing.signal);
    const entry: Entry = { key, connecting, connection: undefined, lastUse: ++this.#uses };
    this.#entries.set(key, entry);
    connecting.then(
      (connection) => {
        entry.connection = connection;
        void connection.closed.then(() => this.#forget(entry));
      },
      () => this.#forget(entry),
    );
    return entry;
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
  }

  /** Closes the least recently used connection that nobody waits on, when the pool is full. */
  #makeRoom(): void {
    if (this.#entries.size < this.#maxConnections) return;
    let oldest: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.connection?.isIdle === true && entry.lastUse < (oldest?.lastUse ?? Infinity)) oldest = entry;
    }
    if (oldest?.connection === undefined) {
      throw new PeerStoreError('BUSY', `all of ${this.#maxConnections} connections are in use`, {
        retryAfterMs: limits.busyRetryAfterMs,
      });
    }
    this.#forget(oldest);
    void oldest.connection.end(limits.closeLingerMs);
  }

  #waitFor(
    connecting: Promise<Connection>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    errors: { readonly late: () => PeerStoreError; readonly aborted: () => PeerStoreError },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel();
        reject(errors.aborted());
      };
      const onEnd = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const timer = this.#clock.setTimer(Math.max(0, timeoutMs), () => {
        onEnd();
        reject(errors.late());
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      connecting.then(resolve, reject).finally(onEnd);
    });
  }
}

function keyOf(to: Endpoint): string {
  return to.id === undefined ? to.address : `${to.address} ${to.id}`;
}

function closedError(): PeerStoreError {
  return new PeerStoreError('CANCELLED', 'the transport was closed');
}
