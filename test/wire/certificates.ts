/** Certificates for tests of the TLS transport: an authority, and what it signs. */
import 'reflect-metadata';

import { webcrypto, X509Certificate } from 'node:crypto';

import { X509CertificateGenerator } from '@peculiar/x509';

import { PeerStoreError } from '../../src/base/errors.js';
import { hashToId } from '../../src/ring/identifier.js';
import { utf8 } from '../../src/base/bytes.js';
import type { Identity, PeerIdentity, UserIdentity } from '../../src/wire/identity.js';
import { keyFingerprint } from '../../src/wire/tls-verify.js';
import type { TlsCredentials } from '../../src/wire/tls.js';

const ed25519 = 'Ed25519';
const day = 86_400_000;

export interface Authority {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly pem: string;
  readonly fingerprint: Uint8Array;
}

/** When a certificate is valid, relative to now. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

const thisWeek: Validity = { fromMs: -day, toMs: 7 * day };

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ed25519, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

/** A new authority; two with one name have different keys. */
export async function makeAuthority(name = 'authority'): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: { name: ed25519 },
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + 30 * day),
  });
  const pem = certificate.toString('pem');
  return { name, keys, pem, fingerprint: keyFingerprint(new X509Certificate(pem)) };
}

/** A certificate, its key, and the raw public key in it. */
export interface Issued {
  readonly credentials: TlsCredentials;
  readonly publicKey: Uint8Array;
}

/** @param name `peer NAME` or `user NAME`: what {@link identify} reads */
export async function issue(
  authority: Authority,
  name: string,
  validity: Validity = thisWeek,
): Promise<Issued> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: `CN=${authority.name}`,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: { name: ed25519 },
    notBefore: new Date(Date.now() + validity.fromMs),
    notAfter: new Date(Date.now() + validity.toMs),
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    credentials: {
      privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
      certificatePem: certificate.toString('pem'),
      authorityPem: authority.pem,
    },
    publicKey: new Uint8Array(await webcrypto.subtle.exportKey('raw', keys.publicKey)),
  };
}

/** The identity of a peer of the tests. */
export function peerIdentity(name: string): PeerIdentity {
  return { kind: 'peer', ids: [hashToId(utf8(name))], machine: hashToId(utf8(`machine of ${name}`)) };
}

/** The identity of a user of the tests. */
export function userIdentity(name: string): UserIdentity {
  const key = new Uint8Array(32).fill(name.length);
  return { kind: 'user', userId: hashToId(key), name, userKey: key, deviceKey: key };
}

/** Reads the certificates that {@link issue} makes. */
export function identify(leafDer: Uint8Array): Identity {
  const { subject } = new X509Certificate(leafDer);
  const [kind, name = ''] = subject.replace(/^CN=/, '').split(' ');
  if (kind === 'peer') return peerIdentity(name);
  if (kind === 'user') return userIdentity(name);
  throw new PeerStoreError('NOT_ADMITTED', `the certificate is neither a peer's nor a user's`);
}
