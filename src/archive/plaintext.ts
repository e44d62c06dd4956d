/**
 * The plaintext of chunks that refer to others, on the writing side: bytes with holes, which are filled when the places
 * of what they refer to are known. docs/format.md, "Lists" and "Chunks of records".
 */
import { limits } from '../base/limits.js';
import type { Content } from './entry.js';
import { Draft, type DraftReference, type Home } from './draft.js';
import { contentHeadBytes, encodeContent, referenceBytes, writeReference } from './reference.js';

/** The version of lists and of chunks of records. */
export const plaintextVersion = 1;
/** Bytes in front of a list's references: version and depth. */
export const listHeadBytes = 2;
/** Bytes in front of a record: its length. */
export const recordHeadBytes = 4;

/** A reference that is missing from some bytes. */
export interface Hole {
  readonly at: number;
  readonly reference: DraftReference;
}

/** Bytes with holes. */
export interface DraftBytes {
  readonly bytes: Uint8Array;
  readonly holes: readonly Hole[];
}

/**
 * Fills the holes.
 * @param open the pack that the bytes may go into, if it is still open: references into it name no block
 * @returns whether there is one of those
 */
export function fillHoles(draft: DraftBytes, open: Home | undefined): boolean {
  let refersHere = false;
  for (const { at, reference } of draft.holes) {
    const { home, offset, length, key } = reference.place;
    const rest = { offset, length, key, sizeBytes: reference.sizeBytes };
    if (home.id !== undefined) {
      writeReference(draft.bytes, at, { ...rest, block: home.id });
    } else if (home === open) {
      writeReference(draft.bytes, at, rest);
      refersHere = true;
    } else {
      throw new Error('broken rule: a tree refers to closed packs and to its own');
    }
  }
  return refersHere;
}

/** A content, with holes where it is a draft. */
export function draftContent(content: Content | Draft): DraftBytes {
  if (!(content instanceof Draft)) return { bytes: encodeContent(content), holes: [] };
  const bytes = new Uint8Array(contentHeadBytes + content.references.length * referenceBytes);
  bytes[0] = content.depth;
  bytes[1] = content.references.length;
  return { bytes, holes: holesAt(contentHeadBytes, content.references) };
}

/** A list of references. */
export function draftList(depth: number, references: readonly DraftReference[]): DraftBytes {
  const bytes = new Uint8Array(listHeadBytes + references.length * referenceBytes);
  bytes[0] = plaintextVersion;
  bytes[1] = depth;
  return { bytes, holes: holesAt(listHeadBytes, references) };
}

function holesAt(start: number, references: readonly DraftReference[]): Hole[] {
  return references.map((reference, index) => ({ at: start + index * referenceBytes, reference }));
}

/** Joins byte strings with holes. */
export function joinDrafts(...parts: readonly DraftBytes[]): DraftBytes {
  const holes: Hole[] = [];
  let length = 0;
  for (const part of parts) {
    for (const { at, reference } of part.holes) holes.push({ at: length + at, reference });
    length += part.bytes.length;
  }
  return { bytes: Buffer.concat(parts.map((part) => part.bytes)), holes };
}

/** A finished chunk of records. */
export interface RecordChunk extends DraftBytes {
  /** The cut value of its last record. */
  readonly cut: number;
}

/**
 * Gathers records into chunks. A chunk ends behind a record whose cut value says so: as that comes from the record's
 * name alone, a changed record changes one chunk, and a new one at most two.
 */
export class RecordGatherer {
  #records: DraftBytes[] = [];
  #length = 1;
  #cut = 0;

  /** Adds a record. @returns the chunk that it was the last of, or the one that had no room for it. */
  *add(record: DraftBytes, cut: number): Generator<RecordChunk, void> {
    const length = recordHeadBytes + record.bytes.length;
    if (this.#length + length > limits.recordChunkMaxBytes) yield* this.finish();
    this.#records.push(record);
    this.#length += length;
    this.#cut = cut;
    // One record in 256: of entries of some 200 bytes, a chunk of about 64 KiB.
    if (this.#length >= limits.recordChunkMinBytes && (cut & 0xff) === 0) yield* this.finish();
  }

  /** The records that are left, if any. */
  *finish(): Generator<RecordChunk, void> {
    if (this.#records.length === 0) return;
    const parts: DraftBytes[] = [{ bytes: Uint8Array.of(plaintextVersion), holes: [] }];
    for (const record of this.#records) {
      const head = Buffer.alloc(recordHeadBytes);
      head.writeUInt32BE(record.bytes.length);
      parts.push({ bytes: head, holes: [] }, record);
    }
    yield { ...joinDrafts(...parts), cut: this.#cut };
    this.#records = [];
    this.#length = 1;
  }
}

/** Spreads 32 bits evenly: the finaliser of MurmurHash3 (Austin Appleby). */
export function mix32(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** The cut value of a record with this name: FNV-1a, its bits spread. */
export function cutOfName(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix32(hash);
}
