/**
 * Records: small, mutable, signed values with a name. Only their writer can make one; anybody can check one.
 *
 *   version 1 (1 byte) || signature (64) || body
 *   body: the msgpack list [kind, writer, name, sequence, timeMs, deleted, value]
 *   signed, by the writer: "peerstore record v1" || version || body
 *
 * The bytes that are stored and sent are the very bytes that were signed; the body has to be written in the one way in
 * which this program writes it, so that a record never has a second form. A record is kept under
 *
 *   SHA-256("peerstore record id v1" || len(kind) || kind || len(writer) || writer || len(name) || name)
 *
 * with lengths of 4 bytes, big-endian. Of two records with one id, the one with the higher sequence number counts.
 */
import { bytesEqual, concatBytes, utf8 } from '../base/bytes.js';
import { binary, boolean, integer, packValue, text, tuple, unpackValue } from '../base/codec.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id } from '../ring/identifier.js';
import { keyBytes, signatureBytes, type SigningKey, verifySignature } from './keys.js';

/** What a writer decides of a record. */
export interface RecordContents {
  /** What it is for: `snapshot`, say. 1 to 255 bytes. */
  readonly kind: string;
  /** Tells a writer's records of one kind apart. At most 255 bytes. */
  readonly name: string;
  /** From 0; each new value of a record has a higher one. */
  readonly sequence: number;
  /** When the writer made it, by the writer's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  /** A tombstone: the record's value is gone. Its value is empty. */
  readonly deleted: boolean;
  /** At most 63 KiB. Sealed, where peers are not to read it. */
  readonly value: Uint8Array;
}

/** A record whose signature was checked. */
export interface SignedRecord extends RecordContents {
  readonly id: Id;
  /** The Ed25519 public key that signed it: a device's. */
  readonly writer: Uint8Array;
}

const version = 1;
const signLabel = utf8('peerstore record v1');
const idLabel = utf8('peerstore record id v1');
const bodyCodec = tuple<[string, Uint8Array, string, number, number, boolean, Uint8Array]>(
  text(limits.recordNameBytes),
  binary(keyBytes),
  text(limits.recordNameBytes),
  integer(0, Number.MAX_SAFE_INTEGER),
  integer(0, Number.MAX_SAFE_INTEGER),
  boolean,
  binary(0, limits.recordValueBytes),
);

/** The id of a writer's record. */
export function recordId(kind: string, writer: Uint8Array, name: string): Id {
  const parts = [utf8(kind), writer, utf8(name)].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return hashToId(idLabel, ...parts);
}

/**
 * A record's bytes, signed.
 * @throws PeerStoreError USAGE when a part crosses its bound, or a text is not Unicode.
 */
export function signRecord(key: SigningKey, contents: RecordContents): Uint8Array {
  const { kind, name, sequence, timeMs, deleted, value } = contents;
  const body = packValue(bodyCodec, [kind, key.publicKey, name, sequence, timeMs, deleted, value]);
  try {
    readBody(body);
  } catch (error) {
    throw new PeerStoreError('USAGE', `no record can be made of this: ${messageOf(error)}`);
  }
  return concatBytes(Uint8Array.of(version), key.sign(signedBytes(body)), body);
}

/**
 * Checks a record, from a peer or a disk. Its byte strings share the memory of `bytes`.
 * @param expectedId where it was found or is to be kept
 * @throws PeerStoreError DAMAGED when it is no record, its signature is wrong, or it belongs under another id.
 */
export function openRecord(bytes: Uint8Array, expectedId?: Id): SignedRecord {
  if (bytes.length > limits.recordBytes) throw damaged(`it has ${bytes.length} bytes`);
  if (bytes[0] !== version) throw damaged(`its version is ${bytes[0] ?? 'missing'}`);
  const signature = bytes.subarray(1, 1 + signatureBytes);
  const body = bytes.subarray(1 + signatureBytes);
  let record: SignedRecord;
  try {
    record = readBody(body);
  } catch (error) {
    throw damaged(messageOf(error));
  }
  if (expectedId !== undefined && record.id !== expectedId) throw damaged('it belongs under another id');
  if (!verifySignature(signature, signedBytes(body), record.writer)) throw damaged('its signature is wrong');
  return record;
}

function readBody(body: Uint8Array): SignedRecord {
  const fields = unpackValue(bodyCodec, body, 'record');
  const [kind, writer, name, sequence, timeMs, deleted, value] = fields;
  if (!bytesEqual(packValue(bodyCodec, fields), body)) {
    throw new PeerStoreError('PROTOCOL', 'it is not written in its one form');
  }
  if (kind === '') throw new PeerStoreError('PROTOCOL', 'its kind is empty');
  if (deleted && value.length > 0) throw new PeerStoreError('PROTOCOL', 'it is deleted and has a value');
  return { id: recordId(kind, writer, name), kind, writer, name, sequence, timeMs, deleted, value };
}

function signedBytes(body: Uint8Array): Uint8Array {
  return concatBytes(signLabel, Uint8Array.of(version), body);
}

function damaged(why: string): PeerStoreError {
  return new PeerStoreError('DAMAGED', `the record is damaged: ${why}`);
}
