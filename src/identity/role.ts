/**
 * What a certificate says that its key may be: a peer at certain places of the ring, or a device of a user. It stands
 * in an extension of the certificate, so that nothing of it is ever taken from a request.
 *
 *   extension 2.25.1886745715, not critical (OpenSSL would refuse what it does not know)
 *   value: DER OCTET STRING of the msgpack map
 *     { version: 1, role: 'peer', nonces: [32 bytes, ...] }                 1 to 64 nonces
 *     { version: 1, role: 'user', name: text, userKey: 32 bytes }
 */
import {
  binary,
  type Codec,
  integer,
  list,
  oneOf,
  optional,
  packValue,
  struct,
  unpackValue,
} from '../base/codec.js';
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { keyBytes } from './keys.js';
import { userNameCodec } from './user-name.js';

/**
 * The extension's object identifier: private, below the arc of UUIDs (ITU-T X.667). A number this small lacks the bits
 * that every UUID has, so nobody else's UUID makes the same one, and every ASN.1 library can read it.
 */
export const roleExtensionOid = '2.25.1886745715';
/** Bytes of the nonce that makes one place on the ring. */
export const nonceBytes = 32;

/** A peer: for each nonce it is at SHA-256(public key || nonce). */
export interface PeerRole {
  readonly role: 'peer';
  readonly nonces: readonly Uint8Array[];
}

/** A device that acts for a user. */
export interface UserRole {
  readonly role: 'user';
  readonly name: string;
  /** The user's own Ed25519 public key. */
  readonly userKey: Uint8Array;
}

export type Role = PeerRole | UserRole;

const version = 1;
const shape = struct({
  version: integer(1, 255),
  role: oneOf('peer', 'user'),
  nonces: optional(list(binary(nonceBytes), limits.certificateNonces)),
  name: optional(userNameCodec),
  userKey: optional(binary(keyBytes)),
});
const versionOnly: Codec<{ readonly version: number }> = struct({ version: integer(1, 255) });

/** The value of the extension for a role. */
export function encodeRole(role: Role): Uint8Array {
  return derOctetString(packValue(shape, { version, ...role }));
}

/**
 * The role in an extension's value.
 * @throws PeerStoreError NOT_ADMITTED when it is of a later version, PROTOCOL when it is malformed.
 */
export function decodeRole(value: Uint8Array): Role {
  const what = "certificate's role";
  const packed = fromDerOctetString(value);
  const found = unpackValue(versionOnly, packed, what).version;
  if (found !== version) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `the certificate is of version ${found}, made by a newer program: update this one`,
    );
  }
  const { role, nonces, name, userKey } = unpackValue(shape, packed, what);
  if (role === 'peer') {
    if (nonces === undefined || nonces.length === 0)
      throw new PeerStoreError('PROTOCOL', `${what} has no nonces`);
    return { role, nonces };
  }
  if (name === undefined || userKey === undefined)
    throw new PeerStoreError('PROTOCOL', `${what} names no user`);
  return { role, name, userKey };
}

/** ITU-T X.690, 8.7 with 10.1 and 10.2: primitive, the length in its shortest form. */
function derOctetString(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  assert(length < 0x1_0000, "a role's bytes fit two bytes of length");
  const header =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(0x04, ...header), bytes]);
}

function fromDerOctetString(der: Uint8Array): Uint8Array {
  const first = der[1] ?? 0;
  const start = first < 0x80 ? 2 : 2 + (first & 0x7f);
  const inner = der.subarray(start);
  // Writing it again is the simplest complete check: DER has one spelling.
  if (inner.length >= 0x1_0000 || Buffer.compare(derOctetString(inner), der) !== 0) {
    throw new PeerStoreError('PROTOCOL', "the certificate's role is not a DER octet string");
  }
  return inner;
}
