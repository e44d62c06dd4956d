/**
 * What a peer does of itself, and how often: closely while the ring is in motion, seldom while it is quiet. What others
 * have to hear of at once is told when it happens; the rounds find what got lost on the way.
 */
import { limits } from '../base/limits.js';
import type { RingState } from '../ring/state.js';
import { isSameList } from '../ring/successor-list.js';
import type { Membership } from './membership.js';
import { type Interval, jitterShare, Periodic, type PeriodicOptions } from './periodic.js';
import type { RememberedPeers } from './remembered-peers.js';
import type { Repair } from './repair/repair.js';
import type { Scrubber } from './repair/scrubber.js';

/** How often a peer looks after the ring and itself. */
export interface UpkeepIntervals {
  readonly stabilize: Interval;
  readonly fixFingers: Interval;
  readonly lookAround: Interval;
  readonly announce: Interval;
  readonly remember: Interval;
  readonly repair: Interval;
  readonly scrub: Interval;
  readonly emptyTrash: Interval;
}

export const defaultIntervals: UpkeepIntervals = {
  // How soon a neighbour's silence is noticed.
  stabilize: { shortestMs: 1_000, longestMs: 5_000 },
  fixFingers: { shortestMs: 2_000, longestMs: 60_000 },
  // Peers that all start at once, as after a power cut, may find nobody at first: they do not stay apart for long.
  lookAround: { shortestMs: 1_000, longestMs: 120_000 },
  // Changes that come close together are told together.
  announce: { shortestMs: 20, longestMs: Infinity },
  remember: { shortestMs: 500, longestMs: Infinity },
  // In a quiet ring: a question to each holder of the same keys.
  repair: { shortestMs: 2_000, longestMs: 60_000 },
  scrub: { shortestMs: 60_000, longestMs: 60_000 },
  // Soon after the start: a peer that never runs for an hour empties its trash, too.
  emptyTrash: { shortestMs: 60_000, longestMs: 3_600_000 },
};

/** Rounds of the scrub in the time in which everything is to be read, at least. */
const scrubRoundsMin = 20;

/** What a policy makes of the intervals: what it wants soon is looked after often. */
export function intervalsFor(
  { repairAfterMs, scrubEveryMs }: { readonly repairAfterMs: number; readonly scrubEveryMs: number },
  intervals: UpkeepIntervals,
): UpkeepIntervals {
  const { shortestMs, longestMs } = intervals.repair;
  const scrubMs = Math.min(intervals.scrub.longestMs, scrubEveryMs / scrubRoundsMin);
  return {
    ...intervals,
    repair: { shortestMs, longestMs: Math.min(longestMs, Math.max(shortestMs, repairAfterMs)) },
    scrub: { shortestMs: scrubMs, longestMs: scrubMs },
  };
}

/**
 * The longest time, in milliseconds, that lies between two questions of a peer to its first successor when all is well:
 * the longest pause, late by all of its jitter, and an answer that takes its time.
 */
export function longestSilenceMs({ longestMs }: Interval): number {
  return longestMs * (1 + jitterShare) + limits.pointersTimeoutMs;
}

export interface UpkeepOptions extends PeriodicOptions {
  readonly intervals: UpkeepIntervals;
  readonly membership: Membership;
  readonly remembered: RememberedPeers;
  readonly repair: Pick<Repair, 'round'>;
  readonly scrubber: Pick<Scrubber, 'round'>;
  readonly emptyTrash: () => Promise<unknown>;
}

export class Upkeep {
  readonly #stabilizing: Periodic;
  readonly #fixingFingers: Periodic;
  readonly #lookingAround: Periodic;
  readonly #announcing: Periodic;
  readonly #remembering: Periodic;
  readonly #repairing: Periodic;
  readonly #scrubbing: Periodic;
  readonly #emptyingTrash: Periodic;

  constructor({
    intervals,
    membership,
    remembered,
    repair,
    scrubber,
    emptyTrash,
    ...options
  }: UpkeepOptions) {
    const every = (name: string, interval: Interval, round: () => Promise<boolean>): Periodic =>
      new Periodic(options, name, interval, round);
    this.#stabilizing = every('stabilizing', intervals.stabilize, () => membership.stabilize());
    this.#fixingFingers = every('fixing fingers', intervals.fixFingers, () => membership.fixFingers());
    this.#lookingAround = every('looking for lost peers', intervals.lookAround, () =>
      membership.lookAround(),
    );
    this.#announcing = every('telling the predecessor', intervals.announce, async () => {
      await membership.announce();
      return false;
    });
    this.#remembering = every('remembering peers', intervals.remember, async () => {
      await remembered.save();
      return false;
    });
    this.#repairing = every('repairing', intervals.repair, () => repair.round());
    this.#scrubbing = every('scrubbing', intervals.scrub, () => scrubber.round());
    this.#emptyingTrash = every('emptying the trash', intervals.emptyTrash, async () => {
      await emptyTrash();
      return false;
    });
  }

  start(): void {
    for (const periodic of this.#all()) periodic.start();
  }

  /** Ends what is done for the copies, and waits for the rounds that are under way. */
  async stopRepairing(): Promise<void> {
    await Promise.all([this.#repairing.stop(), this.#scrubbing.stop()]);
  }

  /** Ends all of it, and waits for the rounds that are under way. */
  async stop(): Promise<void> {
    await Promise.all(this.#all().map((periodic) => periodic.stop()));
  }

  /** This peer's pointers have changed. */
  pointersChanged(before: RingState, after: RingState): void {
    this.#stabilizing.wake();
    // The predecessor's list is this peer and then as much of ours as there is room for: one entry less.
    const shown = ({ successors }: RingState) => successors.slice(0, limits.successorListLength - 1);
    if (!isSameList(shown(before), shown(after))) this.#announcing.wake();
    const holders = ({ successors }: RingState) => successors.slice(0, limits.replicasMax);
    const isSameArc = before.predecessor?.id === after.predecessor?.id;
    if (!isSameArc || !isSameList(holders(before), holders(after))) this.#repairing.wake();
  }

  /** A neighbour was found dead: what else pointed to it is to be mended, and perhaps the network was cut in two. */
  neighbourGone(): void {
    this.#fixingFingers.wake();
    this.#lookingAround.wake();
  }

  /** Copies are missing. */
  copiesMissing(): void {
    this.#repairing.wake();
  }

  /** The remembered peers have changed. */
  memoryChanged(): void {
    this.#remembering.wake();
  }

  #all(): readonly Periodic[] {
    return [
      this.#stabilizing,
      this.#fixingFingers,
      this.#lookingAround,
      this.#announcing,
      this.#remembering,
      this.#repairing,
      this.#scrubbing,
      this.#emptyingTrash,
    ];
  }
}
