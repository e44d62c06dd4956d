/**
 * Copies: the peer responsible for a key hands a value to the other holders, and counts who has it on disk.
 *
 * A write counts when a majority of the wanted copies is on disk. The wanted number is the policy's, or the number of
 * machines that the ring has, if that is smaller. What "the ring has" is read off the roster of machines seen lately and
 * not off those reachable now: a peer cut off from its ring does not take writes for the whole of it.
 */
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { type Id, shortId } from '../ring/identifier.js';
import { inHalfOpen } from '../ring/interval.js';
import type { PeerRef } from '../ring/peer.js';
import type { Membership } from './membership.js';
import { holderOrder, majorityOf } from './placement.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface ReplicationOptions {
  readonly membership: Membership;
  readonly remembered: RememberedPeers;
  readonly log: Logger;
  /** Copies of each value. */
  readonly replicas: number;
  /** How long a machine that is not seen still counts as one of the ring's. */
  readonly rosterMs: number;
}

/** Does one thing at one holder; this peer is among them. */
export type AtHolder<T> = (holder: PeerRef) => Promise<T>;

/** What came of doing something at the holders. */
export interface Spread<T> {
  /** The answers of the holders that did it, in the order in which they came. */
  readonly done: readonly T[];
  /** How many of the wanted copies are a majority. */
  readonly majority: number;
  /** Resolves when the others have done it too, or failed: whether all did it. */
  readonly settled: Promise<boolean>;
}

export class Replication {
  readonly #options: ReplicationOptions;
  /** Copies that are still on their way after their write was acknowledged. */
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(options: ReplicationOptions) {
    this.#options = options;
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

  /**
   * How many of the keys held here have fewer copies than the policy asks for, as far as can be told from the number
   * of machines within reach.
   */
  keysShort(keysHeld: number): number {
    const { self, successors, predecessor } = this.#options.membership.state;
    const machines = new Set(
      [self, ...successors, ...(predecessor === null ? [] : [predecessor])].map((peer) => peer.machine),
    );
    return machines.size < this.#options.replicas ? keysHeld : 0;
  }

  /**
   * Checks that a key belongs to this peer, so that a value is not put where nobody looks for it.
   * @throws PeerStoreError NOT_RESPONSIBLE.
   */
  requireResponsible(key: Id): void {
    const { membership } = this.#options;
    const { self, predecessor } = membership.state;
    if (predecessor === null || inHalfOpen(predecessor.id, key, self.id)) return;
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
   * Does something at the holders of what this peer is responsible for, as many as there are copies wanted; where one
   * fails, the next one behind it stands in.
   * @returns when a majority has done it; the others go on.
   * @throws PeerStoreError what a holder said if it refused for a reason of the value itself (CONFLICT, DAMAGED,
   *   FORBIDDEN), NO_SPACE if disks are full, else TOO_FEW_COPIES.
   */
  async spread<T>(what: string, atHolder: AtHolder<T>): Promise<Spread<T>> {
    const result = await this.#spread(what, atHolder, (done, majority) => done >= majority);
    // Late copies hold their bytes in memory; when there are many, the next write waits for them.
    while (this.#underWay.size > limits.copiesUnderWay) await Promise.race(this.#underWay);
    return result;
  }

  /**
   * The same, but waits for as many holders as there are copies wanted, if they can be reached: for questions, where
   * each answer counts.
   */
  async spreadToAll<T>(what: string, atHolder: AtHolder<T>): Promise<Spread<T>> {
    return this.#spread(what, atHolder, () => false);
  }

  #spread<T>(
    what: string,
    atHolder: AtHolder<T>,
    isEnough: (done: number, majority: number) => boolean,
  ): Promise<Spread<T>> {
    const { self, successors } = this.#options.membership.state;
    const waiting = [...holderOrder([self, ...successors])];
    const wanted = this.wantedCopies;
    const majority = majorityOf(wanted);
    const done: T[] = [];
    const failures: Error[] = [];
    return new Promise((resolve, reject) => {
      let running = 0;
      let settle!: (all: boolean) => void;
      const settled = new Promise<boolean>((whenSettled) => (settle = whenSettled));
      const next = (): void => {
        while (running + done.length < wanted) {
          const holder = waiting.shift();
          if (holder === undefined) break;
          running += 1;
          this.#track(start(holder));
        }
        const over = running === 0;
        if (over) settle(failures.length === 0);
        if (isEnough(done.length, majority) || (over && done.length >= majority)) {
          resolve({ done: [...done], majority, settled });
        } else if (over) reject(this.#failure(what, done.length, majority, failures));
      };
      const start = async (holder: PeerRef): Promise<void> => {
        try {
          done.push(await atHolder(holder));
        } catch (error) {
          failures.push(error instanceof Error ? error : new Error(messageOf(error)));
          this.#options.log.debug(`${what} failed at a holder`, {
            holder: holder.address,
            error: messageOf(error),
          });
        }
        running -= 1;
        next();
      };
      next();
    });
  }

  /** Resolves when every copy that is under way has arrived or failed. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #track(copy: Promise<unknown>): void {
    this.#underWay.add(copy);
    void copy.finally(() => this.#underWay.delete(copy));
  }

  #failure(what: string, done: number, majority: number, failures: readonly Error[]): Error {
    const ofTheValue = failures.find((error) =>
      hasCode(error, 'CONFLICT', 'DAMAGED', 'FORBIDDEN', 'PROTOCOL'),
    );
    if (ofTheValue !== undefined) return ofTheValue;
    const full = failures.find((error) => hasCode(error, 'NO_SPACE'));
    if (full !== undefined) return full;
    return new PeerStoreError(
      'TOO_FEW_COPIES',
      `${what}: ${done} of the ${majority} copies that make a majority are on disk; too few peers can be reached`,
      { cause: failures.at(-1), retryAfterMs: notResponsibleRetryMs },
    );
  }
}

/** About a round of stabilize: then the pointers have caught up. */
const notResponsibleRetryMs = 500;
