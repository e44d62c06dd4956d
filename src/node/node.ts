/**
 * A peer: its place in the ring, its store, its copies and its handlers, put together.
 *
 * Everything it stands on comes in as arguments, so that a thousand of them run in one process under virtual time.
 */
import { type Clock, sleep } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { type Id, shortId } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import type { RingState } from '../ring/state.js';
import type { Store } from '../store/store.js';
import type { Endpoint, Listener, Transport } from '../wire/transport.js';
import { Contacts } from './contacts.js';
import { createDispatch, type Handlers } from './dispatch.js';
import { announceHandler } from './handlers/announce.js';
import { deleteBlockHandler } from './handlers/delete-block.js';
import { deleteRecordHandler } from './handlers/delete-record.js';
import { type Admission, enrollHandler } from './handlers/enroll.js';
import { fingerTableHandler } from './handlers/finger-table.js';
import { getBlockHandler } from './handlers/get-block.js';
import { getRecordHandler } from './handlers/get-record.js';
import { hasBlocksHandler } from './handlers/has-blocks.js';
import { introduceHandler } from './handlers/introduce.js';
import { knownPeersHandler } from './handlers/known-peers.js';
import { leaveHandler } from './handlers/leave.js';
import { notifyHandler } from './handlers/notify.js';
import { pingHandler } from './handlers/ping.js';
import { probeHandler } from './handlers/probe.js';
import { postBlockHandler } from './handlers/post-block.js';
import { postRecordHandler } from './handlers/post-record.js';
import { predecessorHandler } from './handlers/predecessor.js';
import { statusHandler } from './handlers/status.js';
import { successorHandler } from './handlers/successor.js';
import { successorListHandler } from './handlers/successor-list.js';
import type { Verdict } from './liveness.js';
import { LocalHealth } from './local-health.js';
import { Membership } from './membership.js';
import { type PoolOptions, type PoolStatus, WorkerPool } from './pool.js';
import { type PeerMemory, RememberedPeers } from './remembered-peers.js';
import { Replication } from './replication.js';
import { defaultIntervals, longestSilenceMs, Upkeep, type UpkeepIntervals } from './upkeep.js';

/** The ring's policy, as far as a peer carries it out. */
export interface NodePolicy {
  /** Copies of each value. */
  readonly replicas: number;
  /** How long an absent machine still counts as one of the ring's. */
  readonly rosterMs: number;
  /** How long a deleted block can be brought back. */
  readonly trashMs: number;
}

export const defaultPolicy: NodePolicy = { replicas: 3, rosterMs: 600_000, trashMs: 7 * 86_400_000 };

export interface NodeOptions {
  readonly id: Id;
  readonly machine: Id;
  readonly zone?: string;
  /** Where to listen: `host:port`. */
  readonly listenAddress: string;
  /** What to tell others, given the address that it really listens at. */
  readonly advertise: (listening: string) => string;
  readonly transport: Transport;
  readonly store: Store;
  readonly memory: PeerMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pool: PoolOptions;
  /** Lets newcomers in, on peers that hold the authority. */
  readonly admission?: Admission;
  readonly intervals?: UpkeepIntervals;
  readonly policy?: NodePolicy;
  /** Told of every suspicion and of what became of it: for those who count. */
  readonly onVerdict?: (verdict: Verdict) => void;
  /** The most peers that are kept in mind for routing, instead of `limits.knownPeers`. */
  readonly knownPeers?: number;
  /**
   * Pointers to begin with, in place of looking for the ring. For simulations alone: they show that a peer finds its place
   * from whatever it begins with, and no other door lets all peers of a ring begin with theirs at one moment.
   */
  readonly pointers?: Pick<RingState, 'predecessor' | 'successors'>;
}

/** What people see of a peer. */
export interface NodeStatus {
  readonly self: PeerRef;
  readonly predecessor: PeerRef | null;
  readonly successors: readonly PeerRef[];
  readonly fingers: readonly PeerRef[];
  readonly keys: number;
  readonly bytes: number;
  readonly capacityBytes: number | null;
  readonly damaged: number;
  readonly keysShort: number;
  readonly replicas: number;
  readonly pool: PoolStatus;
}

/** How long a newcomer waits for the ring to take it in before it serves all the same, in milliseconds. */
const takenInMs = 15_000;
/** How long it waits before it comes in by another member, in milliseconds: the one that it came by may be dead. */
const joinAnewMs = 3_000;
const takenInPollMs = 100;
/** How long requests in hand may take when the peer stops. */
const stopGraceMs = 10_000;

