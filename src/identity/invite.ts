/**
 * Invites: what lets a peer or a user into a ring, as one printable line.
 *
 *   peerstore1.<base64url of: length (2 bytes, big-endian) || payload || checksum (4)>
 *
 * The 1 is the version. The payload is the msgpack list [kind, name, addresses, fingerprint, secret, expiresAtMs]. The
 * checksum is the beginning of SHA-256(`peerstore1.` || payload): it tells a mistyped line from one that the ring
 * refuses. It protects from nobody; the secret and the authority's fingerprint do.
 */
import { bytesEqual, concatBytes, sha256, utf8 } from '../base/bytes.js';
import {
  binary,
  integer,
  list,
  mapped,
  nullable,
  oneOf,
  packValue,
  text,
  tuple,
  unpackValue,
} from '../base/codec.js';
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { fromBase64Url, toBase64Url } from './text-bytes.js';
import { userNameCodec } from './user-name.js';

/** Bytes of an invite's one-time secret. */
export const inviteSecretBytes = 32;
/** Bytes of an authority's fingerprint. */
export const fingerprintBytes = 32;

export type InviteKind = 'peer' | 'user';

export interface Invite {
  readonly kind: InviteKind;
  /** For a user: the name that the certificate will say. */
  readonly name?: string;
  /** Where peers that answer an Enroll listen, `host:port`: 1 to 4. */
  readonly addresses: readonly string[];
  /** SHA-256 of the authority's SubjectPublicKeyInfo. */
  readonly fingerprint: Uint8Array;
  /** Good for one certificate. */
  readonly secret: Uint8Array;
  /** Until when, in milliseconds since 1970, by the clock of the peer that made the invite. */
  readonly expiresAtMs: number;
}

const prefix = 'peerstore1.';
const lengthBytes = 2;
const checksumBytes = 4;

/** Printable and without spaces: it is shown to people, and must not move a terminal's cursor. */
const address = mapped(
  text(limits.addressBytes),
  (value, path) => {
    if (!/^[\x21-\x7e]+$/.test(value)) throw new PeerStoreError('PROTOCOL', `${path} is not an address`);
    return value;
  },
  (value) => value,
);

const payloadCodec = tuple<[InviteKind, string | null, readonly string[], Uint8Array, Uint8Array, number]>(
  oneOf('peer', 'user'),
  nullable(userNameCodec),
  list(address, limits.inviteAddresses),
  binary(fingerprintBytes),
  binary(inviteSecretBytes),
  integer(0, Number.MAX_SAFE_INTEGER),
);

/** The line for an invite, without a line end. */
export function encodeInvite(invite: Invite): string {
  assert((invite.kind === 'user') === (invite.name !== undefined), 'an invite names a user if it is for one');
  assert(
    invite.addresses.length >= 1 && invite.addresses.length <= limits.inviteAddresses,
    'an invite has 1 to 4 addresses',
  );
  const payload = packValue(payloadCodec, [
    invite.kind,
    invite.name ?? null,
    invite.addresses,
    invite.fingerprint,
    invite.secret,
    invite.expiresAtMs,
  ]);
  const length = Uint8Array.of(payload.length >> 8, payload.length & 0xff);
  return prefix + toBase64Url(concatBytes(length, payload, checksumOf(payload)));
}

/**
 * Reads an invite. Whether it is still good is for the peer that made it to say.
 * @param line white space around it is ignored
 * @throws PeerStoreError NOT_ADMITTED, saying whether it is no invite at all, cut short, mistyped, or of a later version.
 */
export function decodeInvite(line: string): Invite {
  const trimmed = line.trim();
  const version = /^peerstore(\d{1,9})\./.exec(trimmed)?.[1];
  if (version === undefined) {
    throw refused('this is not an invite: an invite is one line that begins with peerstore1.');
  }
  if (version !== '1') {
    throw refused(`this invite is of version ${version}, made by a newer program: update this one`);
  }
  if (trimmed.length > limits.inviteTextBytes) throw refused('this is too long for an invite');
  return fromPayload(payloadOf(trimmed.slice(prefix.length)));
}

function payloadOf(encoded: string): Uint8Array {
  if (!/^[\w-]*$/.test(encoded)) {
    throw refused(
      'this invite is mistyped: it holds characters that no invite has; copy the whole line again',
    );
  }
  const mistyped = refused('this invite is mistyped: its checksum is wrong; copy the whole line again');
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.length < lengthBytes) throw refused(cutShort);
  const length = bytes.readUInt16BE(0);
  const whole = lengthBytes + length + checksumBytes;
  if (bytes.length < whole) throw refused(cutShort);
  if (bytes.length > whole || fromBase64Url(encoded) === undefined) throw mistyped;
  const payload = bytes.subarray(lengthBytes, lengthBytes + length);
  if (!bytesEqual(bytes.subarray(lengthBytes + length), checksumOf(payload))) throw mistyped;
  return payload;
}

function fromPayload(payload: Uint8Array): Invite {
  let fields;
  try {
    fields = unpackValue(payloadCodec, payload, 'invite');
  } catch {
    throw refused('this invite was not made by PeerStore: ask for a new one');
  }
  const [kind, name, addresses, fingerprint, secret, expiresAtMs] = fields;
  if (addresses.length === 0 || (kind === 'user') !== (name !== null)) {
    throw refused('this invite was not made by PeerStore: ask for a new one');
  }
  return { kind, ...(name === null ? {} : { name }), addresses, fingerprint, secret, expiresAtMs };
}

const cutShort = 'this invite is cut short: copy the whole line again';

function checksumOf(payload: Uint8Array): Uint8Array {
  return sha256(utf8(prefix), payload).subarray(0, checksumBytes);
}

/** The line itself is a secret: no message quotes it. */
function refused(message: string): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', message);
}
