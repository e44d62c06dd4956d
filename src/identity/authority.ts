/** The ring's authority: the key that says who belongs to the ring, and the certificates that it makes. */
import { webcrypto } from 'node:crypto';

import type { Extension } from '@peculiar/x509';

import { asBuffer, bytesEqual, toHex } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { assert, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { hashToId } from '../ring/identifier.js';
import { type AuthorityCertificate, fingerprintOf, readAuthority } from './certificate.js';
import { keyBytes, publicKeyToSpki, SigningKey } from './keys.js';
import { encodeRole, nonceBytes, type Role, roleExtensionOid } from './role.js';

/** What making certificates takes. */
export interface AuthorityTools {
  readonly clock: Clock;
  readonly random: Random;
}

/** "No well-defined end" (RFC 5280, 4.1.2.5): an authority lasts as long as its ring. */
const neverMs = Date.UTC(9999, 11, 31, 23, 59, 59);
const serialBytes = 16;

/** A nonce for one place on the ring, which the authority chooses so that no peer picks its place. */
export function newNonce(random: Random): Uint8Array {
  return random.bytes(nonceBytes);
}

/** The holder of a ring's authority key. */
export class RingAuthority {
  readonly key: SigningKey;
  readonly certificate: AuthorityCertificate;
  readonly #tools: AuthorityTools;

  private constructor(key: SigningKey, certificate: AuthorityCertificate, tools: AuthorityTools) {
    this.key = key;
    this.certificate = certificate;
    this.#tools = tools;
  }

  /** The authority of a new ring, with this key: its certificate signs itself. */
  static async create(key: SigningKey, tools: AuthorityTools): Promise<RingAuthority> {
    const name = authorityName(key.publicKey);
    const der = await makeCertificate(key, tools, {
      subject: name,
      publicKey: key.publicKey,
      notAfterMs: neverMs,
      extensions: (x509) => [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new RingAuthority(key, readAuthority(der, 'the new authority certificate'), tools);
  }

  /**
   * An authority that was made before.
   * @throws PeerStoreError NOT_ADMITTED when the key and the certificate do not belong together.
   */
  static load(key: SigningKey, certificate: AuthorityCertificate, tools: AuthorityTools): RingAuthority {
    if (!bytesEqual(key.publicKey, certificate.publicKey)) {
      throw new PeerStoreError(
        'NOT_ADMITTED',
        "the authority's key and its certificate do not belong together",
      );
    }
    return new RingAuthority(key, certificate, tools);
  }

  /**
   * A peer's certificate, DER.
   * @param publicKey the peer's Ed25519 key, 32 bytes, whose possession was proved
   * @param nonces one to 64, 32 bytes each, from {@link newNonce}: one for each place on the ring
   */
  issuePeer(publicKey: Uint8Array, nonces: readonly Uint8Array[]): Promise<Uint8Array> {
    assert(nonces.length >= 1 && nonces.length <= limits.certificateNonces, 'a peer has 1 to 64 nonces');
    assert(
      nonces.every((nonce) => nonce.length === nonceBytes),
      'a nonce has 32 bytes',
    );
    return this.#issue(publicKey, { role: 'peer', nonces });
  }

  /**
   * The certificate of a user's device, DER.
   * @param deviceKey the device's Ed25519 key, 32 bytes, whose possession was proved
   * @param userKey the user's Ed25519 key, likewise
   * @param name the user's name, as `parseUserName` gives it
   */
  issueUser(deviceKey: Uint8Array, userKey: Uint8Array, name: string): Promise<Uint8Array> {
    assert(userKey.length === keyBytes, 'an Ed25519 public key has 32 bytes');
    return this.#issue(deviceKey, { role: 'user', name, userKey });
  }

  #issue(publicKey: Uint8Array, role: Role): Promise<Uint8Array> {
    // Names in the subject are for people who look at it with other tools; the role is what counts.
    const subject = `O=PeerStore ${role.role === 'peer' ? 'peer' : 'device'}, CN=${hashToId(publicKey)}`;
    return makeCertificate(this.key, this.#tools, {
      subject,
      publicKey,
      notAfterMs: this.#tools.clock.nowMs() + limits.certificateValidityMs,
      extensions: (x509) => [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.clientAuth,
          x509.ExtendedKeyUsage.serverAuth,
        ]),
        new x509.Extension(roleExtensionOid, false, asBuffer(encodeRole(role))),
      ],
    });
  }
}

interface CertificateContents {
  readonly subject: string;
  readonly publicKey: Uint8Array;
  readonly notAfterMs: number;
  readonly extensions: (x509: X509) => Extension[];
}

type X509 = typeof import('@peculiar/x509');

/** Loaded only when a certificate is made: it would be half of every program's start. */
async function loadX509(): Promise<X509> {
  // What it stands on wants this one to be there before.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

async function makeCertificate(
  issuer: SigningKey,
  { clock, random }: AuthorityTools,
  contents: CertificateContents,
): Promise<Uint8Array> {
  const algorithm = { name: 'Ed25519' };
  const { subtle } = webcrypto;
  const [signingKey, publicKey] = await Promise.all([
    subtle.importKey(
      'pkcs8',
      issuer.toKeyObject().export({ format: 'der', type: 'pkcs8' }),
      algorithm,
      false,
      ['sign'],
    ),
    subtle.importKey('spki', publicKeyToSpki(contents.publicKey), algorithm, true, ['verify']),
  ]);
  const x509 = await loadX509();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: newSerial(random),
      issuer: authorityName(issuer.publicKey),
      subject: contents.subject,
      notBefore: new Date(Math.max(0, clock.nowMs() - limits.certificateBackdateMs)),
      notAfter: new Date(contents.notAfterMs),
      publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: contents.extensions(x509),
    },
    webcrypto,
  );
  const der = new Uint8Array(certificate.rawData);
  assert(der.length <= limits.certificateBytes, 'a certificate keeps its bound');
  return der;
}

function authorityName(publicKey: Uint8Array): string {
  return `O=PeerStore ring, CN=${toHex(fingerprintOf(publicKey))}`;
}

/** RFC 5280, 4.1.2.2: positive, unique, at most 20 bytes. The second-highest bit keeps it from being shortened. */
function newSerial(random: Random): string {
  const serial = Uint8Array.from(random.bytes(serialBytes));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return toHex(serial);
}
