/**
 * The highest number of each record that this machine has ever seen, of the user's own profile and lists. What is read
 * with a lower one is not the newest, whoever says so: a part of the ring that is cut off, or peers that were started from
 * an old disk.
 *
 * Kept in a small file beside the backup's cache. It may be deleted at any time, and whatever cannot be read counts as
 * not seen.
 */
import { dirname } from 'node:path';

import { integer, list, packValue, struct, unpackValue } from '../base/codec.js';
import { messageOf } from '../base/errors.js';
import { makeDirectory, readFileIfThere, writeFileAtomic } from '../base/files.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { type Id, idCodec } from '../wire/index.js';

const fileCodec = struct({
  version: integer(1, 1),
  records: list(
    struct({ record: idCodec, sequence: integer(0, Number.MAX_SAFE_INTEGER) }),
    limits.seenRecords,
  ),
});

export interface SeenRecordsOptions {
  /** The file; its directory is made if need be. */
  readonly path: string;
  readonly random: Random;
  readonly log: Logger;
}

export class SeenRecords {
  readonly #options: SeenRecordsOptions | undefined;
  readonly #sequences = new Map<Id, number>();
  #isChanged = false;

  private constructor(options?: SeenRecordsOptions) {
    this.#options = options;
  }

  /** Remembers for as long as its process lives. */
  static inMemory(): SeenRecords {
    return new SeenRecords();
  }

  /** Goes on where the file ends. It never fails. */
  static async load(options: SeenRecordsOptions): Promise<SeenRecords> {
    const seen = new SeenRecords(options);
    await seen.#read();
    seen.#isChanged = false;
    return seen;
  }

  /** What a person can do when what was seen is lost for good, to be put behind a sentence; nothing when it is not on disk. */
  get advice(): string {
    return this.#options === undefined
      ? ''
      : ` (remembered in ${this.#options.path}; delete that file when what is newer is lost for good)`;
  }

  /** The highest number that was seen of a record, 0 if none was. */
  highest(record: Id): number {
    return this.#sequences.get(record) ?? 0;
  }

  note(record: Id, sequence: number): void {
    if (sequence <= this.highest(record)) return;
    // The one noted last goes last; the first ones are forgotten when there are too many.
    this.#sequences.delete(record);
    this.#sequences.set(record, sequence);
    this.#isChanged = true;
    for (const first of this.#sequences.keys()) {
      if (this.#sequences.size <= limits.seenRecords) return;
      this.#sequences.delete(first);
    }
  }

  /** Writes what is new, with what other processes have written meanwhile. It never fails. */
  async save(): Promise<void> {
    if (!this.#isChanged || this.#options === undefined) return;
    const { path, random, log } = this.#options;
    await this.#read();
    const records = [...this.#sequences].map(([record, sequence]) => ({ record, sequence }));
    try {
      await makeDirectory(dirname(path));
      await writeFileAtomic(path, packValue(fileCodec, { version: 1, records }), 0o600, random);
      this.#isChanged = false;
    } catch (error) {
      // Said by every command otherwise, where there is no room for caches.
      log.info('what this machine has seen of the ring is not remembered', { path, error: messageOf(error) });
    }
  }

  async #read(): Promise<void> {
    if (this.#options === undefined) return;
    const { path, log } = this.#options;
    try {
      const bytes = await readFileIfThere(path);
      if (bytes === undefined) return;
      for (const { record, sequence } of unpackValue(fileCodec, bytes, path).records)
        this.note(record, sequence);
    } catch (error) {
      log.warn('what this machine remembered of the ring cannot be read, and counts as not seen', {
        path,
        error: messageOf(error),
      });
    }
  }
}
