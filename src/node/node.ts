/**
 * A peer: its place in the ring, its store, its copies and its handlers, put together.
 *
 * Everything it stands on comes in as arguments, so that a thousand of them run in one process under virtual time.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import type { RingState } from '../ring/state.js';
import type { DiskStatus } from '../store/disk-health.js';
import type { Store } from '../store/store.js';
import type { Endpoint, Listener, Transport } from '../wire/transport.js';
import { Contacts } from './contacts.js';
import { createDispatch, type Handlers } from './dispatch.js';
import { type EntranceOptions, joinRing, untilTakenIn } from './entrance.js';
import type { Admission } from './handlers/enroll.js';
import { handlersOf } from './handlers/index.js';
import type { Verdict } from './liveness.js';
import { LocalHealth } from './local-health.js';
import { Membership } from './membership.js';
import { type PoolOptions, type PoolStatus, WorkerPool } from './pool.js';
import { type PeerMemory, RememberedPeers } from './remembered-peers.js';
import { drain } from './repair/drain.js';
import { Pace } from './repair/pace.js';
import { Repair, type RepairStatus } from './repair/repair.js';
import { Scrubber, scrubMemory, type ScrubMemory, type ScrubProgress } from './repair/scrubber.js';
import { Replication } from './replication.js';
import { Trash } from './trash.js';
import { defaultIntervals, intervalsFor, longestSilenceMs, Upkeep, type UpkeepIntervals } from './upkeep.js';

/** The ring's policy, as far as a peer carries it out. */
export interface NodePolicy {
  /** Copies of each value. */
  readonly replicas: number;
  /** How long an absent machine still counts as one of the ring's. */
  readonly rosterMs: number;
  /** How long a deleted block can be brought back. */
  readonly trashMs: number;
  /** How long a machine may be away before its copies are made anew elsewhere. */
  readonly repairAfterMs: number;
  /** In this time everything on a disk is read again once. */
  readonly scrubEveryMs: number;
}

export const defaultPolicy: NodePolicy = {
  replicas: 3,
  rosterMs: 600_000,
  trashMs: 7 * 86_400_000,
  repairAfterMs: 600_000,
  scrubEveryMs: 30 * 86_400_000,
};

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
  /** How far the scrub has come, over restarts; left out, it begins anew with each. */
  readonly scrubMemory?: ScrubMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pool: PoolOptions;
  /** Lets newcomers in, on peers that hold the authority. */
  readonly admission?: Admission;
  readonly intervals?: UpkeepIntervals;
  readonly policy?: NodePolicy;
  /** The most bytes of copies that are moved a second; undefined is no bound. */
  readonly repairBytesPerS?: number;
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
  readonly mended: number;
  readonly disk: DiskStatus;
  readonly replicas: number;
  /** Whether it leaves the ring for good. */
  readonly isLeaving: boolean;
  readonly pool: PoolStatus;
}

/** How long requests in hand may take when the peer stops. */
const stopGraceMs = 10_000;

export class Node {
  readonly #options: NodeOptions;
  readonly #policy: NodePolicy;
  readonly #listener: Listener;
  readonly #pool: WorkerPool;
  readonly #remembered: RememberedPeers;
  readonly #replication: Replication;
  readonly #repair: Repair;
  readonly #scrubber: Scrubber;
  readonly #trash: Trash;
  readonly #upkeep: Upkeep;
  readonly #stopping = new AbortController();
  #draining: Promise<void> | undefined;
  readonly membership: Membership;

