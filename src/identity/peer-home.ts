/**
 * The identity of a peer, in files of its data path.
 *
 *   publickey.pem      0644  what others pin the peer by
 *   key.pem            0600  the peer's Ed25519 key
 *   authority.pem      0644  the certificate of the ring's authority
 *   authority-key.pem  0600  the authority's key: only where the ring was founded
 *   certificate.pem    0644  the peer's certificate
 *
 * The certificate is written last: until it is there, the directory holds no identity but the beginnings of one, and
 * the command that was interrupted can be run again; it takes up the keys that it finds.
 */
import { join } from 'node:path';

import { bytesEqual, utf8 } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { readIdentityFile, writeIdentityFile } from '../base/identity-file.js';
import type { Random } from '../base/random.js';
import type { PeerIdentity } from '../wire/identity.js';
import { type AuthorityTools, newNonce, RingAuthority } from './authority.js';
import {
  type AuthorityCertificate,
  certificateToDer,
  certificateToPem,
  identify,
  readAuthority,
  readCertificate,
} from './certificate.js';
import { publicKeyToPem, SigningKey } from './keys.js';

/** The names of the files. */
export const peerFiles = {
  publicKey: 'publickey.pem',
  key: 'key.pem',
  certificate: 'certificate.pem',
  authority: 'authority.pem',
  authorityKey: 'authority-key.pem',
} as const;

/** A peer's identity, complete and checked. */
export interface PeerHome {
  readonly key: SigningKey;
  /** The peer's certificate, DER. */
  readonly certificate: Uint8Array;
  readonly identity: PeerIdentity;
  readonly authority: AuthorityCertificate;
  /** Only where the ring was founded. */
  readonly ringAuthority?: RingAuthority;
}

/**
 * The identity in a data path, or undefined when there is none, or none that was finished.
 * @throws PeerStoreError DAMAGED when files are missing or do not belong together; NOT_ADMITTED when one is unreadable,
 * a secret can be read by others, or the certificate has expired; IO.
 */
export async function loadPeerHome(dir: string, tools: AuthorityTools): Promise<PeerHome | undefined> {
  const certificatePath = join(dir, peerFiles.certificate);
  const pem = await readIdentityFile(certificatePath, { secret: false });
  if (pem === undefined) return undefined;

  const authority = await readAuthorityFile(dir);
  if (authority === undefined) throw missing(dir, peerFiles.authority);
  const key = await readKey(dir, peerFiles.key);
  if (key === undefined) throw missing(dir, peerFiles.key);
  const certificate = certificateToDer(pem, certificatePath);
  const identity = checkCertificate(dir, certificate, authority, key, tools.clock.nowMs());
  await restorePublicKey(dir, key, tools.random);
  const authorityKey = await readKey(dir, peerFiles.authorityKey);
  return {
    key,
    certificate,
    identity,
    authority,
    ...(authorityKey && { ringAuthority: RingAuthority.load(authorityKey, authority, tools) }),
  };
}

/**
 * Founds a ring: its authority, and its first peer. Goes on where an earlier attempt ended.
 * @param dir exists, and nobody else is using it
 * @throws PeerStoreError DAMAGED when the directory holds a part of an identity in another ring; NOT_ADMITTED, NO_SPACE,
 * IO.
 */
export async function foundPeerHome(dir: string, tools: AuthorityTools): Promise<PeerHome> {
  const earlier = await readAuthorityFile(dir);
  const earlierKey = await readKey(dir, peerFiles.authorityKey);
  if (earlier !== undefined && earlierKey === undefined) {
    throw new PeerStoreError(
      'DAMAGED',
      `${dir} belongs to a peer that joined a ring, but its ${peerFiles.certificate} is missing: ` +
        'join again with the same or a new invite, or take an empty directory for a new ring',
    );
  }
  const authorityKey = earlierKey ?? (await makeKey(dir, peerFiles.authorityKey, tools.random));
  const ringAuthority =
    earlier === undefined
      ? await RingAuthority.create(authorityKey, tools)
      : RingAuthority.load(authorityKey, earlier, tools);
  if (earlier === undefined) await writeAuthorityFile(dir, ringAuthority.certificate, tools.random);

  const key = await readOrMakePeerKey(dir, tools.random);
  const certificate = await ringAuthority.issuePeer(key.publicKey, [newNonce(tools.random)]);
  await writeCertificate(dir, certificate, tools.random);
  return reload(dir, tools);
}

/**
 * The key with which to join a ring: a new one, or the one that an earlier attempt left, so that its invite still holds.
 * @param dir exists, and nobody else is using it
 * @throws PeerStoreError USAGE when a ring was founded here; NOT_ADMITTED, NO_SPACE, IO.
 */
