/**
 * Who is at the other end of a TLS connection.
 *
 * The handshake proves that the other side holds the private key of its certificate. What remains is done here and
 * not by OpenSSL's own check, for three reasons: time comes from our clock, a host name means nothing (the identity is
 * the key), and somebody with only an invite knows the authority by its fingerprint. A chain has one shape, the
 * authority and what it signed; there are no intermediate authorities.
 */
import { X509Certificate } from 'node:crypto';

import { asBuffer, bytesEqual, sha256 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { notAdmitted } from './expected.js';
import type { Identity } from './identity.js';

/** What makes a certificate believable. */
export interface Trust {
  readonly clock: Clock;
  /** SHA-256 of the DER of the authority's public key (SubjectPublicKeyInfo). */
  readonly authorityFingerprint: Uint8Array;
  /** The authority's certificate, where it is known; else it has to come with the other side's chain. */
  readonly authority?: X509Certificate;
  /** Reads the identity in a certificate that the authority has signed. @throws PeerStoreError NOT_ADMITTED. */
  readonly identify: (leafDer: Uint8Array, authorityDer: Uint8Array) => Identity;
}

/** SHA-256 of the DER of a certificate's public key. */
export function keyFingerprint(certificate: X509Certificate): Uint8Array {
  return sha256(certificate.publicKey.export({ type: 'spki', format: 'der' }));
}

/**
 * The identity in a certificate that was used in a handshake.
 * @param leaf with its issuer, where that was sent
 * @param remote names the other side in messages
 * @throws PeerStoreError NOT_ADMITTED when it is not the authority's, not valid now, or not recognised.
 */
export function identityOf(leaf: X509Certificate, remote: string, trust: Trust): Identity {
  const authority = trust.authority ?? leaf.issuerCertificate;
  if (authority === undefined || !bytesEqual(keyFingerprint(authority), trust.authorityFingerprint)) {
    throw notAdmitted(remote, 'its certificate is of another ring');
  }
  if (!leaf.checkIssued(authority) || !leaf.verify(authority.publicKey)) {
    throw notAdmitted(remote, "its certificate is not signed by this ring's authority");
  }
  checkDates(authority, remote, "the authority's certificate", trust.clock);
  checkDates(leaf, remote, 'its certificate', trust.clock);
  return trust.identify(leaf.raw, authority.raw);
}

/**
 * Checks that a certificate holds this very key.
 * @param publicKey Ed25519, 32 bytes
 * @throws PeerStoreError NOT_ADMITTED.
 */
export function checkPinned(leaf: X509Certificate, address: string, publicKey: Uint8Array): void {
  const key = leaf.publicKey.export({ format: 'jwk' });
  const isSame = key.crv === 'Ed25519' && key.x === asBuffer(publicKey).toString('base64url');
  if (isSame) return;
  throw new PeerStoreError('NOT_ADMITTED', `the peer at ${address} does not have the key in its key file`);
}

function checkDates(certificate: X509Certificate, remote: string, what: string, clock: Clock): void {
  const nowMs = clock.nowMs();
  if (nowMs < Date.parse(certificate.validFrom)) {
    throw notAdmitted(remote, `${what} is valid only from ${certificate.validFrom}; compare the clocks`);
  }
  if (nowMs > Date.parse(certificate.validTo)) {
    throw notAdmitted(remote, `${what} expired on ${certificate.validTo}`);
  }
}
