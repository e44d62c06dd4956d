/**
 * Small values under a key that both sides have: XChaCha20-Poly1305 with a random nonce of 24 bytes (libsodium; the
 * construction is draft-irtf-cfrg-xchacha-03). Bulk is sealed in src/archive, with hardware's help.
 *
 *   version 1 (1 byte) || nonce (24) || ciphertext with its tag (the value's length + 16)
 *
 * The version is bound with the associated data: what is authenticated beside the value is version || data.
 */
import { concatBytes } from '../base/bytes.js';
import { assert, PeerStoreError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { sodium } from './sodium.js';

const version = 1;
const nonceBytes = 24;
const tagBytes = 16;

/** Bytes of a sealing key. */
export const sealKeyBytes = 32;
/** What sealing adds to a value's length. */
export const sealOverheadBytes = 1 + nonceBytes + tagBytes;

/**
 * Seals a value.
 * @param key 32 bytes, secret
 * @param associated what the value belongs to: it is not kept, and opening needs the same
 */
export function sealValue(
  key: Uint8Array,
  value: Uint8Array,
  associated: Uint8Array,
  random: Random,
): Uint8Array {
  assert(key.length === sealKeyBytes, 'a sealing key has 32 bytes');
  const nonce = random.bytes(nonceBytes);
  const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    value,
    concatBytes(Uint8Array.of(version), associated),
    null,
    nonce,
    key,
  );
  return concatBytes(Uint8Array.of(version), nonce, sealed);
}

/**
 * Opens what {@link sealValue} sealed.
 * @param what names it in a message
 * @throws PeerStoreError DAMAGED when it was sealed under another key, for other associated data, or was changed.
 */
export function openValue(
  key: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
  what: string,
): Uint8Array {
  assert(key.length === sealKeyBytes, 'a sealing key has 32 bytes');
  if (sealed.length < sealOverheadBytes) throw new PeerStoreError('DAMAGED', `${what} is cut short`);
  if (sealed[0] !== version) {
    throw new PeerStoreError(
      'DAMAGED',
      `${what} is sealed in a way (${sealed[0]}) that this program does not know`,
    );
  }
  try {
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      null,
      sealed.subarray(1 + nonceBytes),
      concatBytes(Uint8Array.of(version), associated),
      sealed.subarray(1, 1 + nonceBytes),
      key,
    );
  } catch {
    throw new PeerStoreError(
      'DAMAGED',
      `${what} does not open with this key: it was changed, or sealed under another`,
    );
  }
}
