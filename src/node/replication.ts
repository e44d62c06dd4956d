/**
 * Copies: the peer responsible for a key hands a value to the other holders, and counts who has it on disk.
 *
 * A write counts when a majority of the wanted copies is on disk. The wanted number is the policy's, or the number of
 * machines that the ring has, if that is smaller. What "the ring has" is read off the roster of machines seen lately and
 * not off those reachable now: a peer cut off from its ring does not take writes for the whole of it.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { type Id, shortId } from '../ring/identifier.js';
import { inHalfOpen } from '../ring/interval.js';
import type { PeerRef } from '../ring/peer.js';
import type { RingState } from '../ring/state.js';
import { type AtHolder, Copies, failureOf, TooFew } from './copies.js';
import { Majority } from './majority.js';
import type { Membership } from './membership.js';
import { holderOrder, majorityOf } from './placement.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface ReplicationOptions {
  readonly membership: Membership;
  readonly remembered: RememberedPeers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Copies of each value. */
  readonly replicas: number;
  /** How long a machine that is not seen still counts as one of the ring's. */
  readonly rosterMs: number;
  /** Told when a holder has not done what it should have: it is owed that. */
  readonly onOwed: () => void;
}

/** What came of doing something at the holders. */
export interface Spread<T> {
  /** The answers of the holders that did it, in the order in which they came. */
  readonly done: readonly T[];
  /** How many of the wanted copies are a majority. */
  readonly majority: number;
}

export class Replication {
  readonly #options: ReplicationOptions;
  readonly #copies: Copies;
  readonly #majority: Majority;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#majority = new Majority(options);
    this.#copies = new Copies({ ...options, onSlow: (holder) => options.membership.doubt(holder) });
  }

  /** The copies that a value has when the ring is whole. */
  get wantedCopies(): number {
    const { membership, remembered, replicas, rosterMs } = this.#options;
    const { self, successors } = membership.state;
    const machines = new Set(remembered.machinesSeen(rosterMs));
    for (const { machine } of successors) machines.add(machine);
    machines.add(self.machine);
    return Math.min(replicas, machines.size);
  }

  /** Who is to hold the keys of this peer, itself the first, and as many behind those. */
  get holdersAndThoseBehind(): readonly PeerRef[] {
    const { self, successors } = this.#options.membership.state;
    return holderOrder([self, ...successors]).slice(0, 2 * this.wantedCopies);
  }

  /**
   * Checks that a key belongs to this peer, so that a value is not put where nobody looks for it.
   * @throws PeerStoreError NOT_RESPONSIBLE, or UNSETTLED while this peer is outside the ring, or does not know where its
   *   keys begin.
   */
  requireResponsible(key: Id): void {
    const { membership } = this.#options;
    const { self, predecessor, successors } = membership.insideState;
    if (predecessor === null) {
      if (successors.length === 0) return;
      throw new PeerStoreError(
        'UNSETTLED',
        'this peer has just lost the one before it, and does not know yet where its keys begin',
        { retryAfterMs: notResponsibleRetryMs },
      );
    }
    if (inHalfOpen(predecessor.id, key, self.id)) return;
    membership.doubtPredecessor();
    throw new PeerStoreError(
      'NOT_RESPONSIBLE',
      `${shortId(key)} belongs to another peer now; look it up again`,
      {
        retryAfterMs: notResponsibleRetryMs,
      },
    );
  }

  /**
   * Checks that this peer may be counted on to keep something new, where another one passes it on.
   * @throws PeerStoreError UNSETTLED when it is leaving the ring for good.
   */
  requireStaying(): void {
    if (this.#options.membership.hasDeparted)
      throw new PeerStoreError('UNSETTLED', 'this peer is leaving the ring for good, and keeps nothing new');
  }

  /**
   * Checks that users may give things up here: see {@link Majority}.
   * @throws PeerStoreError UNSETTLED while this peer may be cut off from its ring.
   */
  requireMajority(): void {
    this.#majority.require();
  }

  /** The pointers of this peer have changed. */
  pointersChanged(before: RingState): void {
    this.#majority.changed(before);
  }

  /**
   * Does something at the holders of what this peer is responsible for, as many as there are copies wanted; where one
   * fails, the next one behind it stands in.
   * @param signal fires when whoever asked for it gave up
   * @param onSettled called when nothing of it is under way any more, with whether nothing of it failed
   * @returns when a majority has done it; the others go on.
   * @throws PeerStoreError what a holder said if it refused for a reason of the value itself (CONFLICT, DAMAGED,
   *   FORBIDDEN), NO_SPACE if disks are full, CANCELLED, else TOO_FEW_COPIES.
   */
  spread<T>(
    what: string,
    signal: AbortSignal,
    atHolder: AtHolder<T>,
    onSettled?: (allDone: boolean) => void,
  ): Promise<Spread<T>> {
    return this.#spread(what, signal, atHolder, () => true, onSettled);
  }

  /**
   * The same, but waits for as many holders as there are copies wanted, if they can be reached: for questions, where
   * each answer counts.
   * @param isEnough whether the answers of a majority and more say all that can be said
   */
  spreadToAll<T>(
    what: string,
    signal: AbortSignal,
    atHolder: AtHolder<T>,
    isEnough: (done: readonly T[], majority: number) => boolean = () => false,
  ): Promise<Spread<T>> {
    return this.#spread(what, signal, atHolder, isEnough);
  }

  /** A peer was found dead: nothing waits for it any longer. */
  gone({ id }: PeerRef): void {
    this.#copies.giveUpOn(id);
  }

  /** Resolves when every copy that is under way has arrived or failed, or was given up after `graceMs`. */
  settle(graceMs: number): Promise<void> {
    return this.#copies.settle(graceMs);
  }

  async #spread<T>(
    what: string,
    signal: AbortSignal,
    atHolder: AtHolder<T>,
    isEnough: (done: readonly T[], majority: number) => boolean,
    onSettled?: (allDone: boolean) => void,
  ): Promise<Spread<T>> {
    const { self, successors } = this.#options.membership.state;
    const wanted = this.wantedCopies;
    const majority = majorityOf(wanted);
    try {
      const done = await this.#copies.run({
        candidates: holderOrder([self, ...successors]),
        wanted,
        majority,
        atHolder,
        isEnough: (answers) => isEnough(answers, majority),
        onSettled,
        signal,
        onFailure: ({ address }, error) => {
          this.#options.onOwed();
          this.#options.log.debug(`${what} failed at a holder`, {
            holder: address,
            error: messageOf(error),
          });
        },
      });
      return { done, majority };
    } catch (error) {
      throw error instanceof TooFew ? failureOf(what, error, majority) : error;
    }
  }
}

/** About a round of stabilize: then the pointers have caught up. */
const notResponsibleRetryMs = 500;
