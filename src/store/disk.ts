/**
 * A store on disk. Under the peer's data path:
 *
 *     blocks/ab/<id>    a block's bytes, nothing else: sha256sum of the file is its name
 *     records/ab/<id>   a record, its number and a checksum
 *     trash/ab/<id>     blocks that nobody owns any more, until their time is over
 *     damaged/          what no longer matched its name, and an index that could not be read: for a person to look at
 *     tmp/              what was being written; removed when the store opens
 *     index/            LMDB: owners, times and sizes of the blocks
 *
 * Every block is a file, however small. Small blocks inside LMDB would be written faster, but then the index could not
 * be made again from the files, and a person could not see and check with standard tools what a peer holds. They are
 * rare, too: small files of a backup share packs.
 *
 * A write goes: file, sync, rename, sync of the directory, index, sync. A crash between two of these leaves a file
 * without an entry, which the next start takes in, or a temporary file, which it removes; it never leaves an entry
 * whose bytes are not on disk. Deleting goes the other way: entry to the trash first, then the file.
 *
 * What is done to one id is done one at a time ({@link IdLocks}); reads take no turn, and look again if they lost a race.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { syncDirectory } from '../base/files.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { hashToId, type Id } from '../ring/identifier.js';
import {
  type BlockEntry,
  blockInfoOf,
  checkBlock,
  clipRange,
  isHeld,
  isTrashedBefore,
  newEntry,
  releasedEntry,
  touchedEntry,
} from './block-entry.js';
import { BlockFiles } from './disk-blocks.js';
import { storeError } from './disk-errors.js';
import { DiskFiles, directoryMode, isTemporaryName, Shelf } from './disk-files.js';
import { DiskIndex, IndexUnreadable } from './disk-index.js';
import { IndexDirectory } from './disk-index-file.js';
import { reconcile } from './disk-reconcile.js';
import { RecordFiles } from './disk-records.js';
import { IdLocks } from './id-locks.js';
import { type ListedKey, mergeKeys } from './sorted-ids.js';
import type { BlockInfo, ByteRange, Store, StoredRecord, StoreStats } from './store.js';
import { StoreTotals } from './totals.js';

export interface DiskStoreOptions {
  /** The data path. Made when it is not there. One process at a time may open it; who opens it holds the lock. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What blocks and records may take together. Left out: what the disk has. */
  readonly capacityBytes?: number;
}

/** What a store consists of. */
interface Parts {
  readonly blocks: BlockFiles;
  readonly records: RecordFiles;
  readonly index: DiskIndex;
  readonly totals: StoreTotals;
}

