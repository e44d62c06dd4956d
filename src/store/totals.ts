/**
 * What a store holds, counted and summed up along with every change, and the capacity that it must not exceed. In the
 * capacity a small value counts for what its file takes of the disk; everywhere else it has the bytes that it has.
 */
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import { type BlockEntry, hasBytes, isHeld, latestTimeMs } from './block-entry.js';
import type { DiskHealth } from './disk-health.js';
import { Fingerprints } from './fingerprints.js';
import { countedBlock, countedRecord } from './items.js';
import { isActive } from './ownership.js';
import type { RecordEntry } from './record-rule.js';
import type { KeyItem, StoreStats } from './store.js';

export class StoreTotals {
  /** Over the items of all blocks and records. */
  readonly fingerprints: Fingerprints;
  readonly #capacityBytes: number | null;
  readonly #bytesOfOwner = new Map<Id, number>();
  #blocks = 0;
  #records = 0;
  #bytes = 0;
  /** The same as the capacity counts it. */
  #takenBytes = 0;
  #reservedBytes = 0;
  #latestMs: number | null = null;
  #damaged = 0;
  #mended = 0;
  /** Those that were damaged and are not back. */
  readonly #toMend = new Set<string>();
  readonly #health: DiskHealth;

  /**
   * @param capacityBytes what blocks and records may take together; null when the disk alone sets the bound
   * @param bucketDigits of the {@link Fingerprints}: 2 for thousands of keys, 4 for millions
   */
  constructor(capacityBytes: number | null, bucketDigits: number, health: DiskHealth) {
    this.#capacityBytes = capacityBytes;
    this.#health = health;
    this.fingerprints = new Fingerprints(bucketDigits);
  }

  /**
   * Sets room aside for a value that is about to be written, so that writes at the same time do not exceed the
   * capacity together.
   * @param beforeBytes of the value in whose place it comes; undefined when there is none
   * @returns gives the room back; to be called once the value is counted, or has failed.
   * @throws PeerStoreError NO_SPACE.
   */
  reserve(sizeBytes: number, beforeBytes?: number): () => void {
    const moreBytes = Math.max(0, takenBy(sizeBytes) - takenBy(beforeBytes));
    const taken = this.#takenBytes + this.#reservedBytes;
    // What takes no more than before is kept also where there is too much already, as when the capacity was lowered.
    if (this.#capacityBytes !== null && moreBytes > 0 && taken + moreBytes > this.#capacityBytes) {
      const reason = `${moreBytes} bytes more do not fit the capacity of ${this.#capacityBytes} bytes, of which ${taken} are taken`;
      this.#health.refused(moreBytes, reason);
      throw new PeerStoreError('NO_SPACE', `${reason}; raise the capacity or add a peer`);
    }
    this.#reservedBytes += moreBytes;
    return () => {
      this.#reservedBytes -= moreBytes;
    };
  }

  /** Counts a block's change from one state to the next; undefined is: not there. */
  changeBlock(id: Id, before: BlockEntry | undefined, after: BlockEntry | undefined): void {
    this.#blocks += Number(isHeld(after)) - Number(isHeld(before));
    this.#changeBytes(bytesOf(before), bytesOf(after));
    if (after !== undefined) this.#latestMs = Math.max(this.#latestMs ?? 0, latestTimeMs(after));
    this.#addToOwners(before, -1);
    this.#addToOwners(after, 1);
    assert(this.#blocks >= 0 && this.#bytes >= 0, 'a store holds no less than nothing');
    this.fingerprints.change(id, countedBlock(id, before), countedBlock(id, after));
    this.#changed(id, 'block', hasBytes(after));
  }

  /** Counts a record's change; undefined is: not there. */
  changeRecord(id: Id, before: RecordEntry | undefined, after: RecordEntry | undefined): void {
    this.#records += Number(after !== undefined) - Number(before !== undefined);
    this.#changeBytes(before?.sizeBytes, after?.sizeBytes);
    this.fingerprints.change(id, countedRecord(id, before), countedRecord(id, after));
    this.#changed(id, 'record', after !== undefined);
  }

  /** Counts a value that was found damaged and set aside, once it is not counted as held any more. */
  countDamaged(id: Id, kind: KeyItem['kind']): void {
    this.#damaged += 1;
    if (this.#toMend.size < limits.damagedKept) this.#toMend.add(`${kind} ${id}`);
  }

  /** Bytes of the blocks that belong to an owner. */
  usedBytes(owner: Id): number {
    return this.#bytesOfOwner.get(owner) ?? 0;
  }

  stats(): StoreStats {
    return {
      blocks: this.#blocks,
      records: this.#records,
      bytes: this.#bytes,
      capacityBytes: this.#capacityBytes,
      latestMs: this.#latestMs,
      damaged: this.#damaged,
      mended: this.#mended,
      disk: this.#health.status,
    };
  }

  #changed(id: Id, kind: KeyItem['kind'], isThere: boolean): void {
    if (isThere && this.#toMend.size > 0 && this.#toMend.delete(`${kind} ${id}`)) this.#mended += 1;
    this.#health.holds(this.#takenBytes);
  }

  /** @param before bytes of a value; undefined is: not there */
  #changeBytes(before: number | undefined, after: number | undefined): void {
    this.#bytes += (after ?? 0) - (before ?? 0);
    this.#takenBytes += takenBy(after) - takenBy(before);
  }

  #addToOwners(entry: BlockEntry | undefined, sign: 1 | -1): void {
    if (entry === undefined) return;
    for (const { owner } of entry.ownerships.filter(isActive)) {
      const sum = this.usedBytes(owner) + sign * entry.sizeBytes;
      if (sum === 0) this.#bytesOfOwner.delete(owner);
      else this.#bytesOfOwner.set(owner, sum);
    }
  }
}

/** The bytes of a block; undefined for a tombstone, which has none. */
function bytesOf(entry: BlockEntry | undefined): number | undefined {
  return hasBytes(entry) ? entry.sizeBytes : undefined;
}

/** What a value takes of the capacity; undefined is: not there. */
function takenBy(sizeBytes: number | undefined): number {
  return sizeBytes === undefined ? 0 : Math.max(sizeBytes, limits.storedValueBytesMin);
}
