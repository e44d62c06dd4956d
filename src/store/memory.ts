/**
 * A store in memory, for tests and simulators. It hands out the very arrays that it keeps: nobody may change them.
 */
import { bytesEqual } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { silentLogger } from '../base/log.js';
import { hashToId, type Id } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import {
  type BlockEntry,
  blockInfoOf,
  blockStateOf,
  checkBlock,
  checkState,
  hasBytes,
  isExpiredTombstone,
  isHeld,
  isInTrash,
  isTold,
  isTrashedBefore,
  mergedEntry,
  partOf,
  releasedEntry,
  removedEntry,
  touchedEntry,
  trashedByNow,
} from './block-entry.js';
import { DiskHealth } from './disk-health.js';
import type { CountedItem } from './fingerprints.js';
import { countedBlock, countedRecord } from './items.js';
import { isReplacement, type RecordEntry, recordEntryOf } from './record-rule.js';
import { scrubKeys } from './scrub.js';
import { type ListedKey, mergeKeys, SortedIds } from './sorted-ids.js';
import type {
  BlockInfo,
  BlockPart,
  BlockState,
  DropOptions,
  HeldFingerprint,
  KeyItem,
  ReadOptions,
  ScrubResult,
  Store,
  StoredRecord,
  StoreStats,
} from './store.js';
import { StoreTotals } from './totals.js';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** What blocks and records may take together. Left out: no bound. */
  readonly capacityBytes?: number;
}

/** Makes an empty store in memory. */
export function createMemoryStore(options: MemoryStoreOptions): Store {
  return new MemoryStore(options);
}

/** Digits of the buckets of fingerprints: a simulator has thousands of stores. */
const bucketDigits = 2;

