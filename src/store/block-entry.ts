/**
 * The rules of a block's life, without its bytes: when it is held, when it goes to the trash, and what stays of it.
 * Both stores follow them, so that they cannot differ. Whose it is decides (see ownership.ts): a block that somebody
 * owns is held; one that nobody owns any more lies in the trash until its time is over; then its bytes go, and its
 * ownerships stay as a tombstone, so that a peer that was away cannot bring it back.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id } from '../ring/identifier.js';
import {
  isActive,
  isExpired,
  isWanted,
  lastTouchMs,
  merged,
  type Ownership,
  released,
  touched,
} from './ownership.js';
import type { BlockInfo, BlockPart, BlockState, ByteRange } from './store.js';

/** What a store remembers of a block. Never changed in place. */
export interface BlockEntry {
  readonly sizeBytes: number;
  /** In the order of the owners' ids. */
  readonly ownerships: readonly Ownership[];
  readonly storedAtMs: number;
  /** When it went to the trash; null while it does not lie there. */
  readonly trashedAtMs: number | null;
  /** When its bytes went, of a tombstone; null while they are here. */
  readonly removedAtMs: number | null;
}

/** Whether a block is held: known, with bytes, and not in the trash. */
export function isHeld(entry: BlockEntry | undefined): entry is BlockEntry {
  return hasBytes(entry) && entry.trashedAtMs === null;
}

/** Whether a block's bytes are here, in the trash or not. */
export function hasBytes(entry: BlockEntry | undefined): entry is BlockEntry {
  return entry?.removedAtMs === null;
}

/** Whether a block's bytes lie in the trash. */
export function isInTrash(entry: BlockEntry | undefined): entry is BlockEntry {
  return hasBytes(entry) && entry.trashedAtMs !== null;
}

/** A block that just came in, before anybody owns it. */
export function newEntry(sizeBytes: number, nowMs: number): BlockEntry {
  return { sizeBytes, ownerships: [], storedAtMs: nowMs, trashedAtMs: null, removedAtMs: null };
}

/**
 * The block after an owner posted it or asked for it: out of the trash, and his.
 * @param before undefined for one that is not known
 * @param sizeBytes of the bytes that came with the touch, or of the block
 * @param atMs the time of the touch; one from further ahead than a clock may be counts as the end of the day
 * @throws PeerStoreError PROTOCOL when it has as many owners as a block may have.
 */
export function touchedEntry(
  before: BlockEntry | undefined,
  sizeBytes: number,
  owner: Id,
  atMs: number,
  nowMs: number,
): BlockEntry {
  const entry = before ?? absentEntry(sizeBytes, nowMs);
  return placed(entry, sizeBytes, touched(entry.ownerships, owner, atMs, nowMs), nowMs);
}

/**
 * The block after an owner let go of it; the same entry when he never owned it.
 * @returns `isReleased` is false when it was touched after the live set was taken, so that he owns it still.
 */
export function releasedEntry(
  entry: BlockEntry,
  owner: Id,
  liveSetAtMs: number,
  nowMs: number,
): { readonly entry: BlockEntry; readonly isReleased: boolean } {
  const { ownerships, isReleased } = released(entry.ownerships, owner, liveSetAtMs, nowMs);
  const isSame = ownerships === entry.ownerships;
  return { entry: isSame ? entry : placed(entry, entry.sizeBytes, ownerships, nowMs), isReleased };
}

/**
 * The block after another holder said what it knows of it; the same entry when that was nothing new. Nothing new, too, is
 * a tombstone that has expired, of a block that is not known: holders forget theirs one after the other, and would hear of
 * them from each other for ever. Whether it is held then follows from the ownerships alone, so that all holders come to the
 * same; its bytes are another matter.
 * @param before undefined for one that is not known
 * @param withBytes whether its bytes came along: what nobody owns any more then lies in the trash
 * @throws PeerStoreError PROTOCOL when it would have more owners than a block may have.
 */
export function mergedEntry(
  before: BlockEntry | undefined,
  { sizeBytes, ownerships: theirs }: BlockState,
  withBytes: boolean,
  nowMs: number,
): BlockEntry | undefined {
  if (before === undefined && isExpired(theirs, nowMs)) return undefined;
  const entry = before ?? absentEntry(sizeBytes, nowMs);
  const ownerships = merged(entry.ownerships, theirs, nowMs);
  if (!isWanted(ownerships) && withBytes && !hasBytes(entry))
    return { ...newEntry(sizeBytes, nowMs), ownerships, trashedAtMs: nowMs };
  const isSame = before !== undefined && ownerships === before.ownerships;
  return isSame && isWanted(ownerships) === isHeld(before)
    ? before
    : placed(entry, sizeBytes, ownerships, nowMs);
}

/** The block after its bytes went: its tombstone; undefined when there is nothing to remember of it. */
export function removedEntry(entry: BlockEntry, nowMs: number): BlockEntry | undefined {
  if (entry.ownerships.length === 0) return undefined;
  return { ...entry, trashedAtMs: null, removedAtMs: nowMs };
}

