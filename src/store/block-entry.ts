/**
 * The rules of a block's life, without its bytes: who owns it, when it was touched, when it goes to the trash. Both
 * stores follow them, so that they cannot differ.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id } from '../ring/identifier.js';
import type { BlockInfo, ByteRange } from './store.js';

/** What a store remembers of a block. Never changed in place. */
export interface BlockEntry {
  readonly sizeBytes: number;
  readonly owners: readonly Id[];
  readonly storedAtMs: number;
  readonly touchedAtMs: number;
  /** Null while it is held. */
  readonly trashedAtMs: number | null;
}

/** Whether a block is held: known, and not in the trash. */
export function isHeld(entry: BlockEntry | undefined): entry is BlockEntry {
  return entry?.trashedAtMs === null;
}

/** A block that just came in, before anybody owns it. */
export function newEntry(sizeBytes: number, nowMs: number): BlockEntry {
  return { sizeBytes, owners: [], storedAtMs: nowMs, touchedAtMs: nowMs, trashedAtMs: null };
}

/**
 * The block after an owner posted it or asked for it: out of the trash, and his. A clock that was set back does not
 * move the touch back, which would undo what it protects from.
 * @throws PeerStoreError NO_SPACE when it has as many owners as a block may have.
 */
export function touchedEntry(entry: BlockEntry, owner: Id, nowMs: number): BlockEntry {
  const isOwner = entry.owners.includes(owner);
  if (!isOwner && entry.owners.length >= limits.ownersPerBlock) {
    throw new PeerStoreError('NO_SPACE', `a block cannot belong to more than ${limits.ownersPerBlock} users`);
  }
  return {
    ...entry,
    owners: isOwner ? entry.owners : [...entry.owners, owner],
    touchedAtMs: Math.max(entry.touchedAtMs, nowMs),
    trashedAtMs: null,
  };
}

/**
 * The block after an owner let go of it; the same entry when he never owned it. A block that nobody is known to own
 * (after the index was rebuilt) stays: somebody may own it who has not touched it yet.
 * @returns undefined when it was touched after the live set was taken, so that he owns it still.
 */
export function releasedEntry(
  entry: BlockEntry,
  owner: Id,
  liveSetAtMs: number,
  nowMs: number,
): BlockEntry | undefined {
  if (!entry.owners.includes(owner)) return entry;
  if (entry.touchedAtMs > liveSetAtMs) return undefined;
  const owners = entry.owners.filter((one) => one !== owner);
  return { ...entry, owners, trashedAtMs: owners.length === 0 ? nowMs : null };
}

/** Whether a block has been in the trash since before a moment. */
export function isTrashedBefore(entry: BlockEntry | undefined, beforeMs: number): entry is BlockEntry {
  return entry !== undefined && entry.trashedAtMs !== null && entry.trashedAtMs < beforeMs;
}

/** The entry as the contract shows it. */
export function blockInfoOf(id: Id, entry: BlockEntry): BlockInfo {
  const { trashedAtMs, ...rest } = entry;
  return trashedAtMs === null ? { id, ...rest } : { id, ...rest, trashedAtMs };
}

/**
 * Checks a block before it is kept.
 * @throws PeerStoreError DAMAGED when the bytes do not have this id, PROTOCOL when there are too many.
 */
export function checkBlock(id: Id, bytes: Uint8Array): void {
  if (bytes.length > limits.blockBytes) {
    throw new PeerStoreError(
      'PROTOCOL',
      `a block has at most ${limits.blockBytes} bytes, not ${bytes.length}`,
    );
  }
  if (hashToId(bytes) !== id) {
    throw new PeerStoreError('DAMAGED', `the bytes sent as block ${id} do not have this id; send them again`);
  }
}

/** The part of a block that lies in a range: all of it when there is no range, nothing beyond its end. */
export function clipRange(sizeBytes: number, range: ByteRange | undefined): ByteRange {
  if (range === undefined) return { offset: 0, length: sizeBytes };
  const offset = Math.min(Math.max(range.offset, 0), sizeBytes);
  return { offset, length: Math.min(Math.max(range.length, 0), sizeBytes - offset) };
}