export async function preparePeerKey(dir: string, random: Random): Promise<SigningKey> {
  if ((await readKey(dir, peerFiles.authorityKey)) !== undefined) {
    throw new PeerStoreError(
      'USAGE',
      `a ring was founded in ${dir}: start it without an invite, or take an empty directory to join another ring`,
    );
  }
  return readOrMakePeerKey(dir, random);
}

/**
 * Ends the joining of a ring: keeps the certificate for the key of {@link preparePeerKey}. Call `checkGranted` first.
 * @param certificate DER
 * @throws PeerStoreError as {@link loadPeerHome}; NO_SPACE, IO.
 */
export async function savePeerCertificate(
  dir: string,
  certificate: Uint8Array,
  authority: AuthorityCertificate,
  tools: AuthorityTools,
): Promise<PeerHome> {
  const key = await readKey(dir, peerFiles.key);
  if (key === undefined) throw missing(dir, peerFiles.key);
  // Before anything is written: what is refused leaves the directory as it was.
  checkCertificate(dir, certificate, authority, key, tools.clock.nowMs());
  await writeAuthorityFile(dir, authority, tools.random);
  await writeCertificate(dir, certificate, tools.random);
  return reload(dir, tools);
}

function checkCertificate(
  dir: string,
  certificate: Uint8Array,
  authority: AuthorityCertificate,
  key: SigningKey,
  nowMs: number,
): PeerIdentity {
  const identity = identify(certificate, authority, nowMs);
  if (!bytesEqual(readCertificate(certificate, authority).publicKey, key.publicKey)) {
    throw new PeerStoreError(
      'DAMAGED',
      `the peer's certificate is for another key than ${join(dir, peerFiles.key)}: put back the files that belong together`,
    );
  }
  if (identity.kind !== 'peer') {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      `the certificate for ${dir} is that of a user's device, not of a peer`,
    );
  }
  return identity;
}

/** What was just written, by the same checks as at every later start. */
async function reload(dir: string, tools: AuthorityTools): Promise<PeerHome> {
  const home = await loadPeerHome(dir, tools);
  if (home === undefined) throw missing(dir, peerFiles.certificate);
  return home;
}

async function readOrMakePeerKey(dir: string, random: Random): Promise<SigningKey> {
  const key = (await readKey(dir, peerFiles.key)) ?? (await makeKey(dir, peerFiles.key, random));
  await restorePublicKey(dir, key, random);
  return key;
}

async function readKey(dir: string, name: string): Promise<SigningKey | undefined> {
  const path = join(dir, name);
  const pem = await readIdentityFile(path, { secret: true });
  return pem && SigningKey.fromPem(Buffer.from(pem).toString('utf8'), path);
}

async function makeKey(dir: string, name: string, random: Random): Promise<SigningKey> {
  const key = SigningKey.generate(random);
  await writeIdentityFile(join(dir, name), utf8(key.toPem()), 0o600, random);
  return key;
}

/** The public key follows from the private one: where its file is missing or wrong, it is written again. */
async function restorePublicKey(dir: string, key: SigningKey, random: Random): Promise<void> {
  const path = join(dir, peerFiles.publicKey);
  const pem = utf8(publicKeyToPem(key.publicKey));
  const found = await readIdentityFile(path, { secret: false });
  if (found === undefined || !bytesEqual(found, pem)) await writeIdentityFile(path, pem, 0o644, random);
}

async function readAuthorityFile(dir: string): Promise<AuthorityCertificate | undefined> {
  const path = join(dir, peerFiles.authority);
  const pem = await readIdentityFile(path, { secret: false });
  return pem && readAuthority(pem, path);
}

function writeAuthorityFile(dir: string, authority: AuthorityCertificate, random: Random): Promise<void> {
  return writePem(dir, peerFiles.authority, authority.der, random);
}

function writeCertificate(dir: string, certificate: Uint8Array, random: Random): Promise<void> {
  return writePem(dir, peerFiles.certificate, certificate, random);
}

function writePem(dir: string, name: string, der: Uint8Array, random: Random): Promise<void> {
  return writeIdentityFile(join(dir, name), utf8(certificateToPem(der)), 0o644, random);
}

function missing(dir: string, name: string): PeerStoreError {
  return new PeerStoreError(
    'DAMAGED',
    `${join(dir, name)} is missing, and the peer's identity is not whole without it: put back a copy of it, ` +
      'or take an empty directory and a new invite',
  );
}
