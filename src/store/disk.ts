/**
 * A store on disk. Under the peer's data path:
 *
 *     blocks/ab/<id>    a block's bytes, nothing else: sha256sum of the file is its name
 *     records/ab/<id>   a record, its number and a checksum
 *     trash/ab/<id>     blocks that nobody owns any more, until their time is over
 *     damaged/          what no longer matched its name, and an index that could not be read: for a person to look at
 *     tmp/              what was being written; removed when the store opens
 *     index/            LMDB: owners, times and sizes of the blocks, and of those that are gone the tombstones
 *
 * Every block is a file, however small. Small blocks inside LMDB would be written faster, but then the index could not
 * be made again from the files, and a person could not see and check with standard tools what a peer holds. They are
 * rare, too: small files of a backup share packs.
 *
 * A write goes: file, sync, rename, sync of the directory, index, sync. A crash between two of these leaves a file
 * without an entry, which the next start takes in, or a temporary file, which it removes; it never leaves an entry
 * whose bytes are not on disk. Deleting goes the other way: entry to the trash first, then the file. What is removed from
 * the trash leaves its entry as a tombstone, without a file: here the file goes first, and an entry of the trash that has
 * none is a tombstone at the next start. A tombstone whose file is there, because a write was cut off before its commit,
 * lies in the trash from then on.
 *
 * What is done to one id is done one at a time ({@link IdLocks}); reads take no turn, and look again if they lost a race.
 */
import { PeerStoreError, systemCode } from '../base/errors.js';
import { hashToId, type Id } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import { blockInfoOf, blockStateOf, clipRange, isHeld, partOf } from './block-entry.js';
import { BlockChanges } from './disk-changes.js';
import { storeError } from './disk-errors.js';
import { fingerprintOn, holdsItem, itemOn, itemsOf } from './disk-items.js';
import { type DiskParts, type DiskStoreOptions, openParts } from './disk-open.js';
import { IdLocks } from './id-locks.js';
import { scrubKeys } from './scrub.js';
import { type ListedKey, mergeKeys } from './sorted-ids.js';
import type {
  BlockInfo,
  BlockPart,
  BlockState,
  ByteRange,
  DropOptions,
  HeldFingerprint,
  KeyItem,
  ReadOptions,
  ScrubResult,
  Store,
  StoredRecord,
  StoreStats,
} from './store.js';

export type { DiskStoreOptions } from './disk-open.js';