  private constructor(
    options: NodeOptions,
    policy: NodePolicy,
    parts: {
      listener: Listener;
      pool: WorkerPool;
      remembered: RememberedPeers;
      replication: Replication;
      repair: Repair;
      membership: Membership;
    },
  ) {
    this.#options = options;
    this.#policy = policy;
    this.#listener = parts.listener;
    this.#pool = parts.pool;
    this.#remembered = parts.remembered;
    this.#replication = parts.replication;
    this.#repair = parts.repair;
    this.membership = parts.membership;
    const { clock, random, log, store } = options;
    const intervals = intervalsFor(policy, options.intervals ?? defaultIntervals);
    this.#scrubber = new Scrubber({
      store,
      clock,
      log,
      memory: options.scrubMemory ?? scrubMemory(),
      scrubEveryMs: policy.scrubEveryMs,
      roundMs: intervals.scrub.longestMs,
      mend: (ids) => parts.repair.mend(ids),
    });
    this.#trash = new Trash({ store, clock, log, trashMs: policy.trashMs });
    this.#upkeep = new Upkeep({
      clock,
      random,
      log,
      intervals,
      membership: parts.membership,
      remembered: parts.remembered,
      repair: parts.repair,
      scrubber: this.#scrubber,
      emptyTrash: () => this.#trash.empty(),
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
      onChange: (before, after) => {
        replication.pointersChanged(before);
        node.#upkeep.pointersChanged(before, after);
      },
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
      onOwed: () => node.#upkeep.copiesMissing(),
    });
    const pace = new Pace({
      clock,
      isBusy: () => pool.isServing,
      ...(options.repairBytesPerS === undefined ? {} : { bytesPerS: options.repairBytesPerS }),
    });
    const { store, machine, admission } = options;
    const repair = new Repair({
      ...policy,
      membership,
      remembered,
      store,
      transport,
      clock,
      random,
      log,
      mayMove: (sizeBytes, signal) => pace.mayMove(sizeBytes, signal),
    });
    const { replicas } = policy;
    ready(
      handlersOf({ membership, store, transport, machine, clock, admission, replication, repair, replicas }),
    );
    const node: Node = new Node(options, policy, {
      listener,
      pool,
      remembered,
      replication,
      repair,
      membership,
    });
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
      if (this.#options.pointers === undefined) await joinRing(this.#entrance, entries);
      else this.membership.beAt(this.#options.pointers);
      this.#upkeep.start();
      await untilTakenIn(this.#entrance, entries);
      // Not only in a moment: whoever has said that it is in the ring finds back to it, and knows how large it is.
      await this.#remember();
    } catch (error) {
      await this.#endUpkeep();
      await this.#shutDown();
      throw error;
    }
  }

  get #entrance(): EntranceOptions {
    return { ...this.#options, membership: this.membership, remembered: this.#remembered };
  }

  get self(): PeerRef {
    return this.membership.state.self;
  }

  status(): NodeStatus {
    const { blocks, records, ...stats } = this.#options.store.stats();
    return {
      ...this.membership.state,
      fingers: this.membership.fingers,
      keys: blocks + records,
      ...stats,
      replicas: this.#policy.replicas,
      isLeaving: this.membership.hasDeparted,
      pool: this.#pool.status(),
    };
  }

  /** How far from safe the keys are that this peer is responsible for, and what is done about it. */
  repairStatus(): Promise<RepairStatus> {
    return this.#repair.status();
  }

  /** How far the reading of everything has come; undefined before it began. */
  get scrubProgress(): ScrubProgress | undefined {
    return this.#scrubber.progress;
  }

  /**
   * Leaves the ring for good: tells the neighbours, hands everything over that this peer holds, and resolves when others
   * have it all. From then on it only waits to be stopped.
   * @throws PeerStoreError UNREACHABLE when there is nobody to hand it to, CANCELLED when it is stopped first.
   */
  drain(): Promise<void> {
    // Asked twice at a time, it is one and the same.
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
    return this.#draining;
  }

  async #drain(): Promise<void> {
    if (this.membership.state.successors.length === 0)
      throw new PeerStoreError('UNREACHABLE', 'this peer is alone: there is nobody to hand anything over to');
    // A round of repair may take a while: until it is over, this peer looks after the ring like everybody.
    await this.#upkeep.stopRepairing();
    await this.#upkeep.stop();
    await this.membership.departForGood();
    await drain({
      ...this.#options,
      repair: this.#repair,
      trash: this.#trash,
      signal: this.#stopping.signal,
    });
  }

  /** Finishes what is in hand, tells the neighbours, and closes. The store stays open: it is the caller's. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#endUpkeep();
    if (this.membership.hasJoined) await this.membership.leave();
    await this.#shutDown();
  }

  async #endUpkeep(): Promise<void> {
    this.#repair.end();
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
}
