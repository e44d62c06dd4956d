/**
 * Sealing: a chunk under a key of its own that comes from what it says.
 *
 * The key is an HMAC over the plaintext's hash, so equal chunks of one user seal to equal bytes and are stored once,
 * and nobody without the user's secret can tell what a chunk is, not even by guessing it. The nonce comes from the
 * exact bytes that are encrypted: should another version of the compressor make other bytes of the same plaintext, key
 * and nonce never meet twice for different bytes.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

import { asBuffer, secretsEqual, sha256 } from '../base/bytes.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { compressIfWorthwhile, type Compressor, openFrame } from './compress.js';
import type { ArchiveSecrets } from './secrets.js';

/** What a chunk is for; it goes into the key, so that no chunk passes for one of another kind. */
export const chunkKinds = { data: 1, tree: 2, list: 3, catalog: 4, decisions: 5 } as const;
export type ChunkKind = keyof typeof chunkKinds;

const nonceBytes = 12;
const tagBytes = 16;
/** Bytes that sealing adds: flags, nonce, tag. */
export const sealBytes = 1 + nonceBytes + tagBytes;

/** The flags: the format's version in the upper half, in the lowest bit whether the body is a zstd frame. */
const flagsRaw = 0x10;
const flagsCompressed = 0x11;
/** AES-GCM of OpenSSL runs almost twice as fast on slices that stay in the processor's cache. */
const sliceBytes = 64 * 1024;

/** The key of a chunk, 32 bytes. Also what the chunk is called in the index, unless it refers into its own pack. */
export function chunkKey(secrets: ArchiveSecrets, kind: ChunkKind, plaintextHash: Uint8Array): Uint8Array {
  return createHmac('sha256', secrets.chunkKeys)
    .update(Uint8Array.of(chunkKinds[kind]))
    .update(plaintextHash)
    .digest();
}

/**
 * Seals a chunk.
 * @param plaintextHash SHA-256 of the plaintext
 * @returns flags, nonce, ciphertext, tag
 */
export function sealChunk(
  compressor: Compressor,
  key: Uint8Array,
  plaintext: Uint8Array,
  plaintextHash: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const frame = compressIfWorthwhile(compressor, plaintext);
  return frame === undefined
    ? sealBody(key, flagsRaw, plaintext, plaintextHash)
    : sealBody(key, flagsCompressed, frame, sha256(frame));
}

function sealBody(
  key: Uint8Array,
  flags: number,
  body: Uint8Array,
  bodyHash: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = Uint8Array.of(flags);
  const nonce = createHmac('sha256', key).update(head).update(bodyHash).digest().subarray(0, nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(head);
  // Not cleared, as every byte is written; and memory of its own, so that it can be handed to another thread.
  const sealed = Buffer.allocUnsafeSlow(body.length + sealBytes);
  sealed.set(head);
  sealed.set(nonce, 1);
  for (let at = 0; at < body.length; at += sliceBytes) {
    sealed.set(cipher.update(body.subarray(at, at + sliceBytes)), 1 + nonceBytes + at);
  }
  cipher.final();
  sealed.set(cipher.getAuthTag(), 1 + nonceBytes + body.length);
  return sealed;
}

/**
 * Opens a sealed chunk.
 * @param secrets when given, the plaintext also has to give back the key: whoever was handed a reference, and so a
 *   key, cannot put other bytes in its place
 * @throws PeerStoreError DAMAGED when any byte of it is not what was sealed under this key, or it is of another kind.
 */
export function openChunk(
  compressor: Compressor,
  key: Uint8Array,
  kind: ChunkKind,
  sealed: Uint8Array,
  secrets?: ArchiveSecrets,
): Uint8Array {
  const plaintext = openBody(compressor, key, sealed);
  if (secrets !== undefined && !secretsEqual(chunkKey(secrets, kind, sha256(plaintext)), key)) {
    throw new PeerStoreError('DAMAGED', `a sealed chunk is not the ${kind} chunk that its key was made for`);
  }
  return plaintext;
}

function openBody(compressor: Compressor, key: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length <= sealBytes || sealed.length > limits.chunkMaxBytes + sealBytes) {
    throw new PeerStoreError('DAMAGED', `a sealed chunk cannot have ${sealed.length} bytes`);
  }
  const [flags] = sealed;
  if (flags !== flagsRaw && flags !== flagsCompressed) {
    throw new PeerStoreError(
      'DAMAGED',
      `a sealed chunk begins with ${flags ?? 'nothing'}: it is damaged, or was written by a later version of PeerStore`,
    );
  }
  const body = decrypt(key, sealed);
  return flags === flagsCompressed ? openFrame(compressor, body, limits.chunkMaxBytes) : body;
}

function decrypt(key: Uint8Array, sealed: Uint8Array): Uint8Array {
  const end = sealed.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes))
    .setAAD(sealed.subarray(0, 1))
    .setAuthTag(asBuffer(sealed.subarray(end)));
  const body = new Uint8Array(end - 1 - nonceBytes);
  for (let at = 1 + nonceBytes; at < end; at += sliceBytes) {
    body.set(decipher.update(sealed.subarray(at, Math.min(at + sliceBytes, end))), at - 1 - nonceBytes);
  }
  try {
    decipher.final();
  } catch (error) {
    throw new PeerStoreError('DAMAGED', 'a sealed chunk does not open with its key', { cause: error });
  }
  return body;
}

/** Seals a small value under a fixed key; equal values give equal bytes. Used for the heads of catalogs. */
export function sealValue(key: Uint8Array, value: Uint8Array): Uint8Array {
  return sealBody(key, flagsRaw, value, sha256(value));
}

/** @throws PeerStoreError DAMAGED, naming `what`, when the bytes were not sealed with this key. */
export function openValue(key: Uint8Array, sealed: Uint8Array, what: string): Uint8Array {
  if (sealed.length < sealBytes || sealed[0] !== flagsRaw) {
    throw new PeerStoreError(
      'DAMAGED',
      `the ${what} is damaged, or was written by a later version of PeerStore`,
    );
  }
  try {
    return decrypt(key, sealed);
  } catch (error) {
    if (!hasCode(error, 'DAMAGED')) throw error;
    throw new PeerStoreError('DAMAGED', `the ${what} does not open with this archive's secret`, {
      cause: error,
    });
  }
}
