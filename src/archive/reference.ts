/**
 * References and contents as bytes (docs/format.md, "References").
 *
 * A reference has a fixed size, so that a writer can leave room for one whose block is not closed yet, and 32 zero
 * bytes in the place of its block mean "the block that these bytes came from": a tree can so refer to a tree in its
 * own pack, whose id nobody can know before the pack is closed. No block has this id, as nobody knows bytes whose
 * SHA-256 is zero.
 */
import { asBuffer, sha256, toHex } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Id, idBytes, idFromBytes, idToBytes } from '../ring/identifier.js';
import type { Content, Reference } from './entry.js';
import { sealBytes } from './seal.js';

const keyBytes = 32;
/** Bytes of a reference. */
export const referenceBytes = idBytes + 4 + 4 + keyBytes + 8;
/** Bytes in front of a content's references: depth and count. */
export const contentHeadBytes = 2;
/** Stands in the place of a block's id for the block that the bytes came from. */
const thisBlock = new Uint8Array(idBytes);

/** Writes a reference. Without a block it refers into the block that these bytes will be in. */
export function writeReference(
  out: Uint8Array,
  at: number,
  reference: Omit<Reference, 'block'> & { block?: Id },
): void {
  const view = asBuffer(out);
  view.set(reference.block === undefined ? thisBlock : idToBytes(reference.block), at);
  view.writeUInt32BE(reference.offset, at + 32);
  view.writeUInt32BE(reference.length, at + 36);
  view.set(reference.key, at + 40);
  view.writeBigUInt64BE(BigInt(reference.sizeBytes), at + 72);
}

/**
 * Reads a reference.
 * @param home the block that the bytes came from; without one, a reference may not refer into it
 * @throws PeerStoreError DAMAGED when it cannot be one.
 */
export function readReference(bytes: Uint8Array, at: number, home: Id | undefined): Reference {
  const view = asBuffer(bytes);
  if (at + referenceBytes > view.length) throw new PeerStoreError('DAMAGED', 'a reference is cut short');
  const blockBytes = view.subarray(at, at + idBytes);
  const block = blockBytes.equals(thisBlock) ? home : idFromBytes(blockBytes);
  const offset = view.readUInt32BE(at + 32);
  const length = view.readUInt32BE(at + 36);
  const sizeBytes = Number(view.readBigUInt64BE(at + 72));
  if (block === undefined)
    throw new PeerStoreError('DAMAGED', 'a reference outside of a block names no block');
  if (
    length <= sealBytes ||
    length > limits.chunkMaxBytes + sealBytes ||
    offset + length > limits.blockBytes ||
    sizeBytes < 1 ||
    !Number.isSafeInteger(sizeBytes)
  ) {
    throw new PeerStoreError('DAMAGED', 'a reference names bytes that no block can hold');
  }
  return { block, offset, length, key: Uint8Array.from(view.subarray(at + 40, at + 72)), sizeBytes };
}

/** Bytes that a content stands for. */
export function contentSize(content: {
  readonly references: readonly { readonly sizeBytes: number }[];
}): number {
  return content.references.reduce((sum, reference) => sum + reference.sizeBytes, 0);
}

/** A content as bytes: depth, count, references. */
export function encodeContent(content: Content): Uint8Array {
  const out = new Uint8Array(contentHeadBytes + content.references.length * referenceBytes);
  out[0] = content.depth;
  out[1] = content.references.length;
  content.references.forEach((reference, at) =>
    writeReference(out, contentHeadBytes + at * referenceBytes, reference),
  );
  return out;
}

/**
 * A content from exactly these bytes.
 * @param home the block that they came from, if any
 * @throws PeerStoreError DAMAGED when they are not one.
 */
export function decodeContent(bytes: Uint8Array, home?: Id): Content {
  const [depth, count] = bytes;
  if (
    depth === undefined ||
    count === undefined ||
    depth > limits.contentDepth ||
    count > limits.contentReferences ||
    bytes.length !== contentHeadBytes + count * referenceBytes ||
    (count === 0 && depth !== 0)
  ) {
    throw new PeerStoreError('DAMAGED', 'a content does not have the shape of one');
  }
  const references = [];
  for (let at = 0; at < count; at += 1) {
    references.push(readReference(bytes, contentHeadBytes + at * referenceBytes, home));
  }
  if (!Number.isSafeInteger(contentSize({ references }))) {
    throw new PeerStoreError('DAMAGED', 'a content is longer than any file can be');
  }
  return { depth, references };
}

/** A short name that two contents share only when they are the same, in the same places. */
export function nameOfContent(content: Content): string {
  return toHex(sha256(encodeContent(content)).subarray(0, 16));
}