/**
 * Opens the store under a data path, making it where there is none, and brings index and files together.
 * @throws PeerStoreError NO_SPACE, IO.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  const { path } = options;
  try {
    await makeDirectories(path);
    const indexDirectory = new IndexDirectory(join(path, 'index'));
    const reason = await indexDirectory.prepare();
    if (reason !== undefined) await startIndexAnew(options, indexDirectory, reason);
    let parts: Parts;
    try {
      parts = await openParts(options, indexDirectory);
    } catch (error) {
      if (!(error instanceof IndexUnreadable)) throw error;
      await startIndexAnew(options, indexDirectory, error.message);
      parts = await openParts(options, indexDirectory);
    }
    await indexDirectory.isGood();
    return new DiskStore(options, parts);
  } catch (error) {
    throw storeError(error, 'open the store', path);
  }
}

async function makeDirectories(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: directoryMode });
  for (const name of ['blocks', 'records', 'trash', 'damaged', 'tmp', 'index']) {
    await mkdir(join(path, name), { recursive: true, mode: directoryMode });
  }
  await syncDirectory(path);
  if (made !== undefined) await syncDirectory(dirname(made));
  // What else is there was not left by us: the data path may be a directory that had a `tmp` before.
  for (const name of await readdir(join(path, 'tmp'))) {
    if (isTemporaryName(name)) await rm(join(path, 'tmp', name));
  }
}

async function startIndexAnew(
  { path, log }: DiskStoreOptions,
  directory: IndexDirectory,
  reason: string,
): Promise<void> {
  const asidePath = join(path, 'damaged', 'index');
  log.warn(
    'the index of the store is made again from the files; owners come back when they touch their blocks',
    {
      reason,
      setAside: asidePath,
    },
  );
  await directory.setAside(asidePath);
  await directory.prepare();
}

async function openParts(options: DiskStoreOptions, directory: IndexDirectory): Promise<Parts> {
  const { path, clock, random, log } = options;
  const totals = new StoreTotals(options.capacityBytes ?? null);
  const files = new DiskFiles(join(path, 'tmp'), random);
  const blocks = new BlockFiles(path, files);
  const records = new RecordFiles(path, files, totals, log);
  const index = await DiskIndex.open(directory);
  try {
    await reconcile({ files, blocks, index, totals, clock, log });
    await records.load();
  } catch (error) {
    await index.close();
    throw error;
  }
  return { blocks, records, index, totals };
}

class DiskStore implements Store {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #blocks: BlockFiles;
  readonly #records: RecordFiles;
  readonly #index: DiskIndex;
  readonly #totals: StoreTotals;
  readonly #locks = new IdLocks();
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: DiskStoreOptions, parts: Parts) {
    this.#path = options.path;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#blocks = parts.blocks;
    this.#records = parts.records;
    this.#index = parts.index;
    this.#totals = parts.totals;
  }

  putBlock(id: Id, bytes: Uint8Array, owner: Id): Promise<{ isNew: boolean }> {
    return this.#run(`keep block ${id}`, async () => {
      checkBlock(id, bytes);
      return this.#locks.with([id], () => this.#put(id, bytes, owner));
    });
  }

  getBlock(id: Id, range?: ByteRange): Promise<{ bytes: Uint8Array; sizeBytes: number } | undefined> {
    return this.#run(`read block ${id}`, async () => {
      const entry = this.#index.get(id);
      if (!isHeld(entry)) return undefined;
      const { sizeBytes } = entry;
      const part = clipRange(sizeBytes, range);
      const bytes = await this.#blocks.read(id, part.offset, part.length);
      const isGood = bytes?.length === part.length && (part.length < sizeBytes || hashToId(bytes) === id);
      if (isGood) return { bytes, sizeBytes };
      return this.#locks.with([id], () => this.#readAgain(id, range));
    });
  }

  blockInfo(id: Id): Promise<BlockInfo | undefined> {
    return this.#run(`look up block ${id}`, () => {
      const entry = this.#index.get(id);
      return Promise.resolve(entry && blockInfoOf(id, entry));
    });
  }

  touchBlocks(ids: readonly Id[], owner: Id): Promise<readonly boolean[]> {
    return this.#run(`touch ${ids.length} blocks`, () =>
      this.#locks.with(ids, async () => {
        const nowMs = this.#clock.nowMs();
        const changes = await Promise.all(
          [...new Set(ids)].map(async (id) => {
            const before = this.#index.get(id);
            if (before === undefined || !(await this.#bringBack(id, before))) return undefined;
            return { id, before, after: touchedEntry(before, owner, nowMs) };
          }),
        );
        const known = changes.filter((change) => change !== undefined);
        await this.#commit(known);
        const held = new Set(known.map(({ id }) => id));
        return ids.map((id) => held.has(id));
      }),
    );
  }

  releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean> {
    return this.#run(`release block ${id}`, () =>
      this.#locks.with([id], async () => {
        const before = this.#index.get(id);
        if (before === undefined) return true;
        const after = releasedEntry(before, owner, liveSetAtMs, this.#clock.nowMs());
        if (after === undefined) return false;
        if (after === before) return true;
        await this.#commit([{ id, before, after }]);
        if (!isHeld(after)) await this.#moveToTrash(id);
        return true;
      }),
    );
  }

  emptyTrash(trashedBeforeMs: number): Promise<number> {
    return this.#run('empty the trash', async () => {
      let freedBytes = 0;
      for (const prefix of Shelf.prefixes) {
        const ids = await this.#blocks.trashed.list(prefix);
        const freed = await Promise.all(ids.map((id) => this.#removeTrashed(id, trashedBeforeMs)));
        freedBytes += freed.reduce((sum, bytes) => sum + bytes, 0);
      }
      return freedBytes;
    });
  }

  putRecord(record: StoredRecord): Promise<void> {
    return this.#run(`keep record ${record.id}`, () =>
      this.#locks.with([record.id], () => this.#records.put(record)),
    );
  }

  getRecord(id: Id): Promise<StoredRecord | undefined> {
    return this.#run(`read record ${id}`, () => this.#locks.with([id], () => this.#records.get(id)));
  }

  listKeys(from: Id, limit: number): Promise<readonly ListedKey[]> {
    return this.#run('list the keys', () => {
      const blocks: Id[] = [];
      for (const { id, entry } of this.#index.entries(from)) {
        if (blocks.length >= limit) break;
        if (isHeld(entry)) blocks.push(id);
      }
      return Promise.resolve(mergeKeys(blocks, this.#records.ids(from, limit), limit));
    });
  }

  usedBytes(owner: Id): number {
    return this.#totals.usedBytes(owner);
  }

  stats(): StoreStats {
    return this.#totals.stats();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled([...this.#underWay]).then(() => this.#index.close());
    return this.#closing;
  }

  /** Every operation goes through here: it is waited for at the end, and what the disk says gets its meaning. */
  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new PeerStoreError('IO', `cannot ${what}: the store in ${this.#path} is closed`);
    }
    const running = (async () => work())();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw storeError(error, what, this.#path);
    } finally {
      this.#underWay.delete(running);
    }
  }

  async #put(id: Id, bytes: Uint8Array, owner: Id): Promise<{ isNew: boolean }> {
    const nowMs = this.#clock.nowMs();
    const before = this.#index.get(id);
    const after = touchedEntry(before ?? newEntry(bytes.length, nowMs), owner, nowMs);
    const isThere = before !== undefined && (await this.#bringBack(id, before));
    const giveBack = this.#totals.reserve(before === undefined ? bytes.length : 0);
    try {
      if (!isThere) await this.#blocks.write(id, bytes);
      await this.#commit([{ id, before, after }]);
    } catch (error) {
      if (before === undefined) await this.#blocks.remove(id);
      throw error;
    } finally {
      giveBack();
    }
    if (isHeld(before) && !isThere)
      this.#log.warn('the file of a block was missing and is written again', { id });
    return { isNew: !isThere || !isHeld(before) };
  }

  /** Makes sure that the file of a known block is in its place, out of the trash. @returns whether it is, whole. */
  async #bringBack(id: Id, entry: BlockEntry): Promise<boolean> {
    if (!isHeld(entry)) await this.#blocks.moveFromTrash(id);
    return (await this.#blocks.stat(id))?.sizeBytes === entry.sizeBytes;
  }

  /** A read failed its check: was it overtaken by a change, or is the block damaged? Under the lock of the id. */
  async #readAgain(
    id: Id,
    range: ByteRange | undefined,
  ): Promise<{ bytes: Uint8Array; sizeBytes: number } | undefined> {
    const entry = this.#index.get(id);
    if (!isHeld(entry)) return undefined;
    const whole = await this.#blocks.readChecked(id, entry.sizeBytes);
    if (whole !== undefined) {
      const part = clipRange(entry.sizeBytes, range);
      return {
        bytes: whole.subarray(part.offset, part.offset + part.length),
        sizeBytes: entry.sizeBytes,
      };
    }
    const isThere = await this.#blocks.setAside(id);
    await this.#commit([{ id, before: entry, after: undefined }]);
    this.#totals.countDamaged();
    const found = isThere ? 'was damaged on disk and is set aside' : 'has lost its file';
    this.#log.warn(`a block ${found}`, { id, directory: join(this.#path, 'damaged') });
    throw new PeerStoreError('DAMAGED', `block ${id} ${found}; another holder has it`);
  }

  /** The index knows already that it is in the trash; should the move fail, the next start does it. */
  async #moveToTrash(id: Id): Promise<void> {
    try {
      await this.#blocks.moveToTrash(id);
    } catch (error) {
      const reason = storeError(error, `move block ${id} to the trash`, this.#path);
      this.#log.warn('a block stays out of the trash until the next start', { id, reason: String(reason) });
    }
  }

  /** The file first: on a full disk the index may need its room. @returns the bytes it freed. */
  #removeTrashed(id: Id, trashedBeforeMs: number): Promise<number> {
    return this.#locks.with([id], async () => {
      const before = this.#index.get(id);
      if (!isTrashedBefore(before, trashedBeforeMs)) return 0;
      await this.#blocks.remove(id, this.#blocks.trashed);
      await this.#commit([{ id, before, after: undefined }]);
      return before.sizeBytes;
    });
  }

  async #commit(
    changes: readonly { id: Id; before: BlockEntry | undefined; after: BlockEntry | undefined }[],
  ): Promise<void> {
    await this.#index.commit(changes);
    for (const { before, after } of changes) this.#totals.changeBlock(before, after);
  }
}
