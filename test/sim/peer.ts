/** A peer of the simulated world: what stays of it between its runs, and the run that it is in. */
import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import { hashToId, idToBytes } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import { Node, type NodePolicy } from '../../src/node/node.js';
import type { PoolOptions } from '../../src/node/pool.js';
import type { PeerMemory, RememberedPeer } from '../../src/node/remembered-peers.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { Machine } from './machine.js';
import { clockOf, type Quartz } from './quartz.js';
import type { World } from './world.js';

export interface SimulatedPeerOptions {
  readonly id?: Id;
  /** By default each peer is a machine of its own. */
  readonly machine?: Id;
  readonly zone?: string;
  readonly pool?: PoolOptions;
  readonly policy?: NodePolicy;
  readonly capacityBytes?: number;
}

export class SimulatedPeer {
  readonly id: Id;
  readonly machine: Id;
  /** Its machine's clock; it keeps what is set here over restarts. */
  readonly quartz: Quartz = { rate: 1, aheadMs: 0 };
  address: string;
  store: Store;
  /** Asked before every operation on its disk: what it fails with, if it fails. */
  diskFault: (operation: keyof Store) => Error | undefined = () => undefined;
  readonly #world: World;
  readonly #options: SimulatedPeerOptions;
  #remembered: readonly RememberedPeer[] = [];
  #process: Machine | undefined;
  #node: Node | undefined;

  constructor(world: World, options: SimulatedPeerOptions & { readonly id: Id; readonly address: string }) {
    this.#world = world;
    this.#options = options;
    this.id = options.id;
    this.machine = options.machine ?? hashToId(idToBytes(options.id));
    this.address = options.address;
    this.store = this.#emptyStore();
  }

  /** Whether its process runs, paused or not. */
  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** The running node, once it has joined. @throws Error before. */
  get node(): Node {
    if (this.#node === undefined) throw new Error(`the peer at ${this.address} is not running`);
    return this.#node;
  }

  /** Its pointers of this moment, or those that it had when it crashed; undefined while it is outside. */
  get state(): RingState | undefined {
    return this.#node?.membership.isInside === true ? this.#node.membership.state : undefined;
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
   * @throws Error when it crashes on the way; what Node.enter throws.
   * @param through peers to join by; without any, those that it remembers
   */
  async start(through: readonly SimulatedPeer[] = []): Promise<Node> {
    const world = this.#world;
    world.note(`start ${this.address}`);
    world.watch(this);
    const process = new Machine(world.network, this.#clock(), () => world.touch(this));
    this.#process = process;
    this.#node = undefined;
    const { zone, policy } = this.#options;
    const node = await Node.open({
      id: this.id,
      machine: this.machine,
      listenAddress: this.address,
      advertise: (listening) => listening,
      transport: process.transport({ kind: 'peer', ids: [this.id], machine: this.machine }),
      store: process.store(this.store, (operation) => this.diskFault(operation)),
      memory: this.#memory(),
      clock: process.clock,
      random: seededRandom(world.random.below(2 ** 32)),
      log: silentLogger,
      pool: this.#options.pool ?? { workers: 4, queueLength: 40 },
      ...(zone === undefined ? {} : { zone }),
      ...(policy === undefined ? {} : { policy }),
    });
    this.#node = node;
    await process.unlessItCrashes(node.enter(through.map(({ ref }) => ref)));
    return node;
  }

  /** Ends its process without a word. */
  crash(): void {
    this.#world.note(`crash ${this.address}`);
    this.#process?.crash(this.address);
    this.#process = undefined;
    this.#world.touch(this);
  }

  /** Ends it in good order. */
  async stop(): Promise<void> {
    await this.node.stop();
    this.#process = undefined;
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
    this.store = this.#emptyStore();
  }

  /** Stops its process for a while: see Machine.pause. */
  pause(): void {
    this.#world.note(`pause ${this.address}`);
    this.#process?.pause(this.address);
  }

  resume(): void {
    this.#world.note(`resume ${this.address}`);
    this.#process?.resume(this.address);
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

  #emptyStore(): Store {
    const { capacityBytes } = this.#options;
    return createMemoryStore({
      clock: this.#clock(),
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    });
  }

  #clock(): Clock {
    return clockOf(this.quartz, this.#world.clock);
  }
}
