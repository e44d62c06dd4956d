/**
 * The contract of one machine's store: blocks and records, durable when a promise resolves.
 *
 * Holders of the same keys find out in what they differ by comparing fingerprints of ranges, and bring it together by
 * telling each other what they know of each block: in any order and as often as they like, they end with the same.
 *
 * Disk (disk.ts) and memory (memory.ts) implement it and pass the same conformance suite. Every write is atomic: after
 * a crash at any point, a value is there whole or not at all, and what was acknowledged is there.
 *
 * Errors: NO_SPACE when the disk or the configured capacity is full (nothing is kept, everything held is still
 * served), DAMAGED when stored bytes no longer match their id, PROTOCOL when a value breaks a limit, that on its owners
 * included, IO for other disk failures. While the disk is read-only or failing (disk-health.ts), whatever would keep, touch
 * or merge is refused with IO.
 */
import type { Id } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import type { DiskStatus } from './disk-health.js';
import type { Ownership } from './ownership.js';

/** A part of a block. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** How a block is read. */
export interface ReadOptions {
  /** Only the bytes in it. */
  readonly range?: ByteRange;
  /** Whether all of the block is held against its id first, which takes far longer than reading it. By default not. */
  readonly isChecked?: boolean;
}

/** A block's bytes, or a part of them. */
export interface BlockPart {
  readonly bytes: Uint8Array;
  /** Of the whole block. */
  readonly sizeBytes: number;
}

/** What is known of a block without reading it. */
export interface BlockInfo {
  readonly id: Id;
  readonly sizeBytes: number;
  /** The users it belongs to. Empty after the index was rebuilt from the files, until an owner touches it again. */
  readonly owners: readonly Id[];
  readonly storedAtMs: number;
  /** When anybody last asked for it or posted it; when it was stored while nobody is known who did. */
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

/**
 * What holders agree on once they have heard of the same: whose a block is, and whose it was. It goes on being known when
 * the bytes are gone, as a tombstone.
 */
export interface BlockState {
  readonly sizeBytes: number;
  /** In the order of the owners' ids. */
  readonly ownerships: readonly Ownership[];
}

/** A key, and what stands for all that holders have to agree on about it. */
export interface KeyItem {
  readonly id: Id;
  readonly kind: 'block' | 'record';
  /** 16 bytes. Equal for equal knowledge. */
  readonly digest: Uint8Array;
}

/** What stands for all items of a range. */
export interface RangeFingerprint {
  readonly count: number;
  /** 16 bytes: the digests, all XORed. */
  readonly sum: Uint8Array;
}

/** The same, and how many of the items are values held: blocks neither in the trash nor gone, and records. */
export interface HeldFingerprint extends RangeFingerprint {
  readonly held: number;
}

export interface DropOptions {
  /** Also what lies in the trash: for whoever leaves, and has handed over the bytes. */
  readonly andTrash?: boolean;
}

/** How far a scrub came. */
export interface ScrubResult {
  /** Where to go on; undefined when all keys up to the end were read. */
  readonly next: Id | undefined;
  readonly readBytes: number;
  /** The blocks and records that were set aside. */
  readonly damaged: readonly Id[];
  /** What could not be read and is still in its place, because nothing says that it is damaged: it may not be opened. */
  readonly unreadable: readonly { readonly id: Id; readonly reason: string }[];
}

export interface StoreStats {
  readonly blocks: number;
  readonly records: number;
  /**
   * Bytes of the blocks and records held, the trash included. Tombstones have none. In the capacity each of them counts for
   * `limits.storedValueBytesMin` at least.
   */
  readonly bytes: number;
  readonly capacityBytes: number | null;
  /** The latest time that was noted of any block, as far as known since the store was opened; null when none was. */
  readonly latestMs: number | null;
  /** Blocks found damaged and set aside since the store was opened. */
  readonly damaged: number;
  /** Of these, those that are whole again. */
  readonly mended: number;
  readonly disk: DiskStatus;
}

export interface Store {
  /**
   * Keeps a block for an owner, and touches it. A block in the trash comes back. Once the promise has resolved, the
   * store does not look at `bytes` again.
   * @param atMs the time of the touch as whoever coordinates the write says it, so that all holders note the same; one
   * from further ahead of the own clock than a clock may be counts as the end of the day. Left out: now.
   * @returns whether it was not held before.
   * @throws PeerStoreError DAMAGED when the bytes do not have this id, PROTOCOL when it has as many owners as a block may
   * have, NO_SPACE, IO.
   */
  putBlock(id: Id, bytes: Uint8Array, owner: Id, atMs?: number): Promise<{ isNew: boolean }>;
  /**
   * A block's bytes, or the part of them that lies in a range. They may have rotted unless they are checked: whoever is
   * given a block checks it in any case, for peers do not trust each other. A block that is found damaged, or whose bytes
   * cannot be read or are fewer than there should be, is set aside, so that it counts as absent from then on.
   * @returns undefined when it is not held (or is in the trash).
   * @throws PeerStoreError DAMAGED, IO.
   */
  getBlock(id: Id, options?: ReadOptions): Promise<BlockPart | undefined>;
  /**
   * The bytes of a block in the trash, checked, to be handed to a holder that takes over from this one.
   * @returns undefined when it is not in the trash, or damaged there.
   * @throws PeerStoreError IO.
   */
  trashedBytes(id: Id): Promise<Uint8Array | undefined>;
  /** What is known of a block that is here, in the trash or not. Undefined for a tombstone. */
  blockInfo(id: Id): Promise<BlockInfo | undefined>;
  /**
   * Touches the blocks that are held, for an owner, durably; one in the trash comes back. A tombstone has no bytes: it is
   * not held, and stays what it is.
   * @param atMs as for {@link Store.putBlock}
   * @returns for each id whether it is held.
   */
  touchBlocks(ids: readonly Id[], owner: Id, atMs?: number): Promise<readonly boolean[]>;
  /**
   * Ends an owner's ownership, unless the block was touched after `liveSetAtMs`. The last owner's release moves it to
   * the trash.
   * @returns whether the owner does not own it any more.
   */
  releaseBlock(id: Id, owner: Id, liveSetAtMs: number): Promise<boolean>;
  /**
   * Removes the bytes for good of what has been in the trash since before `trashedBeforeMs`. Who owned it and released it
   * is remembered: the tombstone. Those of which the last release is longer ago than `limits.tombstoneMs` are forgotten; a
   * holder that was away since then may bring the block back. What lies in the trash since later than now, by a clock that
   * was ahead, lies there since now.
   * @returns the bytes it freed.
   */
  emptyTrash(trashedBeforeMs: number): Promise<number>;

