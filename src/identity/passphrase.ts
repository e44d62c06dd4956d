/** Keys from passphrases: Argon2id (RFC 9106), version 1.3, one lane, through libsodium. */
import { type Codec, integer, oneOf, struct, type ValueOf } from '../base/codec.js';
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { sealKeyBytes } from './sealed-value.js';
import { sodium } from './sodium.js';
import { base64Url } from './text-bytes.js';

/** Bytes of a salt. */
export const saltBytes = 16;

/** How a key is made from a passphrase; kept beside what the key seals. Bounds are checked when it is read. */
export const derivationCodec = struct({
  algorithm: oneOf('argon2id'),
  memoryBytes: integer(limits.passphraseMemoryMinBytes, limits.passphraseMemoryMaxBytes),
  passes: integer(1, limits.passphrasePassesMax),
  salt: base64Url(saltBytes),
}) satisfies Codec<unknown>;

export type Derivation = ValueOf<typeof derivationCodec>;

/** How hard a passphrase is to guess: what one guess costs. */
export interface Hardness {
  readonly memoryBytes: number;
  readonly passes: number;
}

/** For new files: 64 MiB and 3 passes. */
export const defaultHardness: Hardness = {
  memoryBytes: limits.passphraseMemoryBytes,
  passes: limits.passphrasePasses,
};

/** A new way to a key, with a salt of its own. */
export function newDerivation(random: Random, hardness: Hardness = defaultHardness): Derivation {
  return { algorithm: 'argon2id', ...hardness, salt: random.bytes(saltBytes) };
}

/**
 * The sealing key of a passphrase, 32 bytes. Takes a good part of a second, during which nothing else runs.
 * @throws PeerStoreError USAGE when the passphrase is empty or too long, IO when there is too little memory.
 */
export function passphraseKey(passphrase: string, derivation: Derivation): Uint8Array {
  assert(derivation.salt.length === saltBytes, 'a salt has 16 bytes');
  // One spelling, whatever keyboard and system it was typed on (RFC 8265, section 4.2.2).
  const bytes = Buffer.from(passphrase.normalize('NFC'), 'utf8');
  if (bytes.length === 0) throw new PeerStoreError('USAGE', 'the passphrase is empty');
  if (bytes.length > limits.passphraseBytes) {
    throw new PeerStoreError('USAGE', `the passphrase is longer than ${limits.passphraseBytes} bytes`);
  }
  try {
    return sodium.crypto_pwhash(
      sealKeyBytes,
      bytes,
      derivation.salt,
      derivation.passes,
      derivation.memoryBytes,
      sodium.crypto_pwhash_ALG_ARGON2ID13,
    );
  } catch (error) {
    const megabytes = Math.ceil(derivation.memoryBytes / (1024 * 1024));
    throw new PeerStoreError(
      'IO',
      `making a key from the passphrase failed: it takes ${megabytes} MiB of memory, and this machine has too little`,
      { cause: error },
    );
  }
}
