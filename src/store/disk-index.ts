/**
 * The index: what is known of each block, by id, in LMDB. Only what the files do not say is in it, so it can be made
 * again from them, except for the owners, which come back with their next touch.
 *
 * Changes are committed in groups: while one commit is on its way to the disk, the changes that come in wait and go
 * together into the next. `overlappingSync` is off, so that LMDB's promise resolves after its data and its meta page
 * are synced, not before. Reads see what is committed, and nothing else.
 */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';

import { open, type RootDatabase } from 'lmdb';

import { type Codec, integer, list, mapped, nullable, packValue, tuple, unpackValue } from '../base/codec.js';
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { syncDirectory } from '../base/files.js';
import { limits } from '../base/limits.js';
import { lmdbFailure, LmdbRoom } from '../base/lmdb-file.js';
import { type Id, idCodec, idFromBytes, idToBytes } from '../ring/identifier.js';
import type { BlockEntry } from './block-entry.js';
import { diskError } from './disk-errors.js';
import { fileMode } from './disk-files.js';
import type { IndexDirectory } from './disk-index-file.js';

const entryVersion = 1;
const timeMs = integer(0, Number.MAX_SAFE_INTEGER);

type PackedEntry = [number, number, number, number, number | null, readonly Id[]];

/** Version, size, stored, touched, trashed, owners. */
const entryCodec: Codec<BlockEntry> = mapped(
  tuple<PackedEntry>(
    integer(entryVersion, entryVersion),
    integer(0, limits.blockBytes),
    timeMs,
    timeMs,
    nullable(timeMs),
    list(idCodec, limits.ownersPerBlock),
  ),
  ([, sizeBytes, storedAtMs, touchedAtMs, trashedAtMs, owners]) => ({
    sizeBytes,
    storedAtMs,
    touchedAtMs,
    trashedAtMs,
    owners,
  }),
  (entry): PackedEntry => [
    entryVersion,
    entry.sizeBytes,
    entry.storedAtMs,
    entry.touchedAtMs,
    entry.trashedAtMs,
    entry.owners,
  ],
);

/** A block's new entry; undefined takes it out of the index. */
export interface IndexChange {
  readonly id: Id;
  readonly after: BlockEntry | undefined;
}

/** Changes that wait for their commit. */
interface Waiting {
  readonly changes: readonly { key: Uint8Array; value: Uint8Array | undefined }[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The index cannot be read: it has to be made again from the files, which the next start does. */
export class IndexUnreadable extends PeerStoreError {
  constructor(cause: unknown) {
    super(
      'IO',
      `the index of the store cannot be read (${messageOf(cause)}); start the peer again to make it from the files`,
      { cause },
    );
  }
}

export class DiskIndex {
  readonly #database: RootDatabase<Buffer, Uint8Array>;
  readonly #room: LmdbRoom;
  readonly #path: string;
  #waiting: Waiting[] = [];
  #committing: Promise<void> | undefined;

  private constructor(database: RootDatabase<Buffer, Uint8Array>, room: LmdbRoom, path: string) {
    this.#database = database;
    this.#room = room;
    this.#path = path;
  }

  /**
   * Opens the index, or makes an empty one. {@link IndexDirectory.prepare} comes first.
   * @throws IndexUnreadable
   */
  static async open(directory: IndexDirectory): Promise<DiskIndex> {
    let database: RootDatabase<Buffer, Uint8Array>;
    try {
      database = open<Buffer, Uint8Array>({
        path: directory.path,
        noSubdir: false,
        encoding: 'binary',
        keyEncoding: 'binary',
        overlappingSync: false,
        // With it, a commit that fails rejects a promise that nobody can reach, and so ends the process.
        eventTurnBatching: false,
      });
    } catch (error) {
      throw new IndexUnreadable(error);
    }
    for (const name of ['data.mdb', 'lock.mdb']) await chmod(join(directory.path, name), fileMode);
    await syncDirectory(directory.path);
    return new DiskIndex(database, await LmdbRoom.of(directory.dataPath), directory.path);
  }

  /** @throws IndexUnreadable when the entry is not one. */
  get(id: Id): BlockEntry | undefined {
    const value = this.#database.get(idToBytes(id));
    return value === undefined ? undefined : decodeEntry(value);
  }

  /**
   * The entries from an id on, up to the last one whose id begins with a prefix, in order.
   * @throws IndexUnreadable
   */
  *entries(from: Id, prefix = ''): Generator<{ id: Id; entry: BlockEntry }> {
    try {
      for (const { key, value } of this.#database.getRange({ start: idToBytes(from) })) {
        const id = idFromBytes(key);
        if (!id.startsWith(prefix)) return;
        yield { id, entry: decodeEntry(value) };
      }
    } catch (error) {
      if (error instanceof IndexUnreadable) throw error;
      throw new IndexUnreadable(error);
    }
  }

  /**
   * Makes changes, all or none; they are on disk when it resolves.
   * @throws PeerStoreError NO_SPACE, IO.
   */
  commit(changes: readonly IndexChange[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve();
    const packed = changes.map(({ id, after }) => ({
      key: idToBytes(id),
      value: after === undefined ? undefined : packValue(entryCodec, after),
    }));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes: packed, resolve, reject });
      this.#committing ??= this.#commitAll();
    });
  }

  /** Waits for the commits under way, and closes the files. */
  async close(): Promise<void> {
    await this.#committing;
    await this.#database.close();
    await this.#room.close();
  }

  async #commitAll(): Promise<void> {
    // A turn for what is about to come in, so that it shares the first commit.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#commitGroup(group.flatMap(({ changes }) => changes));
        for (const { resolve } of group) resolve();
      } catch (error) {
        const failure = await this.#failureOf(error);
        for (const { reject } of group) reject(failure);
      }
    }
    // In one step with the look at what is waiting: whoever comes next has to begin anew.
    this.#committing = undefined;
  }

  /** The first to come, and as many more as one commit may hold. */
  #takeGroup(): readonly Waiting[] {
    let size = 0;
    let count = 0;
    for (const { changes } of this.#waiting) {
      size += changes.length;
      if (count > 0 && size > limits.indexCommitChanges) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #commitGroup(changes: Waiting['changes']): Promise<void> {
    const stats = this.#database.getStats() as { lastPageNumber: number; pageSize: number };
    const valueBytes = changes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    await this.#room.ensure(stats, { count: changes.length, valueBytes });
    await this.#database.batch(() => {
      for (const { key, value } of changes) {
        if (value === undefined) void this.#database.remove(key);
        else void this.#database.put(key, value as Buffer);
      }
    });
  }

  async #failureOf(error: unknown): Promise<PeerStoreError> {
    const reason = await lmdbFailure(error);
    const number = reason instanceof Error && 'code' in reason ? reason.code : undefined;
    const code = systemCode(reason) ?? (number === 28 ? 'ENOSPC' : number === 5 ? 'EIO' : 'EUNKNOWN');
    return diskError(code, messageOf(reason), 'commit to the index', this.#path, reason);
  }
}

function decodeEntry(value: Uint8Array): BlockEntry {
  try {
    return unpackValue(entryCodec, value, 'index entry');
  } catch (error) {
    throw new IndexUnreadable(error);
  }
}
