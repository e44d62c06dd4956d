/** A peer of the simulated world: what stays of it between its runs, and the run that it is in. */
import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import { hashToId, idToBytes } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import { Node, type NodePolicy } from '../../src/node/node.js';
import type { UpkeepIntervals } from '../../src/node/upkeep.js';
import type { PoolOptions } from '../../src/node/pool.js';
import type { PeerMemory, RememberedPeer } from '../../src/node/remembered-peers.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { Holdings } from './holdings.js';
import { Crashed, Machine } from './machine.js';
import { clockOf, type Quartz } from './quartz.js';
import { overheard } from './overheard.js';
import type { World } from './world.js';

type Pointers = Pick<RingState, 'predecessor' | 'successors'>;

export interface SimulatedPeerOptions {
  readonly id?: Id;
  /** By default each peer is a machine of its own. */
  readonly machine?: Id;
  readonly zone?: string;
  readonly pool?: PoolOptions;
  readonly policy?: NodePolicy;
  /** The most peers that it keeps in mind for routing. */
  readonly knownPeers?: number;
  readonly intervals?: UpkeepIntervals;
  readonly capacityBytes?: number;
}

export class SimulatedPeer {
  readonly id: Id;
  readonly machine: Id;
  /** Its machine's clock; it keeps what is set here over restarts. */
  readonly quartz: Quartz = { rate: 1, aheadMs: 0 };
  address: string;
  store: Store;
  /** What is on its disk. */
  holdings: Holdings;
  /** Asked before every operation on its disk: what it fails with, if it fails. */
  diskFault: (operation: keyof Store) => Error | undefined = () => undefined;
  readonly #world: World;
  readonly #options: SimulatedPeerOptions;
  #remembered: readonly RememberedPeer[] = [];
  #pointers: Pointers | undefined;
  #process: Machine | undefined;
  #node: Node | undefined;
  #hasServed = false;
  #hasLeft = false;
  #runningSinceMs = 0;
  #isLeaving = false;