/** Whether a block has been in the trash since before a moment. */
export function isTrashedBefore(entry: BlockEntry | undefined, beforeMs: number): entry is BlockEntry {
  return hasBytes(entry) && entry.trashedAtMs !== null && entry.trashedAtMs < beforeMs;
}

/** A block in the trash, by a clock that was put right: what went there later than now went there now. */
export function trashedByNow(entry: BlockEntry, nowMs: number): BlockEntry {
  return entry.trashedAtMs !== null && entry.trashedAtMs > nowMs ? { ...entry, trashedAtMs: nowMs } : entry;
}

/** The latest time that is noted of a block. */
export function latestTimeMs({ ownerships, storedAtMs, trashedAtMs, removedAtMs }: BlockEntry): number {
  return Math.max(storedAtMs, lastTouchMs(ownerships), trashedAtMs ?? 0, removedAtMs ?? 0);
}

/** Whether this is a tombstone that need not be kept any more. */
export function isExpiredTombstone(entry: BlockEntry | undefined, nowMs: number): entry is BlockEntry {
  return entry !== undefined && entry.removedAtMs !== null && isExpired(entry.ownerships, nowMs);
}

/** The entry as the contract shows it; undefined for a tombstone. */
export function blockInfoOf(id: Id, entry: BlockEntry | undefined): BlockInfo | undefined {
  if (!hasBytes(entry)) return undefined;
  const { sizeBytes, ownerships, storedAtMs, trashedAtMs } = entry;
  return {
    id,
    sizeBytes,
    owners: ownerships.filter(isActive).map(({ owner }) => owner),
    storedAtMs,
    touchedAtMs: ownerships.length === 0 ? storedAtMs : lastTouchMs(ownerships),
    ...(trashedAtMs === null ? {} : { trashedAtMs }),
  };
}

/**
 * Whether other holders hear of a block. What lies in the trash and was nobody's (the index was rebuilt from the files)
 * is of no use to them: told, it would look like a block that somebody may want.
 */
export function isTold(entry: BlockEntry | undefined): entry is BlockEntry {
  return entry !== undefined && (entry.ownerships.length > 0 || isHeld(entry));
}

/** What another holder is told of a block; undefined when there is nothing to tell. */
export function blockStateOf(entry: BlockEntry | undefined): BlockState | undefined {
  return isTold(entry) ? { sizeBytes: entry.sizeBytes, ownerships: entry.ownerships } : undefined;
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

/**
 * Checks what another holder says of a block before it is taken over.
 * @throws PeerStoreError DAMAGED when the bytes that came along are not this block's, PROTOCOL when the state cannot be
 * one.
 */
export function checkState(id: Id, state: BlockState, bytes: Uint8Array | undefined): void {
  const { sizeBytes, ownerships } = state;
  const isTime = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= 0;
  const isGood =
    Number.isSafeInteger(sizeBytes) &&
    sizeBytes >= 0 &&
    sizeBytes <= limits.blockBytes &&
    ownerships.length <= limits.ownersPerBlock &&
    ownerships.every(({ touchedAtMs, releasedAtMs }) => isTime(touchedAtMs) && isTime(releasedAtMs));
  if (!isGood) throw new PeerStoreError('PROTOCOL', `what was said of block ${id} is true of no block`);
  if (bytes === undefined) return;
  checkBlock(id, bytes);
  if (bytes.length !== sizeBytes) {
    throw new PeerStoreError(
      'DAMAGED',
      `block ${id} has ${bytes.length} bytes, not ${sizeBytes} as was said of it`,
    );
  }
}

/** The part of a block that lies in a range: all of it when there is no range, nothing beyond its end. */
export function clipRange(sizeBytes: number, range: ByteRange | undefined): ByteRange {
  if (range === undefined) return { offset: 0, length: sizeBytes };
  const offset = Math.min(Math.max(range.offset, 0), sizeBytes);
  return { offset, length: Math.min(Math.max(range.length, 0), sizeBytes - offset) };
}

/** The same part, of a block that was read whole. */
export function partOf(whole: Uint8Array, range: ByteRange | undefined): BlockPart {
  const { offset, length } = clipRange(whole.length, range);
  return { bytes: whole.subarray(offset, offset + length), sizeBytes: whole.length };
}

/** A block of which nothing is known and nothing is here. */
function absentEntry(sizeBytes: number, nowMs: number): BlockEntry {
  return { ...newEntry(sizeBytes, nowMs), removedAtMs: nowMs };
}

/** The block with these ownerships, where they say that it belongs. */
function placed(
  entry: BlockEntry,
  sizeBytes: number,
  ownerships: readonly Ownership[],
  nowMs: number,
): BlockEntry {
  if (isWanted(ownerships)) {
    const bytes = hasBytes(entry) ? {} : { sizeBytes, storedAtMs: nowMs };
    return { ...entry, ...bytes, ownerships, trashedAtMs: null, removedAtMs: null };
  }
  return { ...entry, ownerships, trashedAtMs: entry.trashedAtMs ?? (hasBytes(entry) ? nowMs : null) };
}
