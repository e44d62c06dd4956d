/**
 * The files of the records: `records/ab/<id>`, one each, with everything needed to read them again. Records are few
 * and precious, so the files are the only truth: a table in memory, made when the store opens, says what is there.
 * Their room is not spared and their check does not depend on the index.
 */
import { join } from 'node:path';

import { binary, integer, packValue, struct, unpackValue, type ValueOf } from '../base/codec.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { hashToId, type Id, idCodec } from '../ring/identifier.js';
import { type DiskFiles, Shelf } from './disk-files.js';
import { isReplacement, type RecordEntry, recordEntryOf } from './record-rule.js';
import { SortedIds } from './sorted-ids.js';
import type { StoredRecord } from './store.js';
import type { StoreTotals } from './totals.js';

const fileVersion = 1;

/** A record's file. */
const recordFile = struct({
  version: integer(fileVersion, fileVersion),
  id: idCodec,
  sequence: integer(0, Number.MAX_SAFE_INTEGER),
  bytes: binary(0, limits.recordBytes),
  /** SHA-256 over the bytes of the three before, see {@link checksumOf}. */
  checksum: idCodec,
});

/** More than the largest file of a record: what is longer is damaged. */
const fileBytesMax = limits.recordBytes + 1024;

export class RecordFiles {
  readonly #shelf: Shelf;
  readonly #damagedPath: string;
  readonly #files: DiskFiles;
  readonly #totals: StoreTotals;
  readonly #log: Logger;
  readonly #entries = new Map<Id, RecordEntry>();
  readonly #ids = new SortedIds();

  /** @param path the store's data path */
  constructor(path: string, files: DiskFiles, totals: StoreTotals, log: Logger) {
    this.#shelf = new Shelf(join(path, 'records'));
    this.#damagedPath = join(path, 'damaged');
    this.#files = files;
    this.#totals = totals;
    this.#log = log;
  }

  /** Reads all records and notes what is there. Damaged ones are set aside. */
  async load(): Promise<void> {
    for (const prefix of Shelf.prefixes) {
      const ids = await this.#shelf.list(prefix);
      await Promise.all(
        ids.map(async (id) => {
          const record = await this.#read(id);
          if (record === undefined) await this.#setAside(id);
          else this.#note(id, recordEntryOf(record));
        }),
      );
    }
  }

  /** As {@link Store.putRecord}; one call at a time for an id. */
  async put(record: StoredRecord): Promise<void> {
    const { id } = record;
    const held = this.#entries.get(id);
    const offered = recordEntryOf(record);
    if (!isReplacement(id, held, offered)) return;
    const giveBack = this.#totals.reserve(Math.max(0, offered.sizeBytes - (held?.sizeBytes ?? 0)));
    try {
      await this.#files.write(
        this.#shelf.pathOf(id),
        packValue(recordFile, { version: fileVersion, ...record, checksum: checksumOf(record) }),
      );
      this.#note(id, offered);
    } catch (error) {
      await this.#noteAgain(id);
      throw error;
    } finally {
      giveBack();
    }
  }

  /** As {@link Store.getRecord}; one call at a time for an id. */
  async get(id: Id): Promise<StoredRecord | undefined> {
    if (!this.#entries.has(id)) return undefined;
    const record = await this.#read(id);
    if (record !== undefined) return record;
    await this.#setAside(id);
    throw new PeerStoreError(
      'DAMAGED',
      `record ${id} was damaged on disk and is set aside in ${this.#damagedPath}; another holder has it`,
    );
  }

  /** The ids of the records held, in order, from `from` on, at most `limit`. */
  ids(from: Id, limit: number): readonly Id[] {
    return this.#ids.from(from, limit);
  }

  /** @returns undefined when there is no file, or it is not what was written. */
  async #read(id: Id): Promise<StoredRecord | undefined> {
    const bytes = await this.#files.read(this.#shelf.pathOf(id), 0, fileBytesMax);
    if (bytes === undefined) return undefined;
    let file: ValueOf<typeof recordFile>;
    try {
      file = unpackValue(recordFile, bytes, 'record file');
    } catch (error) {
      if (hasCode(error, 'PROTOCOL')) return undefined;
      throw error;
    }
    const record = { id: file.id, sequence: file.sequence, bytes: file.bytes };
    return file.id === id && file.checksum === checksumOf(record) ? record : undefined;
  }

  /** After a failed write: the old file is there, or the new one when only the directory's sync failed. */
  async #noteAgain(id: Id): Promise<void> {
    const record = await this.#read(id).catch((error: unknown) => {
      this.#log.warn('cannot read a record back after a failed write', { id, error: messageOf(error) });
      return undefined;
    });
    if (record !== undefined) this.#note(id, recordEntryOf(record));
  }

  async #setAside(id: Id): Promise<void> {
    const isThere = await this.#files.move(this.#shelf.pathOf(id), join(this.#damagedPath, `record-${id}`));
    this.#note(id, undefined);
    this.#totals.countDamaged();
    this.#log.warn(
      isThere ? 'a record was damaged on disk and is set aside' : 'the file of a record is missing',
      {
        id,
        directory: this.#damagedPath,
      },
    );
  }

  #note(id: Id, entry: RecordEntry | undefined): void {
    this.#totals.changeRecord(this.#entries.get(id)?.sizeBytes, entry?.sizeBytes);
    if (entry === undefined) {
      this.#entries.delete(id);
      this.#ids.delete(id);
    } else {
      this.#entries.set(id, entry);
      this.#ids.add(id);
    }
  }
}

/** SHA-256 over the id, the number as decimal text with a line end, and the bytes. */
function checksumOf(record: StoredRecord): Id {
  return hashToId(Buffer.from(`${record.id} ${record.sequence}\n`), record.bytes);
}
