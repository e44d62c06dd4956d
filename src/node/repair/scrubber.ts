/**
 * Reading everything again in the background, so that what has rotted is found while others still have it. One pass reads
 * every value once; it takes no longer than half of the time in which all is to be read, and the next one begins when that
 * time is over. How far a pass has come is kept on disk: a peer that restarts every day would never come to its end.
 */
import type { Clock } from '../../base/clock.js';
import { integer, nullable, packValue, struct, unpackValue } from '../../base/codec.js';
import { messageOf } from '../../base/errors.js';
import { readFileIfThere, writeFileAtomic } from '../../base/files.js';
import { limits } from '../../base/limits.js';
import type { Logger } from '../../base/log.js';
import type { Random } from '../../base/random.js';
import { type Id, idCodec } from '../../ring/identifier.js';
import { allKeys } from '../../ring/key-range.js';
import type { Store } from '../../store/store.js';

/** How far a pass has come. */
export interface ScrubProgress {
  /** The first key that it has not read yet; null when it has read all. */
  readonly next: Id | null;
  /** Wall time in milliseconds. */
  readonly beganAtMs: number;
  /** When the last pass came to its end; null when none has. Wall time in milliseconds. */
  readonly endedAtMs: number | null;
}

/** Where the progress is kept between runs. */
export interface ScrubMemory {
  /** Undefined when nothing was saved. */
  load(): Promise<ScrubProgress | undefined>;
  save(progress: ScrubProgress): Promise<void>;
}

export interface ScrubberOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: ScrubMemory;
  /** In this time everything is read once. */
  readonly scrubEveryMs: number;
  /** The time between two rounds, in milliseconds. */
  readonly roundMs: number;
  /** Puts damaged values right. */
  readonly mend: (ids: readonly Id[]) => Promise<void>;
}

export class Scrubber {
  readonly #options: ScrubberOptions;
  #progress: ScrubProgress | undefined;
  #savedAtMs = -Infinity;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  /** How far it has come; undefined before its first round. */
  get progress(): ScrubProgress | undefined {
    return this.#progress;
  }

  /**
   * One round: has the store look at its disk, and reads some, or nothing while no pass is due.
   * @returns whether anything was damaged.
   */
  async round(): Promise<boolean> {
    const { store, clock, scrubEveryMs, roundMs, mend, log } = this.#options;
    await store.lookAtDisk();
    const nowMs = clock.nowMs();
    const known = this.#progress ?? (await this.#options.memory.load());
    const isFresh = known === undefined;
    let progress = known ?? { next: allKeys.first, beganAtMs: nowMs, endedAtMs: null };
    // A clock that was set back makes a pass begin early, never late.
    const isDue = nowMs - progress.beganAtMs >= scrubEveryMs || nowMs < progress.beganAtMs;
    if (progress.next === null && isDue) progress = { ...progress, next: allKeys.first, beganAtMs: nowMs };
    this.#progress = progress;
    if (progress.next === null) return false;
    const share = (2 * roundMs) / scrubEveryMs;
    const budgetBytes = Math.max(limits.scrubRoundBytes, Math.ceil(store.stats().bytes * share));
    const { next = null, damaged, unreadable } = await store.scrub(progress.next, budgetBytes);
    this.#progress = { ...progress, next, endedAtMs: next === null ? nowMs : progress.endedAtMs };
    if (next === null) log.debug('everything was read again', { damaged: damaged.length });
    const [first] = unreadable;
    if (first !== undefined) {
      log.warn('values cannot be opened to be checked: give their files back to the user of this peer', {
        values: unreadable.length,
        ...first,
      });
    }
    await this.#save(isFresh || next === null);
    if (damaged.length > 0) await mend(damaged);
    return damaged.length > 0;
  }

  async #save(isNews: boolean): Promise<void> {
    const { clock, memory, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#progress === undefined || (!isNews && nowMs - this.#savedAtMs < limits.scrubSaveMs)) return;
    this.#savedAtMs = nowMs;
    try {
      await memory.save(this.#progress);
    } catch (error) {
      // The next start reads some of it twice.
      log.warn('how far the scrub has come could not be saved', { error: messageOf(error) });
    }
  }
}

const timeMs = integer(0, Number.MAX_SAFE_INTEGER);
const fileCodec = struct({
  version: integer(1, 1),
  next: nullable(idCodec),
  beganAtMs: timeMs,
  endedAtMs: nullable(timeMs),
});

/** The progress in a file. One that is damaged costs a pass that begins anew. */
export function scrubMemoryFile(path: string, random: Random, log: Logger): ScrubMemory {
  return {
    load: async () => {
      const bytes = await readFileIfThere(path);
      if (bytes === undefined) return undefined;
      try {
        const { next, beganAtMs, endedAtMs } = unpackValue(fileCodec, bytes, path);
        return { next, beganAtMs, endedAtMs };
      } catch (error) {
        log.warn('how far the scrub has come is not known any more; it begins anew', {
          path,
          error: messageOf(error),
        });
        return undefined;
      }
    },
    save: (progress) =>
      writeFileAtomic(path, packValue(fileCodec, { version: 1, ...progress }), 0o600, random),
  };
}

/** Progress that ends with the process. */
export function scrubMemory(): ScrubMemory {
  let saved: ScrubProgress | undefined;
  return {
    load: () => Promise.resolve(saved),
    save: (progress) => {
      saved = progress;
      return Promise.resolve();
    },
  };
}