  constructor(world: World, options: SimulatedPeerOptions & { readonly id: Id; readonly address: string }) {
    this.#world = world;
    this.#options = options;
    this.id = options.id;
    this.machine = options.machine ?? hashToId(idToBytes(options.id));
    this.address = options.address;
    ({ store: this.store, holdings: this.holdings } = this.#emptyDisk());
  }

  /** Whether its process runs, paused or not. */
  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** Since when its process runs without having stood still, in virtual time; undefined when it does not run. */
  get runningSinceMs(): number | undefined {
    return this.#process === undefined || this.#process.isPaused ? undefined : this.#runningSinceMs;
  }

  /** Whether it is on its way out, in good order. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Whether it has ever said goodbye, so that others may not count on it. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether it has ever got into the ring, so that its operator need not tell it the way again. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** The running node, once it has joined. @throws Error before. */
  get node(): Node {
    if (this.#node === undefined) throw new Error(`the peer at ${this.address} is not running`);
    return this.#node;
  }

  /** Whether it speaks for the ring; it has joined before. */
  get isInside(): boolean {
    return this.isUp && this.#node?.membership.isInside === true;
  }

  /** Its pointers of this moment, or those that it had when it crashed; undefined while it is outside. */
  get state(): RingState | undefined {
    return this.#node?.membership.hasJoined === true ? this.#node.membership.state : undefined;
  }

  /** The peers that it remembers on its disk. */
  get remembered(): readonly PeerRef[] {
    return this.#remembered.map(({ peer }) => peer);
  }

  get ref(): PeerRef {
    const { zone } = this.#options;
    return {
      id: this.id,
      machine: this.machine,
      address: this.address,
      ...(zone === undefined ? {} : { zone }),
    };
  }

  /**
   * Starts it.
   * @throws Crashed when it crashes on the way; what Node.enter throws.
   * @param through peers to join by; without any, those that it remembers
   */
  async start(through: readonly SimulatedPeer[] = []): Promise<Node> {
    const world = this.#world;
    world.note(`start ${this.address}`);
    world.watch(this);
    world.network.resume(this.address);
    const process = new Machine(world.network, this.#clock(), () => world.touch(this));
    this.#process = process;
    this.#runningSinceMs = world.clock.monotonicMs();
    this.#node = undefined;
    const { zone, policy, intervals, knownPeers } = this.#options;
    const pointers = this.#pointers;
    this.#pointers = undefined;
    const node = await Node.open({
      id: this.id,
      machine: this.machine,
      listenAddress: this.address,
      advertise: (listening) => listening,
      transport: overheard(
        process.transport({ kind: 'peer', ids: [this.id], machine: this.machine }),
        world.earFor(this),
      ),
      store: process.store(this.store, (operation) => this.diskFault(operation)),
      memory: this.#memory(),
      clock: process.clock,
      random: seededRandom(world.random.below(2 ** 32)),
      log: silentLogger,
      pool: this.#options.pool ?? { workers: 4, queueLength: 40 },
      ...(zone === undefined ? {} : { zone }),
      ...(policy === undefined ? {} : { policy }),
      ...(knownPeers === undefined ? {} : { knownPeers }),
      ...(intervals === undefined ? {} : { intervals }),
      ...(pointers === undefined ? {} : { pointers }),
      onVerdict: (verdict) => {
        for (const observer of world.observers) observer.judged?.(this, verdict);
      },
    });
    this.#node = node;
    await process.unlessItCrashes(node.enter(through.map(({ ref }) => ref)));
    this.#hasServed = true;
    return node;
  }

  /** Sets what it begins with when it is started for the first time: its pointers, true or not, and whom it remembers. */
  beginWith(pointers: Pointers, remembered: readonly PeerRef[]): void {
    const lastSeenMs = this.#world.clock.nowMs();
    this.#pointers = pointers;
    this.#remembered = remembered.map((peer) => ({ peer, lastSeenMs }));
  }

  /** What the world waits for of this peer. @throws Crashed when it crashes first. */
  unlessItCrashes<T>(work: Promise<T>): Promise<T> {
    return this.#process?.unlessItCrashes(work) ?? Promise.reject(new Crashed('the process does not run'));
  }

  /**
   * Ends its process without a word.
   * @param options.isSilent whether its machine stops as well, so that nobody hears that the process is gone
   */
  crash(options: { readonly isSilent?: boolean } = {}): void {
    const { isSilent = false } = options;
    this.#world.note(`${isSilent ? 'power loss' : 'crash'} ${this.address}`);
    this.#end(isSilent);
    for (const observer of this.#world.observers) observer.crashed?.(this);
  }

  /** It leaves the ring for good, and ends when others have all that it holds. @throws Crashed when it crashes first. */
  async drain(): Promise<void> {
    this.#world.note(`drain ${this.address}`);
    this.#isLeaving = true;
    this.#hasLeft = true;
    this.#world.touch(this);
    await this.unlessItCrashes(this.node.drain());
    await this.stop();
  }

  /** Ends it in good order. @throws Error when it crashes first. */
  async stop(): Promise<void> {
    const process = this.#process;
    this.#world.note(`stop ${this.address}`);
    this.#isLeaving = true;
    this.#hasLeft = true;
    this.#world.touch(this);
    await process?.unlessItCrashes(this.node.stop());
    this.#end(false);
  }

  #end(isSilent: boolean): void {
    this.#process?.crash(this.address);
    if (isSilent) this.#world.network.pause(this.address);
    this.#process = undefined;
    this.#isLeaving = false;
    this.#world.touch(this);
  }

  /** Starts it again after a crash or a stop, by the peers that it remembers. */
  restart(options: { readonly address?: string } = {}): Promise<Node> {
    if (options.address !== undefined) {
      this.#world.moved(this, options.address);
      this.address = options.address;
    }
    return this.start();
  }

  /** What it has stored is gone; its identity and the peers that it remembers are not. */
  loseDisk(): void {
    this.#world.note(`${this.address} loses its disk`);
    for (const observer of this.#world.observers) observer.losing?.(this);
    ({ store: this.store, holdings: this.holdings } = this.#emptyDisk());
  }

  /** A bit of a block on its disk flips. */
  async rot(id: Id): Promise<void> {
    this.#world.note(`${this.address} rots`);
    const found = await this.store.getBlock(id);
    // The store in memory hands out the very bytes that it keeps.
    if (found !== undefined && found.bytes.length > 0) found.bytes[0]! ^= 1;
  }

  /** Stops its process for a while: see Machine.pause. */
  pause(): void {
    this.#world.note(`pause ${this.address}`);
    this.#process?.pause(this.address);
  }

  resume(): void {
    this.#world.note(`resume ${this.address}`);
    this.#process?.resume(this.address);
    this.#runningSinceMs = this.#world.clock.monotonicMs();
  }

  #memory(): PeerMemory {
    return {
      load: () => Promise.resolve(this.#remembered),
      save: (peers) => {
        this.#remembered = peers;
        return Promise.resolve();
      },
    };
  }

  #emptyDisk(): { readonly store: Store; readonly holdings: Holdings } {
    const { capacityBytes } = this.#options;
    const holdings = new Holdings((id, sequence, bytes) => {
      for (const observer of this.#world.observers) observer.kept?.(this, id, sequence, bytes);
    });
    const store = createMemoryStore({
      clock: this.#clock(),
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    });
    return { holdings, store: holdings.noting(store) };
  }

  #clock(): Clock {
    return clockOf(this.quartz, this.#world.clock);
  }
}
