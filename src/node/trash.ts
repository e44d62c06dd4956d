/**
 * When the trash is emptied. What lies there is all that is left of deleted history, and its time is counted by the wall
 * clock, which one wrong answer of a time server moves by years. So the clock is looked at first: when it has gone on by
 * much more or less than the time that really passed, nothing is removed for some hours, in which whoever has moved it can
 * put it right. Of the time before the start, the latest time that the store has noted stands for what really passed: a
 * peer that comes back after a long while cannot tell this from a clock that is ahead, and waits as well.
 */
import type { Clock } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Store } from '../store/store.js';

export interface TrashOptions {
  readonly store: Pick<Store, 'emptyTrash' | 'stats'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a deleted block can be brought back. */
  readonly trashMs: number;
}

export class Trash {
  readonly #options: TrashOptions;
  /** The wall clock when it was looked at last, and the monotonic one. */
  #seen: { readonly wallMs: number; readonly monotonicMs: number };
  /** When the wall clock was last found to have jumped, in monotonic time. */
  #jumpedAtMs = -Infinity;

  constructor(options: TrashOptions) {
    this.#options = options;
    const { store, clock } = options;
    this.#seen = { wallMs: store.stats().latestMs ?? clock.nowMs(), monotonicMs: clock.monotonicMs() };
  }

  /** Removes what has been in the trash for its time, unless the clock is in doubt. @throws PeerStoreError IO, NO_SPACE. */
  async empty(): Promise<void> {
    const { store, clock, trashMs } = this.#options;
    this.#lookAtClock();
    if (clock.monotonicMs() - this.#jumpedAtMs < limits.clockDoubtMs) return;
    await store.emptyTrash(this.#seen.wallMs - trashMs);
  }

  #lookAtClock(): void {
    const { clock, log } = this.#options;
    const now = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const passedMs = now.monotonicMs - this.#seen.monotonicMs;
    const aheadMs = now.wallMs - this.#seen.wallMs - passedMs;
    this.#seen = now;
    if (Math.abs(aheadMs) <= limits.clockJumpMs) return;
    this.#jumpedAtMs = now.monotonicMs;
    log.warn(
      'the clock has jumped, or this peer was off for long; the trash is emptied later, see to the clock',
      {
        aheadMs: Math.round(aheadMs),
        emptiedInMs: limits.clockDoubtMs,
      },
    );
  }
}
