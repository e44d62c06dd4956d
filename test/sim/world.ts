/**
 * A small world of real peers: the node code of production over the network and the store in memory, in virtual time.
 *
 * One seed decides everything. What happens is written into a hash, so that two runs can be compared, and the rules of
 * the ring are checked whenever somebody's pointers have changed.
 */
import { createHash } from 'node:crypto';

import { utf8 } from '../../src/base/bytes.js';
import { messageOf } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { jittered, type Random, seededRandom } from '../../src/base/random.js';
import { SigningKey } from '../../src/identity/keys.js';
import { holderOrder } from '../../src/node/placement.js';
import { hashToId, idFromBytes, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import type { UserIdentity } from '../../src/wire/identity.js';
import { type Fault, type MemoryMessage, MemoryNetwork } from '../../src/wire/memory.js';
import type { Transport } from '../../src/wire/transport.js';
import type { Violation } from './scenario.js';
import { type Member, ringRules, type Rule, whyNotIdeal } from './rules.js';
import { SimulatedPeer, type SimulatedPeerOptions } from './peer.js';
import { VirtualClock } from './virtual-clock.js';

export interface WorldOptions {
  readonly seed: number;
  /** Checked after every event that changed somebody's pointers. By default all that hold in one whole network. */
  readonly rules?: Readonly<Record<string, Rule>>;
  /** How long a message travels on average; half of it more or less. */
  readonly delayMs?: number;
}

/** A user with one device, and the connection to call with. */
export interface SimulatedUser {
  readonly identity: UserIdentity;
  readonly key: SigningKey;
  readonly transport: Transport;
}

export class World {
  readonly seed: number;
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly peers: SimulatedPeer[] = [];
  readonly violations: Violation[] = [];
  /** Decides about every message; a scenario sets it. */
  fault: (message: MemoryMessage) => Fault | undefined = () => undefined;
  rules: Readonly<Record<string, Rule>>;
  readonly #hash = createHash('sha256');
  readonly #lastStates = new Map<SimulatedPeer, RingState | undefined>();

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.random = seededRandom(options.seed);
    this.rules = options.rules ?? ringRules;
    const delayMs = options.delayMs ?? 5;
    this.network = new MemoryNetwork({
      clock: this.clock,
      random: seededRandom(this.random.below(2 ** 32)),
      delayMs: () => jittered(this.random, delayMs, 0.5),
      fault: (message) => {
        this.note(`${message.kind} ${message.method} ${message.from} ${message.to}`);
        return this.fault(message);
      },
    });
    this.clock.onEvent = () => this.#afterEvent();
  }

  /** Makes a peer that is not started yet. */
  peer(options: SimulatedPeerOptions = {}): SimulatedPeer {
    const id = options.id ?? idFromBytes(this.random.bytes(32));
    const number = this.peers.length + 1;
    const peer = new SimulatedPeer(this, {
      ...options,
      id,
      address: `10.0.${number >> 8}.${number & 255}:3001`,
    });
    this.peers.push(peer);
    return peer;
  }

  /** Makes peers and starts them one after the other; the first one is the ring that the others join. */
  async grow(count: number, options: SimulatedPeerOptions = {}): Promise<readonly SimulatedPeer[]> {
    const grown: SimulatedPeer[] = [];
    for (let at = 0; at < count; at += 1) {
      const peer = this.peer(options);
      await this.clock.run(peer.start(this.live.slice(0, 1)));
      grown.push(peer);
    }
    return grown;
  }

  /** The peers that run, in the order in which they were made. */
  get live(): readonly SimulatedPeer[] {
    return this.peers.filter(({ isUp }) => isUp);
  }

  /** Somebody who stores things. */
  user(name = 'ann'): SimulatedUser {
    const key = SigningKey.generate(this.random);
    const { publicKey } = key;
    const identity: UserIdentity = {
      kind: 'user',
      userId: hashToId(publicKey),
      name,
      userKey: publicKey,
      deviceKey: publicKey,
    };
    return { identity, key, transport: this.network.transport(identity) };
  }

  /** What every peer that has joined has for pointers. */
  members(): readonly Member[] {
    return this.peers.flatMap((peer) => {
      const state = peer.state;
      return state === undefined ? [] : [{ state, alive: peer.isUp }];
    });
  }

  /** The live peers from a key on: how the ring would be if everybody knew everything. */
  trueOrder(key: Id): readonly PeerRef[] {
    const sorted = this.live.map(({ ref }) => ref).sort((a, b) => (a.id < b.id ? -1 : 1));
    const at = Math.max(
      0,
      sorted.findIndex(({ id }) => id >= key),
    );
    return [...sorted.slice(at), ...sorted.slice(0, at)];
  }

  /** The peers that should hold a key. */
  trueHolders(key: Id, copies: number): readonly PeerRef[] {
    return holderOrder(this.trueOrder(key)).slice(0, copies);
  }

  /** Lets time pass until every live peer knows exactly its true neighbours. @returns how long it took. */
  async untilIdeal(withinMs = 120_000): Promise<number> {
    const sinceMs = this.clock.monotonicMs();
    const why = (): string | undefined =>
      this.live.every(({ state }) => state !== undefined)
        ? whyNotIdeal(this.members(), limits.successorListLength)
        : 'somebody is still outside';
    try {
      await this.clock.runUntil('the ring is ideal', () => why() === undefined, withinMs);
    } catch (error) {
      throw new Error(`${messageOf(error)} (${why() ?? ''}; seed ${this.seed})`, { cause: error });
    }
    return this.clock.monotonicMs() - sinceMs;
  }

  /** Cuts the network: nothing passes between the two sides. */
  cut(one: readonly SimulatedPeer[], other: readonly SimulatedPeer[]): void {
    const side = new Map<string, number>();
    for (const { address } of one) side.set(address, 1);
    for (const { address } of other) side.set(address, 2);
    this.fault = ({ from, to }) => {
      const [a, b] = [side.get(from), side.get(to)];
      return a !== undefined && b !== undefined && a !== b ? 'lose' : undefined;
    };
  }

  heal(): void {
    this.fault = () => undefined;
  }

  /** Writes something that happened into the trace. */
  note(what: string): void {
    this.#hash.update(`${this.clock.monotonicMs()} ${what}\n`);
  }

  /** A hash of everything that has happened. */
  get trace(): string {
    return this.#hash.copy().digest('hex');
  }

  #afterEvent(): void {
    let isNew = false;
    for (const peer of this.peers) {
      const state = peer.isUp ? peer.state : undefined;
      if (this.#lastStates.get(peer) === state) continue;
      this.#lastStates.set(peer, state);
      isNew = true;
      if (state !== undefined) this.note(`state ${hashToId(utf8(JSON.stringify(state)))}`);
    }
    if (!isNew) return;
    const members = this.members();
    for (const [rule, check] of Object.entries(this.rules)) {
      const what = check(members);
      if (what !== undefined) this.#violated(rule, what);
    }
  }

  #violated(rule: string, what: string): void {
    // One broken rule goes on being broken; the first few say what is to be known.
    if (this.violations.length < 100) this.violations.push({ rule, what, atMs: this.clock.monotonicMs() });
  }
}
