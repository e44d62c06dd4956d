/**
 * A user's key file: the one file that is the user's identity on a device. JSON, mode 0600:
 *
 *   { "peerstore": "user key file", "version": 1,
 *     "name", "addresses": ["host:port", ...],
 *     "certificate"?, "authority"?                    DER; absent until the ring has let the user in
 *     "protection"?: { "algorithm": "argon2id", "memoryBytes", "passes", "salt" },
 *     "secrets", "checksum" }
 *
 * Byte strings are base64url. `secrets` is the msgpack list [user secret (32), device seed (32)], and with a protection
 * it is sealed (sealed-value.ts) under the key that Argon2id makes from the passphrase. All the rest stays readable and
 * is bound to the seal: the associated data is
 *
 *   "peerstore key file v1" || msgpack list [version, name, addresses, certificate or nil, authority or nil,
 *                                            [memoryBytes, passes, salt] or nil]
 *
 * `checksum` is the first 8 bytes of SHA-256(associated data || secrets' bytes): a damaged file is told from a wrong
 * passphrase by it. It protects from nobody.
 */
import { bytesEqual, concatBytes, sha256, utf8 } from '../base/bytes.js';
import { binary, integer, list, nullable, packValue, text, tuple, unpackValue } from '../base/codec.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { readIdentityFile, writeIdentityFile } from '../base/identity-file.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { readAuthority, type AuthorityCertificate, readCertificate } from './certificate.js';
import { keyFileCodec, type KeyFileJson, keyFileMark, keyFileVersion } from './key-file-json.js';
import { keyBytes, SigningKey } from './keys.js';
import { type Hardness, newDerivation, passphraseKey, saltBytes } from './passphrase.js';
import { openValue, sealValue } from './sealed-value.js';
import { deriveUserKeys, userSecretBytes } from './user-secret.js';
import { userNameCodec } from './user-name.js';

/** The user's place in a ring. */
export interface Membership {
  /** The device's certificate, DER. */
  readonly certificate: Uint8Array;
  readonly authority: AuthorityCertificate;
}

/** What anybody who can open the file can read of it. */
export interface UserKeyFilePublic {
  readonly name: string;
  /** Where peers of the ring were last seen, `host:port`: hints, at most 4. */
  readonly addresses: readonly string[];
  /** Absent from the making of the keys until the ring has let the user in. */
  readonly membership?: Membership;
}

export interface UserKeyFile extends UserKeyFilePublic {
  /** The user's secret: see user-secret.ts. */
  readonly secret: Uint8Array;
  /** The device's own key: of its connections and its records. */
  readonly device: SigningKey;
}

const label = utf8('peerstore key file v1');
const checksumBytes = 8;
const secretsCodec = tuple<[Uint8Array, Uint8Array]>(binary(userSecretBytes), binary(keyBytes));
const publicCodec = tuple<
  [
    number,
    string,
    readonly string[],
    Uint8Array | null,
    Uint8Array | null,
    readonly [number, number, Uint8Array] | null,
  ]
>(
  integer(1, 255),
  userNameCodec,
  list(text(limits.addressBytes), limits.inviteAddresses),
  nullable(binary(1, limits.certificateBytes)),
  nullable(binary(1, limits.certificateBytes)),
  nullable(
    tuple<[number, number, Uint8Array]>(
      integer(0, limits.passphraseMemoryMaxBytes),
      integer(0, limits.passphrasePassesMax),
      binary(saltBytes),
    ),
  ),
);

/** How a new key file is to be protected. */
export interface Protection {
  readonly passphrase: string;
  readonly hardness?: Hardness;
}

/** The text of a key file. Without a protection, whoever reads it is the user. */
export function encodeKeyFile(file: UserKeyFile, random: Random, protection?: Protection): string {
  const derivation = protection && newDerivation(random, protection.hardness);
  const open: Omit<KeyFileJson, 'secrets' | 'checksum'> = {
    peerstore: keyFileMark,
    version: keyFileVersion,
    name: file.name,
    addresses: file.addresses.slice(0, limits.inviteAddresses),
    ...(file.membership && {
      certificate: file.membership.certificate,
      authority: file.membership.authority.der,
    }),
    ...(derivation && { protection: derivation }),
  };
  const associated = associatedData(open);
  const plain = packValue(secretsCodec, [file.secret, file.device.seed]);
  const secrets =
    protection && derivation
      ? sealValue(passphraseKey(protection.passphrase, derivation), plain, associated, random)
      : plain;
  const whole: KeyFileJson = { ...open, secrets, checksum: checksumOf(associated, secrets) };
  return `${JSON.stringify(keyFileCodec.encode(whole), null, 1)}\n`;
}

/**
 * Reads a key file's text.
 * @param passphrase undefined when the user gave none; ignored when the file is not protected
 * @param what names the file in a message
 * @throws PeerStoreError USAGE when it is no key file; NOT_ADMITTED when the passphrase is missing or wrong, or the file
 * is of a later version; DAMAGED when it was changed or its parts do not belong together.
 */
export function decodeKeyFile(content: string, passphrase: string | undefined, what: string): UserKeyFile {
  const json = parseJson(content, what);
  const open = publicPart(json, what);
  const plain = openSecrets(json, passphrase, what);
  let secrets;
  try {
    secrets = unpackValue(secretsCodec, plain, 'secrets');
  } catch {
    throw damaged(what, 'its secrets have another shape');
  }
  const file: UserKeyFile = {
    ...open,
    secret: Uint8Array.from(secrets[0]),
    device: SigningKey.fromSeed(secrets[1]),
  };
  checkBelongs(file, what);
  return file;
}