  /**
   * Keeps a record if its number is higher than the one held, or the bytes are the same.
   * @throws PeerStoreError CONFLICT when another value is held for this number or a higher one, NO_SPACE, IO.
   */
  putRecord(record: StoredRecord): Promise<void>;
  getRecord(id: Id): Promise<StoredRecord | undefined>;

  /** The ids of the blocks and records held, in order, from `from` on, at most `limit`. */
  listKeys(from: Id, limit: number): Promise<readonly { id: Id; kind: 'block' | 'record' }[]>;

  /** What stands for the items of a range: blocks held, in the trash, and tombstones; and records. Reads next to nothing. */
  fingerprint(range: KeyRange): Promise<HeldFingerprint>;
  /** The items of a range, in the order of their ids, at most `limit`. */
  items(range: KeyRange, limit: number): Promise<readonly KeyItem[]>;
  /** The item of one key: a block and a record may share an id. Undefined when there is none. */
  itemOf(id: Id, kind: KeyItem['kind']): Promise<KeyItem | undefined>;
  /**
   * Whether this very item is here, so that somebody else may drop it: with the same digest, and, for a value that is held,
   * with its file, as far as can be told without reading it. False on a failing disk: nobody is to rely on it.
   */
  holdsItem(item: KeyItem): Promise<boolean>;
  /** What is known of these blocks, to be told to another holder; undefined for those of which nothing is. */
  blockStates(ids: readonly Id[]): Promise<readonly (BlockState | undefined)[]>;
  /**
   * Takes over what another holder knows of a block. Who owns it follows from what both know: a block that is to be held
   * comes out of the trash, one that nobody owns any more goes there, and one that was never here becomes a tombstone.
   * Where its bytes are needed and neither here nor given, nothing changes; nor does it by a tombstone so old that it may
   * be forgotten, of a block of which nothing is known.
   * @param bytes the whole block; not looked at again once the promise has resolved. Those of a block that nobody owns
   * any more are kept in the trash, where its time begins anew.
   * @throws PeerStoreError DAMAGED when the bytes do not have this id or size, PROTOCOL when the state cannot be true of
   * any block or it would have too many owners, NO_SPACE, IO.
   */
  mergeBlock(id: Id, state: BlockState, bytes?: Uint8Array): Promise<'merged' | 'needs bytes'>;
  /**
   * Removes a surplus copy, without a trace, unless its item has another digest by now. A block whose bytes lie in the
   * trash stays, too, until its time is over: others may have no more of it than its tombstone, which has the same digest.
   * @returns whether it is gone; true, too, when it was not there.
   */
  dropItem(item: KeyItem, options?: DropOptions): Promise<boolean>;

  /**
   * Reads the blocks and records held in the order of their ids, from `from` on, until `budgetBytes` are read, and checks
   * them. What is damaged is set aside and counted, as {@link Store.getBlock} does it; what may not be opened is named.
   * @throws PeerStoreError IO when the disk cannot be read.
   */
  scrub(from: Id, budgetBytes: number): Promise<ScrubResult>;

  /** Looks at the room that is left, and whether a disk that was full or read-only can be written again. */
  lookAtDisk(): Promise<void>;

  /** Bytes of the blocks that belong to an owner. */
  usedBytes(owner: Id): number;
  stats(): StoreStats;
  /** Ends what is under way and closes the files. */
  close(): Promise<void>;
}
