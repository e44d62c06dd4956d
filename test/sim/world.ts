/**
 * A small world of real peers: the node code of production over the network and the store in memory, in virtual time.
 *
 * One seed decides everything. What happens is written into a hash, so that two runs can be compared, and the rules of
 * the ring are checked whenever somebody's pointers have changed.
 */
import { messageOf } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { SigningKey } from '../../src/identity/keys.js';
import type { Verdict } from '../../src/node/liveness.js';
import { holderOrder } from '../../src/node/placement.js';
import { hashToId, idFromBytes, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import type { MethodName } from '../../src/wire/catalogue.js';
import type { UserIdentity } from '../../src/wire/identity.js';
import { type Fault, type MemoryMessage, MemoryNetwork } from '../../src/wire/memory.js';
import type { Transport } from '../../src/wire/transport.js';
import { RingChecker } from './checker.js';
import { type NetworkConditions, NetworkFaults } from './network-faults.js';
import type { Ear } from './overheard.js';
import { ringRules, type RuleSet, type Saying, whyNotIdeal } from './rules.js';
import type { Violation } from './scenario.js';
import type { Member } from './shape.js';
import { Trace } from './trace.js';
import { SimulatedPeer, type SimulatedPeerOptions } from './peer.js';
import { Watches } from './watches.js';
import { VirtualClock } from './virtual-clock.js';

export interface WorldOptions {
  readonly seed: number;
  /** Checked after every event that changed somebody's pointers. By default all that hold in one whole network. */
  readonly rules?: RuleSet;
  /** How the network behaves where it is not {@link calm}. */
  readonly network?: Partial<NetworkConditions>;
}

/** Broken rules that a world keeps. */
const violationsKept = 100;

/** A user with one device, and the connection to call with. */
export interface SimulatedUser {
  readonly identity: UserIdentity;
  readonly key: SigningKey;
  readonly transport: Transport;
}

/** Told of what happens to peers. */
export interface PeerObserver {
  /** Its process has ended without a word. */
  crashed?(peer: SimulatedPeer): void;
  /** A value has got onto its disk; a block has the number 0. */
  kept?(peer: SimulatedPeer, id: Id, sequence: number, bytes: Uint8Array): void;
  /** It has suspected, acquitted or found dead another peer. */
  judged?(by: SimulatedPeer, verdict: Verdict): void;
  /** What is on its disk is about to be lost for good. */
  losing?(peer: SimulatedPeer): void;
}

export class World {
  readonly seed: number;
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly faults: NetworkFaults;
  readonly peers: SimulatedPeer[] = [];
  readonly violations: Violation[] = [];
  readonly checker = new RingChecker();
  /** Decides about messages before {@link faults} does; a scenario may set it. */
  fault: (message: MemoryMessage) => Fault | undefined = () => undefined;
  #rules: RuleSet;
  #watches: Watches;
  /** Called after every event that changed somebody's pointers, or who lives. */
  readonly listeners = new Set<() => void>();
  /** Told of what happens to peers. */
  readonly observers: PeerObserver[] = [];
  readonly #trace = new Trace();
  readonly #byAddress = new Map<string, SimulatedPeer>();
  readonly #byId = new Map<Id, SimulatedPeer>();
  /** Peers whose pointers may have changed in this event. */
  readonly #touched = new Set<SimulatedPeer>();
  /** Questions that were asked so far. */
  #questions = 0;
  /** Peers that have been started and are not in the ring yet. */
  readonly #outside = new Set<SimulatedPeer>();

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.random = seededRandom(options.seed);
    this.#rules = options.rules ?? ringRules;
    this.#watches = new Watches(this.#rules, [], 0);
    this.faults = new NetworkFaults(seededRandom(this.random.below(2 ** 32)), options.network);
    this.network = new MemoryNetwork({
      clock: this.clock,
      random: seededRandom(this.random.below(2 ** 32)),
      delayMs: (from, to) => this.faults.delayMs(from, to),
      fault: (message) => {
        this.note(`${message.kind} ${message.method} ${message.from} ${message.to}`);
        return this.fault(message) ?? this.faults.decide(message);
      },
      onArrival: ({ to }) => {
        const peer = this.#byAddress.get(to);
        if (peer !== undefined) this.touch(peer);
      },
    });
    this.clock.onEvent = () => this.#afterEvent();
  }

  /** From now on these rules hold, beginning with this moment. */
  require(rules: RuleSet): void {
    this.#rules = rules;
    this.#watches = new Watches(rules, this.peers, this.clock.monotonicMs());
    this.checker.forgetChecks();
    this.#check([...this.checker.live.keys()]);
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
    this.#byAddress.set(peer.address, peer);
    this.#byId.set(peer.id, peer);
    return peer;
  }

  /** The peer with an id. */
  peerOf(id: Id): SimulatedPeer | undefined {
    return this.#byId.get(id);
  }

  /** A peer has another address from now on. */
  moved(peer: SimulatedPeer, address: string): void {
    this.#byAddress.delete(peer.address);
    this.#byAddress.set(address, peer);
  }

  /** Something happens in a peer's process: its pointers are looked at when the event is over. */
  touch(peer: SimulatedPeer): void {
    this.#touched.add(peer);
  }

  /** A peer is on its way into the ring. */
  watch(peer: SimulatedPeer): void {
    this.#outside.add(peer);
  }

  /** Listens to what a peer asks and answers: for the rules. */
  earFor(peer: SimulatedPeer): Ear {
    const say = (what: Saying['what'], method: MethodName, question: number): void => {
      const { id, isInside, state } = peer;
      const { events: event } = this.clock;
      const hasPointers = state !== undefined;
      this.#watches.said({ id, what, method, question, hasPointers, isInside, event });
    };
    return {
      asks: (method) => {
        this.#questions += 1;
        const question = this.#questions;
        say('asks', method, question);
        return () => say('has asked', method, question);
      },
      answers: (method, caller) => {
        if (caller.kind === 'peer') say('answers', method, 0);
      },
    };
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

  /** Makes peers that all join at once, as many as there are already, until there are enough: the fastest way. */
  async growInCrowds(count: number, options: SimulatedPeerOptions = {}): Promise<void> {
    if (this.live.length === 0) await this.grow(1, options);
    while (this.live.length < count) {
      const entries = this.live;
      const crowd = entries
        .slice(0, count - entries.length)
        .map((entry) => this.peer(options).start([entry]));
      await this.clock.run(Promise.all(crowd));
    }
    await this.untilIdeal(3_600_000);
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

  /** What keeps the ring from being ideal: see {@link whyNotIdeal}. */
  whyNotIdeal(): string | undefined {
    const { live } = this;
    return live.some(({ state }) => state === undefined)
      ? 'somebody is still outside'
      : whyNotIdeal(this.members(), limits.successorListLength);
  }

  /** Lets time pass until every live peer knows exactly its true neighbours. @returns how long it took. */
  async untilIdeal(withinMs = 120_000): Promise<number> {
    const sinceMs = this.clock.monotonicMs();
    let isChanged = true;
    const onChange = (): void => {
      isChanged = true;
    };
    this.listeners.add(onChange);
    const isIdeal = (): boolean => {
      if (!isChanged) return false;
      isChanged = false;
      return this.whyNotIdeal() === undefined;
    };
    try {
      await this.clock.runUntil('the ring is ideal', isIdeal, withinMs);
    } catch (error) {
      const why = this.whyNotIdeal() ?? 'the pointers are, now';
      throw new Error(`${messageOf(error)} (${why}; seed ${this.seed})`, { cause: error });
    } finally {
      this.listeners.delete(onChange);
    }
    return this.clock.monotonicMs() - sinceMs;
  }

  /** Cuts the network: nothing passes between the two sides. */
  cut(one: readonly SimulatedPeer[], other: readonly SimulatedPeer[]): void {
    this.faults.cut(
      one.map(({ address }) => address),
      other.map(({ address }) => address),
    );
  }

  /** Everything passes again. */
  heal(): void {
    this.fault = () => undefined;
    this.faults.heal();
  }

  /** Writes something that happened into the trace. */
  note(what: string): void {
    this.#trace.note(this.clock.monotonicMs(), what);
  }

  /** A hash of everything that has happened. */
  get trace(): string {
    return this.#trace.digest;
  }

  /** A rule was broken. */
  violated(rule: string, what: string): void {
    // One broken rule goes on being broken; the first ones say what is to be known.
    if (this.violations.length < violationsKept) {
      this.violations.push({ rule, what, atMs: this.clock.monotonicMs() });
    }
  }

  #afterEvent(): void {
    for (const peer of this.#outside) {
      this.#touched.add(peer);
      if (!peer.isUp || peer.state !== undefined) this.#outside.delete(peer);
    }
    if (this.#touched.size === 0) return;
    const changed: Id[] = [];
    for (const peer of this.#touched) {
      this.#watches.look(peer, this.clock.monotonicMs());
      const state = peer.isUp ? peer.state : undefined;
      if (this.checker.live.get(peer.id) === state) continue;
      this.checker.update(peer.id, state);
      changed.push(peer.id);
      if (state !== undefined) this.note(describe(state));
    }
    this.#touched.clear();
    if (changed.length > 0) for (const listener of this.listeners) listener();
    this.#check(changed);
  }

  #check(changed: readonly Id[]): void {
    for (const { rule, what } of this.checker.broken(this.#rules, changed)) this.violated(rule, what);
    for (const { rule, what } of this.#watches.broken()) this.violated(rule, what);
  }
}

/** Pointers, in short, for the trace. */
function describe({ self, predecessor, successors }: RingState): string {
  const ids = successors.map(({ id }) => id.slice(0, 8));
  return `state ${self.address} ${predecessor?.id.slice(0, 8) ?? '-'} ${ids.join()}`;
}
