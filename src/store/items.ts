/**
 * Items: a digest for each key, over all that holders have to agree on. Not in it is what each holder decides alone: when
 * a block was stored, and whether its bytes are held, in the trash or gone.
 *
 * A digest is the first 16 bytes of SHA-256 over the id, a byte for the kind, and then, for a block, of each owner the
 * id and the times of touch and release; for a record, its number and the SHA-256 of its bytes. Numbers are 64 bits, the
 * highest byte first. Sums of digests are XORs: in any order, and what is added twice is gone again. A user
 * can choose blocks whose digests come to nothing together; a difference in just these then goes unseen, and they are his
 * own.
 */
import { sha256 } from '../base/bytes.js';
import { type Id, idBytes } from '../ring/identifier.js';
import { type BlockEntry, isHeld, isTold } from './block-entry.js';
import type { CountedItem } from './fingerprints.js';
import type { RecordEntry } from './record-rule.js';

/** Bytes of a digest, and of a sum of digests. */
export const digestBytes = 16;

const kinds = { block: 0, record: 1 };
const keyBytes = idBytes + 1;
const ownershipBytes = idBytes + 16;

/** The digest of a block. */
export function blockDigest(id: Id, { ownerships }: BlockEntry): Uint8Array {
  const encoded = encodedKey(id, 'block', ownerships.length * ownershipBytes);
  ownerships.forEach(({ owner, touchedAtMs, releasedAtMs }, index) => {
    const at = keyBytes + index * ownershipBytes;
    encoded.write(owner, at, 'hex');
    encoded.writeBigUInt64BE(BigInt(touchedAtMs), at + idBytes);
    encoded.writeBigUInt64BE(BigInt(releasedAtMs), at + idBytes + 8);
  });
  return digestOf(encoded);
}

/** The digest of a record. */
export function recordDigest(id: Id, { sequence, digest }: RecordEntry): Uint8Array {
  const encoded = encodedKey(id, 'record', 8 + idBytes);
  encoded.writeBigUInt64BE(BigInt(sequence), keyBytes);
  encoded.write(digest, keyBytes + 8, 'hex');
  return digestOf(encoded);
}

/** What counts of a block; undefined for one that others do not hear of. */
export function countedBlock(id: Id, entry: BlockEntry | undefined): CountedItem | undefined {
  return isTold(entry) ? { digest: blockDigest(id, entry), isHeld: isHeld(entry) } : undefined;
}

/** What counts of a record; undefined for one that is not there. */
export function countedRecord(id: Id, entry: RecordEntry | undefined): CountedItem | undefined {
  return entry && { digest: recordDigest(id, entry), isHeld: true };
}

/** What both kinds begin with, and room for the rest. One buffer for all: this runs with every change of a block. */
function encodedKey(id: Id, kind: keyof typeof kinds, restBytes: number): Buffer {
  const encoded = Buffer.alloc(keyBytes + restBytes);
  encoded.write(id, 'hex');
  encoded.writeUInt8(kinds[kind], idBytes);
  return encoded;
}

function digestOf(encoded: Uint8Array): Uint8Array {
  return sha256(encoded).subarray(0, digestBytes);
}
