/**
 * A network in memory, with the same contract as the real one: for tests, and for simulations of thousands of peers.
 *
 * Every message goes through the codecs and its body is copied, so that nothing is shared between two peers. Time
 * passes on the clock only, and nothing is left to chance but what the random source gives: with a simulated clock and
 * a seeded source, a run can be repeated. There are no connections: a call is a message there and a message back.
 */
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { type Logger, silentLogger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { canonicalAddress, formatAddress, parseAddress } from './address.js';
import type { MethodName } from './catalogue.js';
import { requestIdMax } from './frame.js';
import type { Identity } from './identity.js';
import { MemoryListener } from './memory-listener.js';
import { MemoryTransport } from './memory-transport.js';
import type { Dispatch, Transport } from './transport.js';

/** A message on its way. */
export interface MemoryMessage {
  readonly from: string;
  readonly to: string;
  readonly kind: 'request' | 'answer' | 'cancel';
  readonly method: MethodName;
}

/**
 * What may happen to a message: `lose` it silently, `break` the connection, so that the caller hears of it, or
 * `duplicate` it, so that it arrives twice.
 */
export type Fault = 'lose' | 'break' | 'duplicate';

export interface MemoryNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Logger;
  /** How long a message travels, in milliseconds; by default not at all. */
  readonly delayMs?: (from: string, to: string) => number;
  /** Asked for every message as it is sent. */
  readonly fault?: (message: MemoryMessage) => Fault | undefined;
  /** Told of every message just before its receiver gets it. */
  readonly onArrival?: (message: MemoryMessage) => void;
}

/** Peers and clients that reach each other in one process. */
export class MemoryNetwork {
  readonly clock: Clock;
  readonly log: Logger;
  readonly #random: Random;
  readonly #delayMs: (from: string, to: string) => number;
  readonly #fault: (message: MemoryMessage) => Fault | undefined;
  readonly #onArrival: (message: MemoryMessage) => void;
  readonly #listeners = new Map<string, MemoryListener>();
  readonly #paused = new Set<string>();
  #callers = 0;
  #lastId = 0;

  constructor(options: MemoryNetworkOptions) {
    this.clock = options.clock;
    this.log = options.log ?? silentLogger;
    this.#random = options.random;
    this.#delayMs = options.delayMs ?? (() => 0);
    this.#fault = options.fault ?? (() => undefined);
    this.#onArrival = options.onArrival ?? (() => undefined);
  }

  /**
   * The transport of one peer or client.
   * @param identity what it proves to others
   * @param ownAddress where its messages come from; a name is made up for one that never listens
   */
  transport(identity: Identity, ownAddress?: string): Transport {
    this.#callers += 1;
    const from = ownAddress === undefined ? `caller-${this.#callers}` : canonicalAddress(ownAddress);
    return new MemoryTransport(this, identity, from);
  }

  /** From now on everything from and to this address is lost, as if its machine had stopped. */
  pause(address: string): void {
    this.#paused.add(canonicalAddress(address));
  }

  resume(address: string): void {
    this.#paused.delete(canonicalAddress(address));
  }

  /** Used by the transports: a number for a request. */
  nextId(): number {
    this.#lastId = this.#lastId >= requestIdMax ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  /** Used by the transports. See Transport.listen. */
  listen(address: string, identity: Identity, dispatch: Dispatch): MemoryListener {
    if (identity.kind !== 'peer') {
      throw new PeerStoreError('USAGE', `cannot listen at ${address} without a peer's certificate`);
    }
    const { host, port } = parseAddress(address);
    const real = formatAddress({ host, port: port === 0 ? this.#freePort(host) : port });
    const key = canonicalAddress(real);
    if (this.#listeners.has(key)) {
      throw new PeerStoreError('IN_USE', `cannot listen at ${address}: another peer is listening there`);
    }
    const listener = new MemoryListener({
      clock: this.clock,
      log: this.log,
      address: real,
      identity,
      dispatch,
      onClose: () => {
        if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
      },
    });
    this.#listeners.set(key, listener);
    return listener;
  }

  /** Used by the transports: who listens at an address now. @param address in its canonical spelling */
  listenerAt(address: string): MemoryListener | undefined {
    return this.#listeners.get(address);
  }

  /**
   * Used by the transports: lets a message travel.
   * @param arrive called when it is there; never when it is lost
   * @param breakOff called instead when the connection breaks
   */
  send(message: MemoryMessage, arrive: () => void, breakOff: () => void): void {
    if (this.#isSilent(message)) return;
    const fault = this.#fault(message);
    if (fault === 'lose') return;
    this.#travel(message, fault === 'break' ? breakOff : arrive);
    if (fault === 'duplicate') this.#travel(message, arrive);
  }

  #travel(message: MemoryMessage, arrive: () => void): void {
    this.clock.setTimer(this.#delayMs(message.from, message.to), () => {
      if (this.#isSilent(message)) return;
      this.#onArrival(message);
      arrive();
    });
  }

  #isSilent({ from, to }: MemoryMessage): boolean {
    return this.#paused.has(from) || this.#paused.has(to);
  }

  #freePort(host: string): number {
    // As many tries as there are ports: a network with this many listeners has none left.
    for (let tries = 0; tries < 65_536; tries += 1) {
      const port = 1024 + this.#random.below(65_536 - 1024);
      if (!this.#listeners.has(canonicalAddress(formatAddress({ host, port })))) return port;
    }
    throw new PeerStoreError('IN_USE', 'every port of the network in memory is taken');
  }
}
