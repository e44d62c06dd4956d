/** What a store holds, counted along with every change, and the capacity that it must not exceed. */
import { assert, PeerStoreError } from '../base/errors.js';
import type { Id } from '../ring/identifier.js';
import { type BlockEntry, isHeld } from './block-entry.js';
import type { StoreStats } from './store.js';

export class StoreTotals {
  readonly #capacityBytes: number | null;
  readonly #bytesOfOwner = new Map<Id, number>();
  #blocks = 0;
  #records = 0;
  #bytes = 0;
  #reservedBytes = 0;
  #damaged = 0;

  /** @param capacityBytes what blocks and records may take together; null when the disk alone sets the bound */
  constructor(capacityBytes: number | null) {
    this.#capacityBytes = capacityBytes;
  }

  /**
   * Sets room aside for a value that is about to be written, so that writes at the same time do not exceed the
   * capacity together.
   * @returns gives the room back; to be called once the value is counted, or has failed.
   * @throws PeerStoreError NO_SPACE.
   */
  reserve(sizeBytes: number): () => void {
    const taken = this.#bytes + this.#reservedBytes;
    if (this.#capacityBytes !== null && taken + sizeBytes > this.#capacityBytes) {
      throw new PeerStoreError(
        'NO_SPACE',
        `${sizeBytes} bytes more do not fit the capacity of ${this.#capacityBytes} bytes, of which ${taken} are ` +
          'taken; raise the capacity or add a peer',
      );
    }
    this.#reservedBytes += sizeBytes;
    return () => {
      this.#reservedBytes -= sizeBytes;
    };
  }

  /** Counts a block's change from one state to the next; undefined is: not there. */
  changeBlock(before: BlockEntry | undefined, after: BlockEntry | undefined): void {
    this.#blocks += Number(isHeld(after)) - Number(isHeld(before));
    this.#bytes += (after?.sizeBytes ?? 0) - (before?.sizeBytes ?? 0);
    for (const owner of before?.owners ?? []) this.#addToOwner(owner, -(before?.sizeBytes ?? 0));
    for (const owner of after?.owners ?? []) this.#addToOwner(owner, after?.sizeBytes ?? 0);
    assert(this.#blocks >= 0 && this.#bytes >= 0, 'a store holds no less than nothing');
  }

  /** Counts a record's change of size; undefined is: not there. */
  changeRecord(beforeBytes: number | undefined, afterBytes: number | undefined): void {
    this.#records += Number(afterBytes !== undefined) - Number(beforeBytes !== undefined);
    this.#bytes += (afterBytes ?? 0) - (beforeBytes ?? 0);
  }

  /** Counts a value that was found damaged and set aside. */
  countDamaged(): void {
    this.#damaged += 1;
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
      damaged: this.#damaged,
    };
  }

  #addToOwner(owner: Id, bytes: number): void {
    const sum = this.usedBytes(owner) + bytes;
    if (sum === 0) this.#bytesOfOwner.delete(owner);
    else this.#bytesOfOwner.set(owner, sum);
  }
}
