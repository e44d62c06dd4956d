/**
 * A store in memory, for tests and simulators. It hands out the very arrays that it keeps: nobody may change them.
 */
import type { Clock } from '../base/clock.js';
import type { Id } from '../ring/identifier.js';
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
import { isReplacement, recordEntryOf } from './record-rule.js';
import { type ListedKey, mergeKeys, SortedIds } from './sorted-ids.js';
import type { BlockInfo, ByteRange, Store, StoredRecord, StoreStats } from './store.js';
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

class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #totals: StoreTotals;
  readonly #entries = new Map<Id, BlockEntry>();
  readonly #bytes = new Map<Id, Uint8Array>();
  readonly #records = new Map<Id, StoredRecord>();
  readonly #heldIds = new SortedIds();
  readonly #recordIds = new SortedIds();

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#totals = new StoreTotals(options.capacityBytes ?? null);
  }

  // Nothing below waits, so every method is one step; `async` turns what is thrown into a rejection.
  /* eslint-disable @typescript-eslint/require-await */

  async putBlock(id: Id, bytes: Uint8Array, owner: Id): Promise<{ isNew: boolean }> {
    checkBlock(id, bytes);
    const nowMs = this.#clock.nowMs();
    const before = this.#entries.get(id);
    const after = touchedEntry(before ?? newEntry(bytes.length, nowMs), owner, nowMs);
    if (before === undefined) {
      const giveBack = this.#totals.reserve(bytes.length);
      this.#bytes.set(id, Uint8Array.from(bytes));
      giveBack();
    }
    this.#change(id, before, after);
    return { isNew: !isHeld(before) };
  }

  async getBlock(id: Id, range?: ByteRange): Promise<{ bytes: Uint8Array; sizeBytes: number } | undefined> {
    const bytes = this.#bytes.get(id);
    if (bytes === undefined || !isHeld(this.#entries.get(id))) return undefined;
    const part = clipRange(bytes.length, range);
    return { bytes: bytes.subarray(part.offset, part.offset + part.length), sizeBytes: bytes.length };
  }

  async blockInfo(id: Id): Promise<BlockInfo | undefined> {
    const entry = this.#entries.get(id);
    return entry === undefined ? undefined : blockInfoOf(id, entry);
  }

  async touchBlocks(ids: readonly Id[], owner: Id): Promise<readonly boolean[]> {
    const nowMs = this.#clock.nowMs();
    return ids.map((id) => {
      const before = this.#entries.get(id);
      if (before !== undefined) this.#change(id, before, touchedEntry(before, owner, nowMs));
      return before !== undefined;
    });
  }

  async releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean> {
    const before = this.#entries.get(id);
    if (before === undefined) return true;
    const after = releasedEntry(before, owner, liveSetAtMs, this.#clock.nowMs());
    if (after === undefined) return false;
    this.#change(id, before, after);
    return true;
  }

  async emptyTrash(trashedBeforeMs: number): Promise<number> {
    let freedBytes = 0;
    for (const [id, entry] of this.#entries) {
      if (!isTrashedBefore(entry, trashedBeforeMs)) continue;
      this.#change(id, entry, undefined);
      this.#bytes.delete(id);
      freedBytes += entry.sizeBytes;
    }
    return freedBytes;
  }

  async putRecord(record: StoredRecord): Promise<void> {
    const held = this.#records.get(record.id);
    const offered = recordEntryOf(record);
    if (!isReplacement(record.id, held && recordEntryOf(held), offered)) return;
    const giveBack = this.#totals.reserve(Math.max(0, offered.sizeBytes - (held?.bytes.length ?? 0)));
    this.#records.set(record.id, record);
    this.#recordIds.add(record.id);
    this.#totals.changeRecord(held?.bytes.length, offered.sizeBytes);
    giveBack();
  }

  async getRecord(id: Id): Promise<StoredRecord | undefined> {
    return this.#records.get(id);
  }

  async listKeys(from: Id, limit: number): Promise<readonly ListedKey[]> {
    return mergeKeys(this.#heldIds.from(from, limit), this.#recordIds.from(from, limit), limit);
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

  #change(id: Id, before: BlockEntry | undefined, after: BlockEntry | undefined): void {
    if (after === undefined) this.#entries.delete(id);
    else this.#entries.set(id, after);
    if (isHeld(after)) this.#heldIds.add(id);
    else this.#heldIds.delete(id);
    this.#totals.changeBlock(before, after);
  }
}
