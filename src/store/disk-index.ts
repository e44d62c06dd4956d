/**
 * The index: what is known of each block, by id, in LMDB. Only what the files do not say is in it, so it can be made
 * again from them, except for the owners, which come back with their next touch or from another holder, and for the
 * tombstones of blocks whose bytes are gone, which come back from another holder only.
 *
 * Changes are committed in groups: while one commit is on its way to the disk, the changes that come in wait and go
 * together into the next. `overlappingSync` is off, so that LMDB's promise resolves after its data and its meta page
 * are synced, not before. Reads see what is committed, and nothing else.
 *
 * When the disk fails with an error of its medium while a group is committed, nobody knows what of the file is on it: nothing
 * more is committed, and the next start makes the index again. What was committed before is read on.
 */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';

import { open, type RootDatabase } from 'lmdb';

import { packValue, unpackValue } from '../base/codec.js';
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { lmdbFailure, LmdbRoom, newLmdbBytes } from '../base/lmdb-file.js';
import { type Id, idFromBytes, idToBytes } from '../ring/identifier.js';
import type { BlockEntry } from './block-entry.js';
import { diskError, isMediumCode } from './disk-errors.js';
import { fileMode } from './disk-files.js';
import type { DiskHealth } from './disk-health.js';
import { entryCodec } from './disk-index-entry.js';
import type { IndexDirectory } from './disk-index-file.js';
import type { DiskSystem } from './disk-system.js';

/** A block's new entry; undefined takes it out of the index. */
export interface IndexChange {
  readonly id: Id;
  readonly after: BlockEntry | undefined;
}

/** The errors of the system that LMDB gives by their numbers, as far as they differ in what is done about them. */
const lmdbCodes: ReadonlyMap<unknown, string> = new Map([
  [5, 'EIO'],
  [28, 'ENOSPC'],
  [30, 'EROFS'],
]);

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
  readonly #directory: IndexDirectory;
  readonly #health: DiskHealth;
  #lost: PeerStoreError | undefined;
  #waiting: Waiting[] = [];
  #committing: Promise<void> | undefined;

  private constructor(
    database: RootDatabase<Buffer, Uint8Array>,
    room: LmdbRoom,
    directory: IndexDirectory,
    health: DiskHealth,
  ) {
    this.#database = database;
    this.#room = room;
    this.#directory = directory;
    this.#health = health;
  }

  /**
   * Opens the index, or makes an empty one. {@link IndexDirectory.prepare} comes first.
   * @throws IndexUnreadable
   */
  static async open(
    directory: IndexDirectory,
    { system, health }: { readonly system: DiskSystem; readonly health: DiskHealth },
  ): Promise<DiskIndex> {
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
    await system.syncDirectory(directory.path);
    return new DiskIndex(database, await LmdbRoom.of(directory.dataPath, system.open), directory, health);
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
        if (this.#lost !== undefined) throw this.#lost;
        await this.#commitGroup(group.flatMap(({ changes }) => changes));
        this.#health.wrote(0);
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
    if (this.#lost !== undefined) return this.#lost;
    const reason = await lmdbFailure(error);
    const number = reason instanceof Error && 'code' in reason ? reason.code : undefined;
    const code = systemCode(reason) ?? lmdbCodes.get(number) ?? 'EUNKNOWN';
    const { path } = this.#directory;
    const failure = diskError(code, messageOf(reason), 'commit to the index', path, reason);
    const isLost = isMediumCode(code);
    const shown = Object.assign(new Error(messageOf(reason)), { code });
    this.#health.failed({ error: shown, path, sizeBytes: newLmdbBytes, isSync: isLost });
    if (isLost) {
      this.#lost = failure;
      await this.#directory.distrust();
    }
    return failure;
  }
}

function decodeEntry(value: Uint8Array): BlockEntry {
  try {
    return unpackValue(entryCodec, value, 'index entry');
  } catch (error) {
    throw new IndexUnreadable(error);
  }
}