/**
 * Reads what needs no passphrase of a key file's text.
 * @throws PeerStoreError as {@link decodeKeyFile}, but never for a passphrase.
 */
export function decodeKeyFilePublic(
  content: string,
  what: string,
): UserKeyFilePublic & { isProtected: boolean } {
  const json = parseJson(content, what);
  return { ...publicPart(json, what), isProtected: json.protection !== undefined };
}

/**
 * Reads a key file.
 * @throws PeerStoreError as {@link decodeKeyFile}; USAGE when there is none; NOT_ADMITTED when others may open it; IO.
 */
export async function readKeyFile(path: string, passphrase: string | undefined): Promise<UserKeyFile> {
  return decodeKeyFile(await contentOf(path), passphrase, path);
}

/** Reads what needs no passphrase of a key file. @throws PeerStoreError as {@link readKeyFile}. */
export async function readKeyFilePublic(path: string): Promise<UserKeyFilePublic & { isProtected: boolean }> {
  return decodeKeyFilePublic(await contentOf(path), path);
}

/**
 * Writes a key file, mode 0600, or replaces it: after a crash the old or the new is there.
 * @throws PeerStoreError USAGE when the passphrase is empty, NO_SPACE, IO.
 */
export async function writeKeyFile(
  path: string,
  file: UserKeyFile,
  random: Random,
  protection?: Protection,
): Promise<void> {
  await writeIdentityFile(path, utf8(encodeKeyFile(file, random, protection)), 0o600, random);
}

async function contentOf(path: string): Promise<string> {
  const bytes = await readIdentityFile(path, { secret: true });
  if (bytes === undefined) {
    throw new PeerStoreError('USAGE', `there is no key file ${path}: make one with peerstore-client init`);
  }
  return Buffer.from(bytes).toString('utf8');
}

/** No message of the JSON parser or a codec goes on from here: they may quote what they read. */
function parseJson(content: string, what: string): KeyFileJson {
  let raw: unknown;
  try {
    raw = JSON.parse(content);
  } catch {
    throw new PeerStoreError('USAGE', `${what} is not a user's key file, or it was cut short`);
  }
  const head = typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {};
  if (head.peerstore !== keyFileMark) throw new PeerStoreError('USAGE', `${what} is not a user's key file`);
  if (typeof head.version === 'number' && head.version > keyFileVersion) {
    throw new PeerStoreError('NOT_ADMITTED', `${what} was made by a newer program: update this one`);
  }
  let json: KeyFileJson;
  try {
    json = keyFileCodec.decode(raw, 'key file');
  } catch (error) {
    // A codec's message names the field and its bounds, never its value.
    throw damaged(what, hasCode(error, 'PROTOCOL') ? error.message : 'a part of it is malformed');
  }
  if (!bytesEqual(checksumOf(associatedData(json), json.secrets), json.checksum)) {
    throw damaged(what, 'its checksum is wrong');
  }
  return json;
}

function publicPart(
  { name, addresses, certificate, authority }: KeyFileJson,
  what: string,
): UserKeyFilePublic {
  if (certificate === undefined || authority === undefined) {
    if (certificate !== authority) throw damaged(what, 'it holds one of two certificates');
    return { name, addresses };
  }
  const trust = readAuthority(authority, `the authority's certificate in ${what}`);
  const { identity } = readCertificate(certificate, trust);
  if (identity.kind !== 'user' || identity.name !== name)
    throw damaged(what, 'its certificate says another name');
  return { name, addresses, membership: { certificate, authority: trust } };
}

function openSecrets(json: KeyFileJson, passphrase: string | undefined, what: string): Uint8Array {
  if (json.protection === undefined) return json.secrets;
  if (passphrase === undefined) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `${what} is protected by a passphrase: give --passphrase-file or PEERSTORE_PASSPHRASE`,
    );
  }
  const key = passphraseKey(passphrase, json.protection);
  try {
    return openValue(key, json.secrets, associatedData(json), 'it');
  } catch {
    throw new PeerStoreError('NOT_ADMITTED', `the passphrase for ${what} is wrong`);
  }
}

function checkBelongs({ secret, device, membership }: UserKeyFile, what: string): void {
  if (membership === undefined) return;
  const { identity } = readCertificate(membership.certificate, membership.authority);
  if (
    identity.kind !== 'user' ||
    !bytesEqual(identity.userKey, deriveUserKeys(secret).signing.publicKey) ||
    !bytesEqual(identity.deviceKey, device.publicKey)
  ) {
    throw damaged(what, 'its certificate is for other keys');
  }
}

function associatedData(json: Omit<KeyFileJson, 'secrets' | 'checksum'>): Uint8Array {
  const { version, name, addresses, certificate, authority, protection } = json;
  const derivation = protection && ([protection.memoryBytes, protection.passes, protection.salt] as const);
  const packed = packValue(publicCodec, [
    version,
    name,
    addresses,
    certificate ?? null,
    authority ?? null,
    derivation ?? null,
  ]);
  return concatBytes(label, packed);
}

function checksumOf(associated: Uint8Array, secrets: Uint8Array): Uint8Array {
  return sha256(associated, secrets).subarray(0, checksumBytes);
}

function damaged(what: string, why: string): PeerStoreError {
  return new PeerStoreError(
    'DAMAGED',
    `${what} is damaged (${why}): put back a copy of it, or recover the identity with peerstore-client init --recover`,
  );
}
