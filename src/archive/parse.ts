/** The plaintext of chunks that refer to others, on the reading side. Whatever breaks a rule is DAMAGED. */
import { messageOf, PeerStoreError } from '../base/errors.js';
import { asBuffer } from '../base/bytes.js';
import { type Codec, unpackValue } from '../base/codec.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { Reference } from './entry.js';
import { listHeadBytes, plaintextVersion, recordHeadBytes } from './plaintext.js';
import { contentSize, readReference, referenceBytes } from './reference.js';

function checkVersion(bytes: Uint8Array, what: string): void {
  if (bytes[0] === plaintextVersion) return;
  throw new PeerStoreError(
    'DAMAGED',
    `a ${what} has version ${bytes[0] ?? 'none'}: it is damaged, or was written by a later version of PeerStore`,
  );
}

/**
 * The references of a list.
 * @param list the reference that led to it
 * @param depth the level that it has to be of, from 1 up
 * @throws PeerStoreError DAMAGED
 */
export function readList(bytes: Uint8Array, list: Reference, depth: number): Reference[] {
  checkVersion(bytes, 'list of references');
  const count = (bytes.length - listHeadBytes) / referenceBytes;
  if (!Number.isInteger(count) || count < 1 || count > limits.listReferencesMax || bytes[1] !== depth) {
    throw new PeerStoreError('DAMAGED', 'a list of references does not have the shape of one');
  }
  const references: Reference[] = [];
  for (let at = listHeadBytes; at < bytes.length; at += referenceBytes) {
    references.push(readReference(bytes, at, list.block));
  }
  if (contentSize({ references }) !== list.sizeBytes) {
    throw new PeerStoreError(
      'DAMAGED',
      'a list of references does not add up to what its own reference says',
    );
  }
  return references;
}

/** The records of a chunk. @throws PeerStoreError DAMAGED */
export function* readRecords(bytes: Uint8Array, what: string): Generator<Uint8Array, void> {
  checkVersion(bytes, what);
  const view = asBuffer(bytes);
  let at = 1;
  while (at < view.length) {
    const start = at + recordHeadBytes;
    const end = start > view.length ? Infinity : start + view.readUInt32BE(at);
    if (end > view.length) throw new PeerStoreError('DAMAGED', `a record of a ${what} is cut short`);
    yield bytes.subarray(start, end);
    at = end;
  }
}

/** A value that was sealed into the archive. @throws PeerStoreError DAMAGED */
export function unpackSealed<T>(codec: Codec<T>, bytes: Uint8Array, what: string, home?: Id): T {
  try {
    return unpackValue(codec, bytes, what);
  } catch (error) {
    const where = home === undefined ? '' : ` in block ${home}`;
    throw new PeerStoreError('DAMAGED', `a ${what}${where} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
