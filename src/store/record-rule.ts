/** Which record may follow which: both stores ask here. */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id } from '../ring/identifier.js';
import type { StoredRecord } from './store.js';

/** What a store remembers of a record besides its bytes. */
export interface RecordEntry {
  readonly sequence: number;
  readonly sizeBytes: number;
  /** SHA-256 of its bytes. */
  readonly digest: Id;
}

/** What to remember of a record. */
export function recordEntryOf(record: StoredRecord): RecordEntry {
  return {
    sequence: record.sequence,
    sizeBytes: record.bytes.length,
    digest: hashToId(record.bytes),
  };
}

/**
 * Whether an offered record replaces the one held.
 * @returns false when these very bytes are held already.
 * @throws PeerStoreError CONFLICT when another value is held for its number or a higher one, PROTOCOL when it is too
 * large.
 */
export function isReplacement(id: Id, held: RecordEntry | undefined, offered: RecordEntry): boolean {
  if (offered.sizeBytes > limits.recordBytes) {
    throw new PeerStoreError(
      'PROTOCOL',
      `a record has at most ${limits.recordBytes} bytes, not ${offered.sizeBytes}`,
    );
  }
  if (held === undefined || offered.sequence > held.sequence) return true;
  if (offered.digest === held.digest) return false;
  throw new PeerStoreError(
    'CONFLICT',
    `record ${id} has number ${held.sequence} here already; number ${offered.sequence} with another value comes too late`,
  );
}
