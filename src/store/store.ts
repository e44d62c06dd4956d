/**
 * The contract of one machine's store: blocks and records, durable when a promise resolves.
 *
 * Disk (disk.ts) and memory (memory.ts) implement it and pass the same conformance suite. Every write is atomic: after
 * a crash at any point, a value is there whole or not at all, and what was acknowledged is there.
 *
 * Errors: NO_SPACE when the disk or the configured capacity is full (nothing is kept, everything held is still
 * served), DAMAGED when stored bytes no longer match their id, IO for other disk failures.
 */
import type { Id } from '../ring/identifier.js';

/** A part of a block. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What is known of a block without reading it. */
export interface BlockInfo {
  readonly id: Id;
  readonly sizeBytes: number;
  /** The users it belongs to. Empty after the index was rebuilt from the files, until an owner touches it again. */
  readonly owners: readonly Id[];
  readonly storedAtMs: number;
  /** When an owner last asked for it or posted it. */
  readonly touchedAtMs: number;
  /** Set while it is in the trash. */
  readonly trashedAtMs?: number;
}

/** What a record is to the store: bytes with a place and a number. Signatures are checked before it gets here. */
export interface StoredRecord {
  readonly id: Id;
  /** A higher number replaces a lower one. */
  readonly sequence: number;
  /** The whole record, signature included. */
  readonly bytes: Uint8Array;
}

export interface StoreStats {
  readonly blocks: number;
  readonly records: number;
  /** Bytes of the blocks and records held, the trash included. */
  readonly bytes: number;
  readonly capacityBytes: number | null;
  /** Blocks found damaged and set aside since the store was opened. */
  readonly damaged: number;
}

export interface Store {
  /**
   * Keeps a block for an owner, and touches it. A block in the trash comes back. Once the promise has resolved, the
   * store does not look at `bytes` again.
   * @returns whether it was not held before.
   * @throws PeerStoreError DAMAGED when the bytes do not have this id, NO_SPACE, IO.
   */
  putBlock(id: Id, bytes: Uint8Array, owner: Id): Promise<{ isNew: boolean }>;
  /**
   * A block's bytes, or the part of them that lies in `range`. A whole block is checked against its id; a damaged one
   * is set aside, so that it counts as absent from then on.
   * @returns undefined when it is not held (or is in the trash).
   * @throws PeerStoreError DAMAGED, IO.
   */
  getBlock(id: Id, range?: ByteRange): Promise<{ bytes: Uint8Array; sizeBytes: number } | undefined>;
  /** What is known of a block, in the trash or not. */
  blockInfo(id: Id): Promise<BlockInfo | undefined>;
  /**
   * Touches the blocks that are held, for an owner, durably; one in the trash comes back.
   * @returns for each id whether it is held.
   */
  touchBlocks(ids: readonly Id[], owner: Id): Promise<readonly boolean[]>;
  /**
   * Ends an owner's ownership, unless the block was touched after `liveSetAtMs`. The last owner's release moves it to
   * the trash.
   * @returns whether the owner does not own it any more.
   */
  releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean>;
  /** Removes for good what has been in the trash since before `trashedBeforeMs`. @returns the bytes it freed. */
  emptyTrash(trashedBeforeMs: number): Promise<number>;

  /**
   * Keeps a record if its number is higher than the one held, or the bytes are the same.
   * @throws PeerStoreError CONFLICT when another value is held for this number or a higher one, NO_SPACE, IO.
   */
  putRecord(record: StoredRecord): Promise<void>;
  getRecord(id: Id): Promise<StoredRecord | undefined>;

  /** The ids of the blocks and records held, in order, from `from` on, at most `limit`. */
  listKeys(from: Id, limit: number): Promise<readonly { id: Id; kind: 'block' | 'record' }[]>;
  /** Bytes of the blocks that belong to an owner. */
  usedBytes(owner: Id): number;
  stats(): StoreStats;
  /** Ends what is under way and closes the files. */
  close(): Promise<void>;
}
