/**
 * Enrolling: a newcomer trades an invite's secret and a proof of its keys for a certificate.
 *
 * What is signed, by the certified key and, for a user, also by the user's key:
 *
 *   "peerstore enrol v1" || kind (1 byte: 1 peer, 2 user) || authority's fingerprint (32) ||
 *   SHA-256("peerstore invite secret v1" || secret) (32) || public key (32) [|| user key (32)]
 *
 * Every part has a fixed length, so no two statements have the same bytes. The signature is good for one invite of one
 * ring and for these keys: whoever overhears it can do nothing with it but repeat it.
 */
import { bytesEqual, concatBytes, utf8 } from '../base/bytes.js';
import { assert, PeerStoreError } from '../base/errors.js';
import type { RequestOf } from '../wire/catalogue.js';
import type { PeerIdentity, UserIdentity } from '../wire/identity.js';
import type { RingAuthority } from './authority.js';
import { type AuthorityCertificate, identify, readCertificate } from './certificate.js';
import { type InviteLedger, inviteSecretHash } from './invite-ledger.js';
import type { Invite, InviteKind } from './invite.js';
import { type SigningKey, verifySignature } from './keys.js';

type EnrollRequest = RequestOf<'enroll'>;

const label = utf8('peerstore enrol v1');
const kindBytes = { peer: 1, user: 2 } as const;

/** The keys that a newcomer has certified. */
export interface NewcomerKeys {
  /** The peer's key, or the device's. */
  readonly key: SigningKey;
  /** For a user: the user's own key. */
  readonly userKey?: SigningKey;
}

/** The request with which a newcomer uses an invite. A user needs `userKey`, a peer has none. */
export function enrollRequest(invite: Invite, { key, userKey }: NewcomerKeys): EnrollRequest {
  assert(
    (invite.kind === 'user') === (userKey !== undefined),
    'a user enrolls with a user key, a peer without',
  );
  const { kind, fingerprint, secret } = invite;
  const statement = enrollStatement(kind, fingerprint, secret, key.publicKey, userKey?.publicKey);
  return {
    kind,
    secret,
    publicKey: key.publicKey,
    signature: key.sign(statement),
    ...(userKey === undefined ? {} : { userKey: userKey.publicKey, userSignature: userKey.sign(statement) }),
  };
}

/** What the authority answers with. */
export interface EnrollmentOffice {
  readonly authority: RingAuthority;
  readonly ledger: InviteLedger;
}

/**
 * Checks a newcomer's request, uses up the invite and makes the certificate, DER. The same request again is answered
 * again, for the same place and name, until the invite expires.
 * @throws PeerStoreError NOT_ADMITTED when a proof or the invite is wrong; PROTOCOL when parts are missing; CONFLICT when
 * the user's name is taken.
 */
export async function answerEnroll(
  { authority, ledger }: EnrollmentOffice,
  request: EnrollRequest,
): Promise<Uint8Array> {
  // Before the invite is touched: a request without proof must not use it up.
  checkProofs(authority.certificate.fingerprint, request);
  const grant = await ledger.redeem({
    kind: request.kind,
    secret: request.secret,
    publicKey: request.publicKey,
    ...(request.userKey === undefined ? {} : { userKey: request.userKey }),
  });
  return grant.kind === 'peer'
    ? authority.issuePeer(request.publicKey, [grant.nonce])
    : authority.issueUser(request.publicKey, grant.userKey, grant.name);
}

/**
 * Checks at the newcomer that a certificate is the one that the invite promised, for its own keys.
 * @param authority whose fingerprint the invite carries
 * @throws PeerStoreError NOT_ADMITTED when it is for another key, name or ring, or not good now.
 */
export function checkGranted(
  certificate: Uint8Array,
  authority: AuthorityCertificate,
  invite: Invite,
  { key, userKey }: NewcomerKeys,
  nowMs: number,
): PeerIdentity | UserIdentity {
  if (!bytesEqual(authority.fingerprint, invite.fingerprint)) {
    throw notPromised('the peer is of another ring');
  }
  const identity = identify(certificate, authority, nowMs);
  if (!bytesEqual(readCertificate(certificate, authority).publicKey, key.publicKey)) {
    throw notPromised('the certificate is for another key');
  }
  if (identity.kind !== invite.kind) throw notPromised(`the certificate is for a ${identity.kind}`);
  if (identity.kind === 'user') {
    if (userKey === undefined || !bytesEqual(identity.userKey, userKey.publicKey)) {
      throw notPromised('the certificate is for another user');
    }
    if (identity.name !== invite.name) throw notPromised('the certificate says another name');
  }
  return identity;
}

function checkProofs(fingerprint: Uint8Array, request: EnrollRequest): void {
  const { kind, secret, publicKey, signature, userKey, userSignature } = request;
  const isUser = kind === 'user';
  if (isUser !== (userKey !== undefined) || isUser !== (userSignature !== undefined)) {
    throw new PeerStoreError('PROTOCOL', 'a user enrolls with a user key and its signature, a peer without');
  }
  const statement = enrollStatement(kind, fingerprint, secret, publicKey, userKey);
  const proved =
    verifySignature(signature, statement, publicKey) &&
    (userKey === undefined ||
      userSignature === undefined ||
      verifySignature(userSignature, statement, userKey));
  if (!proved) {
    throw new PeerStoreError(
      'NOT_ADMITTED',
      'the signature does not prove that the key is yours, for this ring',
    );
  }
}

/** The bytes that are signed: see the top of this file. */
function enrollStatement(
  kind: InviteKind,
  fingerprint: Uint8Array,
  secret: Uint8Array,
  publicKey: Uint8Array,
  userKey: Uint8Array | undefined,
): Uint8Array {
  return concatBytes(
    label,
    Uint8Array.of(kindBytes[kind]),
    fingerprint,
    inviteSecretHash(secret),
    publicKey,
    ...(userKey === undefined ? [] : [userKey]),
  );
}

function notPromised(what: string): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', `${what}, not what the invite promised: ask for a new invite`);
}