export class Node {
  readonly #options: NodeOptions;
  readonly #policy: NodePolicy;
  readonly #listener: Listener;
  readonly #pool: WorkerPool;
  readonly #remembered: RememberedPeers;
  readonly #replication: Replication;
  readonly #upkeep: Upkeep;
  readonly membership: Membership;

  private constructor(
    options: NodeOptions,
    policy: NodePolicy,
    parts: {
      listener: Listener;
      pool: WorkerPool;
      remembered: RememberedPeers;
      replication: Replication;
      membership: Membership;
    },
  ) {
    this.#options = options;
    this.#policy = policy;
    this.#listener = parts.listener;
    this.#pool = parts.pool;
    this.#remembered = parts.remembered;
    this.#replication = parts.replication;
    this.membership = parts.membership;
    const { clock, random, log, store, intervals = defaultIntervals } = options;
    this.#upkeep = new Upkeep({
      clock,
      random,
      log,
      intervals,
      membership: parts.membership,
      remembered: parts.remembered,
      emptyTrash: () => store.emptyTrash(clock.nowMs() - policy.trashMs),
    });
  }

  /**
   * Starts a peer: it listens, enters the ring, and serves.
   * @param entries peers to enter by; see {@link enter}
   * @throws PeerStoreError as {@link open} and {@link enter}.
   */
  static async start(options: NodeOptions, entries: readonly Endpoint[]): Promise<Node> {
    const node = await Node.open(options);
    await node.enter(entries);
    return node;
  }

  /**
   * A peer that listens and is still outside the ring: it hands out what it holds, and asks for patience in the rest.
   * @throws PeerStoreError IN_USE when the port is taken.
   */
  static async open(given: NodeOptions): Promise<Node> {
    const health = new LocalHealth(given.clock);
    const contacts = new Contacts(given.clock, health);
    const options = {
      ...given,
      clock: health.watching(given.clock),
      transport: contacts.noting(given.transport),
    };
    const { policy = defaultPolicy, intervals = defaultIntervals } = options;
    const remembered = new RememberedPeers(options.id, options.clock, options.memory, () =>
      node.#upkeep.memoryChanged(),
    );
    await remembered.load();
    const pool = new WorkerPool(options.pool);
    // Calls may come in while the address, and so the parts that need it, are not known yet: they wait for them.
    let ready: (node: Handlers) => void = () => undefined;
    const handlers = new Promise<Handlers>((resolve) => {
      ready = resolve;
    });
    const dispatch = handlers.then((table) => createDispatch(table, pool));
    const listener = await options.transport.listen(options.listenAddress, async (call) =>
      (await dispatch)(call),
    );
    const self: PeerRef = {
      id: options.id,
      machine: options.machine,
      address: options.advertise(listener.address),
      ...(options.zone === undefined ? {} : { zone: options.zone }),
    };
    const { transport, clock, random, log } = options;
    const membership = new Membership({
      self,
      transport,
      clock,
      random,
      log,
      remembered,
      contacts,
      health,
      listLength: limits.successorListLength,
      knownPeers: options.knownPeers ?? limits.knownPeers,
      predecessorSilentMs: longestSilenceMs(intervals.stabilize),
      onChange: (before, after) => node.#upkeep.pointersChanged(before, after),
      onVerdict: (verdict) => {
        options.onVerdict?.(verdict);
        if (verdict.verdict !== 'dead') return;
        replication.gone(verdict.peer);
        node.#upkeep.neighbourGone();
      },
    });
    const replication: Replication = new Replication({
      membership,
      remembered,
      clock,
      random,
      log,
      ...policy,
    });
    const node: Node = new Node(options, policy, { listener, pool, remembered, replication, membership });
    ready(node.#handlers());
    return node;
  }

  /**
   * Enters the ring. A peer that fails to is shut down.
   * @param entries peers to enter by. Without any, and without remembered ones that answer, it is a ring of one, and
   *   goes on looking for those it remembers.
   * @throws PeerStoreError UNREACHABLE or NOT_ADMITTED when entries were named and none of them let it in.
   */
  async enter(entries: readonly Endpoint[]): Promise<void> {
    try {
      await this.#join(entries);
      this.#upkeep.start();
      await this.#untilTakenIn(entries);
      // Not only in a moment: whoever has said that it is in the ring finds back to it, and knows how large it is.
      await this.#remember();
    } catch (error) {
      await this.#endUpkeep();
      await this.#shutDown();
      throw error;
    }
  }

  get self(): PeerRef {
    return this.membership.state.self;
  }

  status(): NodeStatus {
    const { blocks, records, bytes, capacityBytes, damaged } = this.#options.store.stats();
    const keys = blocks + records;
    return {
      ...this.membership.state,
      fingers: this.membership.fingers,
      keys,
      bytes,
      capacityBytes,
      damaged,
      keysShort: this.#replication.keysShort(keys),
      replicas: this.#policy.replicas,
      pool: this.#pool.status(),
    };
  }

  /** Finishes what is in hand, tells the neighbours, and closes. The store stays open: it is the caller's. */
  async stop(): Promise<void> {
    await this.#endUpkeep();
    await this.membership.leave();
    await this.#shutDown();
  }

  async #endUpkeep(): Promise<void> {
    await Promise.all([this.membership.end(), this.#upkeep.stop()]);
  }

  async #shutDown(): Promise<void> {
    try {
      await this.#listener.close(stopGraceMs);
      await this.#replication.settle(stopGraceMs);
      await this.#remember();
    } finally {
      await this.#options.transport.close();
    }
  }

  async #remember(): Promise<void> {
    try {
      await this.#remembered.save();
    } catch (error) {
      this.#options.log.warn(
        'the list of known peers could not be saved; the next start uses the one before',
        {
          error: messageOf(error),
        },
      );
    }
  }

  async #join(entries: readonly Endpoint[]): Promise<void> {
    if (this.#options.pointers !== undefined) {
      this.membership.beAt(this.#options.pointers);
      return;
    }
    if (entries.length > 0) {
      await this.membership.join(entries, limits.joinPatienceMs);
      return;
    }
    const remembered = this.#remembered.all();
    if (remembered.length > 0) {
      try {
        // Peers that all come back at once, after a power cut, do not all lose patience at once: the first one to do so
        // is the ring that the others join.
        const patienceMs = jittered(this.#options.random, limits.rejoinPatienceMs, 0.5);
        await this.membership.join(remembered, patienceMs);
        return;
      } catch (error) {
        this.#options.log.warn(
          'none of the remembered peers can be reached; this peer serves alone and goes on looking for them',
          { remembered: remembered.length, error: messageOf(error) },
        );
      }
    }
    this.membership.beInside();
  }

  async #untilTakenIn(entries: readonly Endpoint[]): Promise<void> {
    const { clock, log } = this.#options;
    const since = clock.monotonicMs();
    let triedAtMs = since;
    await this.membership.stabilize();
    while (!(await this.membership.isTakenIn())) {
      if (clock.monotonicMs() - since > takenInMs) {
        log.warn('the ring has not taken this peer in yet; it serves all the same', {
          id: shortId(this.self.id),
        });
        this.membership.beInside();
        return;
      }
      if (clock.monotonicMs() - triedAtMs > joinAnewMs) {
        await this.membership.joinAnew(entries);
        triedAtMs = clock.monotonicMs();
      }
      await sleep(clock, takenInPollMs);
    }
  }

  #handlers(): Handlers {
    const { store, transport, machine, admission } = this.#options;
    const { membership } = this;
    const spreading = { store, transport, machine, replication: this.#replication };
    return {
      ping: pingHandler,
      successor: successorHandler(membership),
      predecessor: predecessorHandler(membership),
      successorList: successorListHandler(membership),
      notify: notifyHandler(membership),
      announce: announceHandler(membership),
      introduce: introduceHandler(membership),
      probe: probeHandler(membership),
      knownPeers: knownPeersHandler(membership),
      fingerTable: fingerTableHandler(membership),
      leave: leaveHandler(membership),
      postBlock: postBlockHandler(spreading),
      getBlock: getBlockHandler(store),
      hasBlocks: hasBlocksHandler(spreading),
      deleteBlock: deleteBlockHandler(spreading),
      postRecord: postRecordHandler(spreading),
      getRecord: getRecordHandler(store),
      deleteRecord: deleteRecordHandler(spreading),
      enroll: enrollHandler(membership, admission),
      status: statusHandler({
        membership,
        store,
        replication: this.#replication,
        replicas: this.#policy.replicas,
      }),
    };
  }
}
