/**
 * The files of the records: `records/ab/<id>`, one each, with everything needed to read them again. Records are few
 * and precious, so the files are the only truth: a table in memory, made when the store opens, says what is there.
 * Their room is not spared and their check does not depend on the index.
 */
import { join } from 'node:path';

import { bytesEqual } from '../base/bytes.js';
import { binary, integer, packValue, struct, unpackValue, type ValueOf } from '../base/codec.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { hashToId, type Id, idCodec } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import { type DiskFiles, setAsideWords, Shelf } from './disk-files.js';
import { recordDigest } from './items.js';
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
    const giveBack = this.#totals.reserve(offered.sizeBytes, held?.sizeBytes);
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
    throw new PeerStoreError('DAMAGED', `record ${id} ${await this.#setAside(id)}; another holder has it`);
  }

  /** The ids of the records held, in order, from `from` on, at most `limit`. */
  ids(from: Id, limit: number): readonly Id[] {
    return this.#ids.from(from, limit);
  }

  /** The ids of the records of a range, in order, at most `limit`. */
  idsWithin(range: KeyRange, limit: number): readonly Id[] {
    return this.#ids.within(range, limit);
  }

  /** Whether the file of a record is there. */
  async hasFile(id: Id): Promise<boolean> {
    return (await this.#files.stat(this.#shelf.pathOf(id))) !== undefined;
  }

  /** What is known of a record without reading it. */
  entry(id: Id): RecordEntry | undefined {
    return this.#entries.get(id);
  }

  /** As {@link Store.dropItem}, for a record; one call at a time for an id. */
  async drop(id: Id, digest: Uint8Array): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return true;
    if (!bytesEqual(recordDigest(id, entry), digest)) return false;
    await this.#files.remove(this.#shelf.pathOf(id));
    this.#note(id, undefined);
    return true;
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

  /** @returns what to say of it. */
  async #setAside(id: Id): Promise<string> {
    const found = await this.#files.setAside(this.#shelf.pathOf(id), join(this.#damagedPath, `record-${id}`));
    this.#note(id, undefined);
    this.#totals.countDamaged(id, 'record');
    this.#log.warn(`a record ${setAsideWords[found]}`, { id, directory: this.#damagedPath });
    return setAsideWords[found];
  }

  #note(id: Id, entry: RecordEntry | undefined): void {
    this.#totals.changeRecord(id, this.#entries.get(id), entry);
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
