/**
 * X.509 certificates (RFC 5280) with Ed25519 keys (RFC 8410), read and checked.
 *
 * A ring has one authority, whose certificate signs itself. Everybody else's certificate is signed by the authority
 * directly: there are no chains. Making them is in authority.ts.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';

import { asBuffer, sha256 } from '../base/bytes.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId } from '../ring/identifier.js';
import type { PeerIdentity, UserIdentity } from '../wire/identity.js';
import { extensionValues } from './extension.js';
import { publicKeyObject, publicKeyToSpki, rawPublicKey } from './keys.js';
import { decodeRole, type Role, roleExtensionOid } from './role.js';

/** A ring's authority, as everybody in the ring knows it. */
export interface AuthorityCertificate {
  readonly der: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, 32 bytes: what invites carry, and what names the ring. */
  readonly fingerprint: Uint8Array;
}

/** What a certificate of the ring certifies. */
export interface Certified {
  readonly identity: PeerIdentity | UserIdentity;
  /** The certified key: the peer's or the device's. */
  readonly publicKey: Uint8Array;
  /** From when and until when it is good, in milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** SHA-256 over the DER SubjectPublicKeyInfo of a raw public key: 32 bytes. */
export function fingerprintOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKeyToSpki(publicKey));
}

/**
 * Reads the certificate of a ring's authority. That it is the authority of the right ring is seen from its fingerprint.
 * @param bytes DER or PEM
 * @param what names it in a message: the file or the peer that it came from
 * @throws PeerStoreError NOT_ADMITTED when it is no certificate, or none of an authority.
 */
export function readAuthority(bytes: Uint8Array, what: string): AuthorityCertificate {
  const { certificate, key } = parse(bytes, what);
  const publicKey = rawPublicKey(key, what);
  if (!certificate.ca || !certificate.verify(key)) {
    throw new PeerStoreError('NOT_ADMITTED', `${what} is not the certificate of a ring's authority`);
  }
  return { der: certificate.raw, publicKey, fingerprint: fingerprintOf(publicKey) };
}

/**
 * Who a certificate says its holder is, whatever the time. Only a signature of the authority makes any of it true.
 * @throws PeerStoreError NOT_ADMITTED when the authority did not sign it, or it is none that an authority makes.
 */
export function readCertificate(leafDer: Uint8Array, authority: AuthorityCertificate): Certified {
  const what = 'the certificate';
  const { certificate: leaf, key } = parse(leafDer, what);
  if (leaf.ca || !leaf.verify(publicKeyObject(authority.publicKey))) {
    throw new PeerStoreError('NOT_ADMITTED', `${what} is not signed by the authority of this ring`);
  }
  const publicKey = rawPublicKey(key, what);
  return {
    identity: identityOf(publicKey, roleOf(leaf.raw)),
    publicKey,
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
  };
}

/**
 * Who is calling: what {@link readCertificate} says, if the certificate is good now.
 * @param nowMs milliseconds since 1970
 * @throws PeerStoreError NOT_ADMITTED also when it has expired or is not good yet.
 */
export function identify(
  leafDer: Uint8Array,
  authority: AuthorityCertificate,
  nowMs: number,
): PeerIdentity | UserIdentity {
  const certified = readCertificate(leafDer, authority);
  if (nowMs < certified.notBeforeMs) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `the certificate is good from ${atTime(certified.notBeforeMs)} on: check the clocks of both machines`,
    );
  }
  // RFC 5280, 4.1.2.5: both ends of the period belong to it.
  if (nowMs > certified.notAfterMs) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `the certificate expired at ${atTime(certified.notAfterMs)}: ask the ring's operator for a new invite`,
    );
  }
  return certified.identity;
}

/** A certificate in PEM, from its DER. */
export function certificateToPem(der: Uint8Array): string {
  return new X509Certificate(der).toString();
}

/**
 * A certificate in DER, from PEM or DER; nothing of it is checked.
 * @throws PeerStoreError NOT_ADMITTED when it is no certificate.
 */
export function certificateToDer(bytes: Uint8Array, what: string): Uint8Array {
  return parse(bytes, what).certificate.raw;
}

/** The place on the ring that a key and a nonce make. */
export function peerId(publicKey: Uint8Array, nonce: Uint8Array): PeerIdentity['machine'] {
  return hashToId(publicKey, nonce);
}

function identityOf(publicKey: Uint8Array, role: Role): PeerIdentity | UserIdentity {
  if (role.role === 'peer') {
    const ids = role.nonces.map((nonce) => peerId(publicKey, nonce));
    return { kind: 'peer', ids, machine: hashToId(publicKey) };
  }
  return {
    kind: 'user',
    userId: hashToId(role.userKey),
    name: role.name,
    userKey: role.userKey,
    deviceKey: publicKey,
  };
}

/** The role in a certificate whose signature was checked: what the authority did not write is never parsed. */
function roleOf(der: Uint8Array): Role {
  const [value, ...more] = extensionValues(der, roleExtensionOid);
  if (value === undefined || more.length > 0) {
    throw new PeerStoreError('NOT_ADMITTED', 'the certificate does not say whether it is a peer or a user');
  }
  try {
    return decodeRole(value);
  } catch (error) {
    throw new PeerStoreError('NOT_ADMITTED', messageOf(error));
  }
}

function parse(
  bytes: Uint8Array,
  what: string,
): { readonly certificate: X509Certificate; readonly key: KeyObject } {
  // PEM is a third longer than DER, and has its two lines.
  if (bytes.length > 2 * limits.certificateBytes) {
    throw new PeerStoreError('NOT_ADMITTED', `${what} is too long for a certificate`);
  }
  try {
    const certificate = new X509Certificate(asBuffer(bytes));
    // The key is decoded when it is asked for, and may turn out to be none.
    return { certificate, key: certificate.publicKey };
  } catch (error) {
    throw new PeerStoreError('NOT_ADMITTED', `${what} is not a readable X.509 certificate`, { cause: error });
  }
}

function atTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
