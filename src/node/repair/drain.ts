/**
 * Leaving for good: a peer that has said goodbye hands over what it holds, until others have it all, or its time is over: a
 * tombstone that has expired nobody takes any more.
 */
import { type Clock, sleep } from '../../base/clock.js';
import { isFailure, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import { jittered, type Random } from '../../base/random.js';
import { allKeys } from '../../ring/key-range.js';
import type { Store } from '../../store/store.js';
import type { Trash } from '../trash.js';
import type { Handover } from './handover.js';
import type { Repair } from './repair.js';

export interface DrainOptions {
  readonly repair: Pick<Repair, 'handOverSome'>;
  readonly trash: Pick<Trash, 'empty'>;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Pauses between two attempts to hand over what is left, in milliseconds. */
const pauseMs = { shortest: 1_000, longest: 60_000 };

/** Resolves when the store is empty. @throws PeerStoreError CANCELLED. */
export async function drain({
  repair,
  trash,
  store,
  clock,
  random,
  log,
  signal,
}: DrainOptions): Promise<void> {
  let waitMs = pauseMs.shortest;
  for (;;) {
    let progress: Handover = { dropped: 0, next: undefined };
    try {
      progress = await repair.handOverSome();
      if (progress.dropped === 0) await trash.empty();
    } catch (error) {
      if (!isFailure(error)) throw error;
      log.warn('handing over does not get on; it is tried again', { error: messageOf(error) });
    }
    const { count } = await store.fingerprint(allKeys);
    if (count === 0) return;
    const isStuck = progress.dropped === 0 && progress.next === undefined;
    if (isStuck) {
      log.info('waiting to hand over the rest: machines that are to have it are away, or have no room', {
        keys: count,
      });
    }
    waitMs = isStuck ? Math.min(2 * waitMs, pauseMs.longest) : pauseMs.shortest;
    await sleep(clock, jittered(random, waitMs, 0.3), signal);
  }
}
