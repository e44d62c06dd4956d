/** Ed25519 keys (RFC 8032): raw 32 bytes inside, PEM where other programs read them. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';

import { asBuffer } from '../base/bytes.js';
import { assert, PeerStoreError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { sodium } from './sodium.js';

/** Bytes of a seed and of a public key. */
export const keyBytes = 32;
/** Bytes of a signature. */
export const signatureBytes = 64;

/** A key pair that signs. Its seed does not show when it is printed, logged or turned into JSON. */
export class SigningKey {
  /** The public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #seed: Uint8Array;
  readonly #secretKey: Uint8Array;

  private constructor(seed: Uint8Array) {
    assert(seed.length === keyBytes, 'an Ed25519 seed has 32 bytes');
    const pair = sodium.crypto_sign_seed_keypair(seed);
    this.publicKey = pair.publicKey;
    this.#seed = Uint8Array.from(seed);
    this.#secretKey = pair.privateKey;
  }

  /** A new key. For real use `random` has to be the machine's cryptographic generator. */
  static generate(random: Random): SigningKey {
    return new SigningKey(random.bytes(keyBytes));
  }

  /** The key that belongs to a seed of 32 bytes. */
  static fromSeed(seed: Uint8Array): SigningKey {
    return new SigningKey(seed);
  }

  /**
   * Reads a private key in PEM (PKCS #8, as `openssl genpkey -algorithm ed25519` writes it).
   * @param what names it in a message: the file that it came from
   * @throws PeerStoreError NOT_ADMITTED when it is no unencrypted Ed25519 private key.
   */
  static fromPem(pem: string, what: string): SigningKey {
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: pem, format: 'pem' });
    } catch {
      // The reason that OpenSSL gives may quote what it read; this is a secret, so it is left out.
      throw new PeerStoreError('NOT_ADMITTED', `${what} holds no readable private key in PEM`);
    }
    const { d } = ed25519Jwk(key, what);
    if (d === undefined) throw new PeerStoreError('NOT_ADMITTED', `${what} holds no private key`);
    return new SigningKey(Buffer.from(d, 'base64url'));
  }

  /** The seed, 32 bytes: the whole secret. */
  get seed(): Uint8Array {
    return this.#seed;
  }

  /** The signature over a message: 64 bytes, always the same for the same message. */
  sign(message: Uint8Array): Uint8Array {
    return sodium.crypto_sign_detached(message, this.#secretKey);
  }

  /** The private key in PEM (PKCS #8): for TLS, and for a file of mode 0600. */
  toPem(): string {
    return this.toKeyObject().export({ format: 'pem', type: 'pkcs8' }) as string;
  }

  /** The private key as `node:crypto` wants it. */
  toKeyObject(): KeyObject {
    return createPrivateKey({
      key: { kty: 'OKP', crv: 'Ed25519', d: base64Url(this.#seed), x: base64Url(this.publicKey) },
      format: 'jwk',
    });
  }

  toJSON(): string {
    return '[signing key]';
  }

  [inspect.custom](): string {
    return '[signing key]';
  }
}

/**
 * Whether a signature over the message was made with the key. Keys and signatures that are not in their one proper form
 * (RFC 8032, section 5.1.7; points of small order) are never valid.
 */
export function verifySignature(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== signatureBytes || publicKey.length !== keyBytes) return false;
  return sodium.crypto_sign_verify_detached(signature, message, publicKey);
}

/** A raw public key as `node:crypto` wants it. */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  assert(publicKey.length === keyBytes, 'an Ed25519 public key has 32 bytes');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: base64Url(publicKey) }, format: 'jwk' });
}

/** A raw public key in PEM (SubjectPublicKeyInfo): what `publickey.pem` holds. */
export function publicKeyToPem(publicKey: Uint8Array): string {
  return publicKeyObject(publicKey).export({ format: 'pem', type: 'spki' }) as string;
}

/** A raw public key as the DER of its SubjectPublicKeyInfo: what fingerprints are made over. */
export function publicKeyToSpki(publicKey: Uint8Array): Uint8Array {
  return publicKeyObject(publicKey).export({ format: 'der', type: 'spki' });
}

/**
 * Reads a public key in PEM: 32 raw bytes.
 * @param what names it in a message: the file that it came from
 * @throws PeerStoreError USAGE when it is a private key or no Ed25519 public key: the person gave the wrong file.
 */
export function publicKeyFromPem(pem: string, what: string): Uint8Array {
  // createPublicKey would take a private key and derive: a file that must not be handed around would seem to work.
  if (!/-----BEGIN PUBLIC KEY-----/.test(pem)) {
    throw new PeerStoreError(
      'USAGE',
      `${what} holds no public key in PEM: give the publickey.pem of the peer's data path`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: 'pem' });
  } catch (error) {
    throw new PeerStoreError('USAGE', `${what} holds no readable public key in PEM`, { cause: error });
  }
  return rawPublicKey(key, what);
}

/**
 * The 32 raw bytes of a public key.
 * @throws PeerStoreError NOT_ADMITTED when it is of another kind than Ed25519.
 */
export function rawPublicKey(key: KeyObject, what: string): Uint8Array {
  const { x } = ed25519Jwk(key, what);
  return Buffer.from(x, 'base64url');
}

function ed25519Jwk(key: KeyObject, what: string): { x: string; d?: string } {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `${what} holds a key of the kind ${key.asymmetricKeyType ?? 'secret'}; it has to be Ed25519`,
    );
  }
  const { x, d } = key.export({ format: 'jwk' });
  assert(x !== undefined, 'the JWK of an Ed25519 key has its public part');
  return d === undefined ? { x } : { x, d };
}

function base64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}