/**
 * Opens the store under a data path, making it where there is none, and brings index and files together.
 * @throws PeerStoreError NO_SPACE, IO.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  try {
    const store = new DiskStore(await openParts(options));
    await store.lookAtDisk();
    return store;
  } catch (error) {
    throw storeError(error, 'open the store', options.path);
  }
}

class DiskStore implements Store {
  readonly #parts: DiskParts;
  readonly #locks = new IdLocks();
  readonly #changes: BlockChanges;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#changes = new BlockChanges(parts, this.#locks);
  }

  putBlock(id: Id, bytes: Uint8Array, owner: Id, atMs?: number): Promise<{ isNew: boolean }> {
    return this.#runNew(`keep block ${id}`, () => this.#changes.put(id, bytes, owner, atMs));
  }

  getBlock(id: Id, options: ReadOptions = {}): Promise<BlockPart | undefined> {
    return this.#run(`read block ${id}`, () => this.#get(id, options));
  }

  trashedBytes(id: Id): Promise<Uint8Array | undefined> {
    return this.#run(`read block ${id} in the trash`, () => this.#changes.readTrashed(id));
  }

  blockInfo(id: Id): Promise<BlockInfo | undefined> {
    return this.#run(`look up block ${id}`, () =>
      Promise.resolve(blockInfoOf(id, this.#parts.index.get(id))),
    );
  }

  touchBlocks(ids: readonly Id[], owner: Id, atMs?: number): Promise<readonly boolean[]> {
    return this.#runNew(`touch ${ids.length} blocks`, () => this.#changes.touch(ids, owner, atMs));
  }

  releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean> {
    return this.#run(`release block ${id}`, () => this.#changes.release(id, owner, liveSetAtMs));
  }

  emptyTrash(trashedBeforeMs: number): Promise<number> {
    return this.#run('empty the trash', () => this.#changes.emptyTrash(trashedBeforeMs));
  }

  putRecord(record: StoredRecord): Promise<void> {
    return this.#runNew(`keep record ${record.id}`, () =>
      this.#locks.with([record.id], () => this.#parts.records.put(record)),
    );
  }

  getRecord(id: Id): Promise<StoredRecord | undefined> {
    return this.#run(`read record ${id}`, () => this.#readRecord(id));
  }

  listKeys(from: Id, limit: number): Promise<readonly ListedKey[]> {
    return this.#run('list the keys', () => this.#list(from, limit));
  }

  fingerprint(range: KeyRange): Promise<HeldFingerprint> {
    return this.#run('take a fingerprint', () => Promise.resolve(fingerprintOn(this.#parts, range)));
  }

  items(range: KeyRange, limit: number): Promise<readonly KeyItem[]> {
    return this.#run('list the items', () => Promise.resolve(itemsOf(this.#parts, range, limit)));
  }

  itemOf(id: Id, kind: KeyItem['kind']): Promise<KeyItem | undefined> {
    return this.#run(`look up ${kind} ${id}`, () => Promise.resolve(itemOn(this.#parts, { id, kind })));
  }

  holdsItem(item: KeyItem): Promise<boolean> {
    const { health } = this.#parts;
    // In its turn: its file may be on its way to the trash or back.
    return this.#run(`look for ${item.kind} ${item.id}`, () =>
      this.#locks.with([item.id], async () => !health.isFailing && (await holdsItem(this.#parts, item))),
    );
  }

  blockStates(ids: readonly Id[]): Promise<readonly (BlockState | undefined)[]> {
    return this.#run(`look up ${ids.length} blocks`, () =>
      Promise.resolve(ids.map((id) => blockStateOf(this.#parts.index.get(id)))),
    );
  }

  mergeBlock(id: Id, state: BlockState, bytes?: Uint8Array): Promise<'merged' | 'needs bytes'> {
    return this.#runNew(`merge block ${id}`, () => this.#changes.merge(id, state, bytes));
  }

  dropItem({ id, kind, digest }: KeyItem, { andTrash = false }: DropOptions = {}): Promise<boolean> {
    return this.#run(`drop ${kind} ${id}`, () =>
      kind === 'block'
        ? this.#changes.drop(id, digest, andTrash)
        : this.#locks.with([id], () => this.#parts.records.drop(id, digest)),
    );
  }

  scrub(from: Id, budgetBytes: number): Promise<ScrubResult> {
    const { index, records } = this.#parts;
    const scrubbed = {
      list: (start: Id, limit: number) => this.#list(start, limit),
      sizeOf: ({ id, kind }: ListedKey) =>
        (kind === 'block' ? index.get(id) : records.entry(id))?.sizeBytes ?? 0,
      read: ({ id, kind }: ListedKey) =>
        kind === 'block' ? this.#get(id, { isChecked: true }) : this.#readRecord(id),
    };
    return this.#run('scrub', () => scrubKeys(scrubbed, from, budgetBytes));
  }

  lookAtDisk(): Promise<void> {
    return this.#run('look at the disk', () => this.#lookAtDisk());
  }

  usedBytes(owner: Id): number {
    return this.#parts.totals.usedBytes(owner);
  }

  stats(): StoreStats {
    return this.#parts.totals.stats();
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled([...this.#underWay]).then(() => this.#parts.index.close());
    return this.#closing;
  }

  /** For what gives the disk something new to keep. */
  #runNew<T>(what: string, work: () => Promise<T>): Promise<T> {
    return this.#run(what, async () => {
      this.#parts.health.requireWritable(`${what} in ${this.#parts.path}`);
      return work();
    });
  }

  /** Every operation goes through here: it is waited for at the end, and what the disk says gets its meaning. */
  async #run<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new PeerStoreError('IO', `cannot ${what}: the store in ${this.#parts.path} is closed`);
    }
    const running = (async () => work())();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (error) {
      throw storeError(error, what, this.#parts.path);
    } finally {
      this.#underWay.delete(running);
    }
  }

  async #lookAtDisk(): Promise<void> {
    const { system, health, files, path } = this.#parts;
    try {
      health.hasFree(await system.freeBytes(path));
      const { trialBytes } = health;
      if (trialBytes !== undefined) await files.tryWriting(trialBytes);
    } catch (error) {
      // Files note themselves what they fail for; and to see that is what this is for.
      if (systemCode(error) === undefined) throw error;
    }
  }

  async #get(id: Id, { range, isChecked = false }: ReadOptions): Promise<BlockPart | undefined> {
    const { index, blocks } = this.#parts;
    const entry = index.get(id);
    if (!isHeld(entry)) return undefined;
    const { sizeBytes } = entry;
    if (isChecked) {
      const whole = await blocks.read(id, 0, sizeBytes);
      if (whole?.length === sizeBytes && hashToId(whole) === id) return partOf(whole, range);
    } else {
      const { offset, length } = clipRange(sizeBytes, range);
      const bytes = await blocks.read(id, offset, length);
      if (bytes?.length === length) return { bytes, sizeBytes };
    }
    return this.#locks.with([id], () => this.#readAgain(id, range));
  }

  /** A read failed its check: was it overtaken by a change, or is the block damaged? Under the lock of the id. */
  async #readAgain(id: Id, range: ByteRange | undefined): Promise<BlockPart | undefined> {
    const entry = this.#parts.index.get(id);
    if (!isHeld(entry)) return undefined;
    const whole = await this.#parts.blocks.readChecked(id, entry.sizeBytes);
    return whole === undefined ? this.#changes.setAside(id, entry) : partOf(whole, range);
  }

  #readRecord(id: Id): Promise<StoredRecord | undefined> {
    return this.#locks.with([id], () => this.#parts.records.get(id));
  }

  #list(from: Id, limit: number): Promise<readonly ListedKey[]> {
    const blocks: Id[] = [];
    for (const { id, entry } of this.#parts.index.entries(from)) {
      if (blocks.length >= limit) break;
      if (isHeld(entry)) blocks.push(id);
    }
    return Promise.resolve(mergeKeys(blocks, this.#parts.records.ids(from, limit), limit));
  }
}