class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #totals: StoreTotals;
  readonly #entries = new Map<Id, BlockEntry>();
  readonly #bytes = new Map<Id, Uint8Array>();
  readonly #records = new Map<Id, { readonly record: StoredRecord; readonly entry: RecordEntry }>();
  readonly #heldIds = new SortedIds();
  readonly #toldIds = new SortedIds();
  readonly #recordIds = new SortedIds();

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    const capacityBytes = options.capacityBytes ?? null;
    const health = new DiskHealth(options.clock, silentLogger, capacityBytes);
    this.#totals = new StoreTotals(capacityBytes, bucketDigits, health);
  }

  // Nothing below waits, so every method is one step; `async` turns what is thrown into a rejection.
  /* eslint-disable @typescript-eslint/require-await */

  async putBlock(id: Id, bytes: Uint8Array, owner: Id, atMs?: number): Promise<{ isNew: boolean }> {
    checkBlock(id, bytes);
    const nowMs = this.#clock.nowMs();
    const before = this.#entries.get(id);
    this.#keep(id, touchedEntry(before, bytes.length, owner, atMs ?? nowMs, nowMs), bytes);
    return { isNew: !isHeld(before) };
  }

  async getBlock(id: Id, { range, isChecked = false }: ReadOptions = {}): Promise<BlockPart | undefined> {
    const bytes = this.#bytes.get(id);
    if (bytes === undefined || !isHeld(this.#entries.get(id))) return undefined;
    if (isChecked) this.#check({ id, kind: 'block' });
    return partOf(bytes, range);
  }

  async trashedBytes(id: Id): Promise<Uint8Array | undefined> {
    const bytes = this.#bytes.get(id);
    return bytes !== undefined && isInTrash(this.#entries.get(id)) && hashToId(bytes) === id
      ? bytes
      : undefined;
  }

  async blockInfo(id: Id): Promise<BlockInfo | undefined> {
    return blockInfoOf(id, this.#entries.get(id));
  }

  async touchBlocks(ids: readonly Id[], owner: Id, atMs?: number): Promise<readonly boolean[]> {
    const nowMs = this.#clock.nowMs();
    return ids.map((id) => {
      const before = this.#entries.get(id);
      if (!hasBytes(before)) return false;
      this.#change(id, touchedEntry(before, before.sizeBytes, owner, atMs ?? nowMs, nowMs));
      return true;
    });
  }

  async releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean> {
    const before = this.#entries.get(id);
    if (before === undefined) return true;
    const { entry, isReleased } = releasedEntry(before, owner, liveSetAtMs, this.#clock.nowMs());
    this.#change(id, entry);
    return isReleased;
  }

  async emptyTrash(trashedBeforeMs: number): Promise<number> {
    let freedBytes = 0;
    for (const [id, entry] of this.#entries) {
      if (!isInTrash(entry)) continue;
      if (!isTrashedBefore(entry, trashedBeforeMs)) {
        this.#change(id, trashedByNow(entry, this.#clock.nowMs()));
        continue;
      }
      this.#change(id, removedEntry(entry, this.#clock.nowMs()));
      freedBytes += entry.sizeBytes;
    }
    for (const [id, entry] of this.#entries) {
      if (isExpiredTombstone(entry, this.#clock.nowMs())) this.#change(id, undefined);
    }
    return freedBytes;
  }

  async putRecord(record: StoredRecord): Promise<void> {
    const held = this.#records.get(record.id)?.entry;
    const entry = recordEntryOf(record);
    if (!isReplacement(record.id, held, entry)) return;
    const giveBack = this.#totals.reserve(entry.sizeBytes, held?.sizeBytes);
    this.#records.set(record.id, { record, entry });
    this.#recordIds.add(record.id);
    this.#totals.changeRecord(record.id, held, entry);
    giveBack();
  }

  async getRecord(id: Id): Promise<StoredRecord | undefined> {
    return this.#records.get(id)?.record;
  }

  async listKeys(from: Id, limit: number): Promise<readonly ListedKey[]> {
    return mergeKeys(this.#heldIds.from(from, limit), this.#recordIds.from(from, limit), limit);
  }

  async fingerprint(range: KeyRange): Promise<HeldFingerprint> {
    return this.#totals.fingerprints.of(range, (part) =>
      this.#keysOf(part, Infinity).flatMap((key) => this.#countedOf(key) ?? []),
    );
  }

  async items(range: KeyRange, limit: number): Promise<readonly KeyItem[]> {
    return this.#keysOf(range, limit).flatMap((key) => this.#itemOf(key) ?? []);
  }

  async itemOf(id: Id, kind: KeyItem['kind']): Promise<KeyItem | undefined> {
    return this.#itemOf({ id, kind });
  }

  async holdsItem({ id, kind, digest }: KeyItem): Promise<boolean> {
    const own = this.#itemOf({ id, kind });
    return own !== undefined && bytesEqual(own.digest, digest);
  }

  async blockStates(ids: readonly Id[]): Promise<readonly (BlockState | undefined)[]> {
    return ids.map((id) => blockStateOf(this.#entries.get(id)));
  }

  async mergeBlock(id: Id, state: BlockState, bytes?: Uint8Array): Promise<'merged' | 'needs bytes'> {
    checkState(id, state, bytes);
    const before = this.#entries.get(id);
    const after = mergedEntry(before, state, bytes !== undefined, this.#clock.nowMs());
    if (!hasBytes(after) || hasBytes(before)) this.#change(id, after);
    else if (bytes === undefined) {
      // Nobody is to send what has no room here.
      this.#totals.reserve(state.sizeBytes)();
      return 'needs bytes';
    } else this.#keep(id, after, bytes);
    return 'merged';
  }

  async dropItem({ id, kind, digest }: KeyItem, { andTrash = false }: DropOptions = {}): Promise<boolean> {
    const own = this.#itemOf({ id, kind });
    if (own === undefined) return true;
    if (!bytesEqual(own.digest, digest)) return false;
    if (kind === 'block' && isInTrash(this.#entries.get(id)) && !andTrash) return false;
    if (kind === 'block') this.#change(id, undefined);
    else this.#removeRecord(id);
    return true;
  }

  async scrub(from: Id, budgetBytes: number): Promise<ScrubResult> {
    const scrubbed = {
      list: (start: Id, limit: number) => this.listKeys(start, limit),
      sizeOf: ({ id, kind }: ListedKey) =>
        (kind === 'block' ? this.#entries.get(id) : this.#records.get(id)?.entry)?.sizeBytes ?? 0,
      read: async (key: ListedKey) => this.#check(key),
    };
    return scrubKeys(scrubbed, from, budgetBytes);
  }

  async lookAtDisk(): Promise<void> {
    // There is none; what the capacity leaves is looked at with every change.
  }

  usedBytes(owner: Id): number {
    return this.#totals.usedBytes(owner);
  }

  stats(): StoreStats {
    return this.#totals.stats();
  }

  async close(): Promise<void> {
    // There is nothing to close: a simulator that restarts a node hands it the same store again.
  }

  /* eslint-enable @typescript-eslint/require-await */

  #keysOf(range: KeyRange, limit: number): readonly ListedKey[] {
    return mergeKeys(this.#toldIds.within(range, limit), this.#recordIds.within(range, limit), limit);
  }

  #countedOf({ id, kind }: ListedKey): CountedItem | undefined {
    return kind === 'block'
      ? countedBlock(id, this.#entries.get(id))
      : countedRecord(id, this.#records.get(id)?.entry);
  }

  #itemOf(key: ListedKey): KeyItem | undefined {
    const counted = this.#countedOf(key);
    return counted && { ...key, digest: counted.digest };
  }

  /** Whoever was handed a value could have changed it, as a disk does. */
  #check({ id, kind }: ListedKey): void {
    const bytes = kind === 'block' ? this.#bytes.get(id) : this.#records.get(id)?.record.bytes;
    const digest = kind === 'block' ? id : this.#records.get(id)?.entry.digest;
    if (bytes === undefined || hashToId(bytes) === digest) return;
    if (kind === 'block') this.#change(id, undefined);
    else this.#removeRecord(id);
    this.#totals.countDamaged(id, kind);
    throw new PeerStoreError('DAMAGED', `${kind} ${id} was damaged in memory; another holder has it`);
  }

  /** Keeps a block, and its bytes where they are not here. */
  #keep(id: Id, after: BlockEntry, bytes: Uint8Array): void {
    if (!hasBytes(this.#entries.get(id))) {
      this.#totals.reserve(bytes.length)();
      this.#bytes.set(id, Uint8Array.from(bytes));
    }
    this.#change(id, after);
  }

  #change(id: Id, after: BlockEntry | undefined): void {
    const before = this.#entries.get(id);
    if (after === undefined) this.#entries.delete(id);
    else this.#entries.set(id, after);
    if (!hasBytes(after)) this.#bytes.delete(id);
    if (isHeld(after)) this.#heldIds.add(id);
    else this.#heldIds.delete(id);
    if (isTold(after)) this.#toldIds.add(id);
    else this.#toldIds.delete(id);
    this.#totals.changeBlock(id, before, after);
  }

  #removeRecord(id: Id): void {
    this.#totals.changeRecord(id, this.#records.get(id)?.entry, undefined);
    this.#records.delete(id);
    this.#recordIds.delete(id);
  }
}
