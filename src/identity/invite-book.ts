/**
 * What a ledger of invites holds, and the rules by which it changes, without a disk: each function takes a book and
 * gives the next one, or says why not.
 *
 * An invite is good for one certificate, until it expires. Redeeming it again with the same keys gives the same grant,
 * so that a crash between the grant and the newcomer's reading of it costs nobody the invite. The grant includes the
 * nonce of a peer's place: asking twice never gives a second place to choose from.
 */
import { bytesEqual, secretsEqual } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { InviteKind } from './invite.js';

/** What was given for an invite. */
export interface Redeemed {
  /** The key that was certified: the peer's or the device's. */
  readonly publicKey: Uint8Array;
  /** For a user: the user's own key. */
  readonly userKey?: Uint8Array;
  /** For a peer: what makes its place on the ring. */
  readonly nonce?: Uint8Array;
}

export interface InviteEntry {
  /** SHA-256 of the secret. The secret itself is kept nowhere. */
  readonly secretHash: Uint8Array;
  readonly kind: InviteKind;
  /** For a user. */
  readonly name?: string;
  readonly expiresAtMs: number;
  readonly redeemed?: Redeemed;
}

/** A user that the ring has let in. */
export interface UserEntry {
  readonly name: string;
  readonly userKey: Uint8Array;
}

export interface InviteBook {
  readonly invites: readonly InviteEntry[];
  readonly users: readonly UserEntry[];
}

export const emptyBook: InviteBook = { invites: [], users: [] };

/** Who shows an invite. */
export interface Claim {
  readonly kind: InviteKind;
  readonly secretHash: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly userKey?: Uint8Array;
}

/** What an invite gave: the newcomer's certificate is made from it. */
export type Grant =
  | { readonly kind: 'peer'; readonly nonce: Uint8Array }
  | { readonly kind: 'user'; readonly name: string; readonly userKey: Uint8Array };

/**
 * The book with one more invite.
 * @throws PeerStoreError USAGE when it would expire at once or too late, or there are too many.
 */
export function withInvite(book: InviteBook, entry: InviteEntry, nowMs: number): InviteBook {
  const lifetimeMs = entry.expiresAtMs - nowMs;
  if (lifetimeMs <= 0)
    throw new PeerStoreError('USAGE', 'the invite would have expired before anybody got it');
  if (lifetimeMs > limits.inviteLifetimeMs) {
    const days = limits.inviteLifetimeMs / 86_400_000;
    throw new PeerStoreError('USAGE', `an invite may wait for ${days} days at most`);
  }
  const invites = pruned(book.invites, nowMs);
  if (invites.length >= limits.invitesKept) {
    throw new PeerStoreError(
      'USAGE',
      `${invites.length} invites are kept already: wait until some have been expired for a week`,
    );
  }
  return { ...book, invites: [...invites, entry] };
}

/**
 * The book after somebody showed an invite, and what they get for it. `book` itself comes back when nothing changed.
 * @param newNonce makes the nonce for a peer
 * @throws PeerStoreError NOT_ADMITTED when the invite is unknown, for something else, used by another key, or expired;
 * CONFLICT when the user's name has another key or the key another name; NO_SPACE when the ring has too many users.
 */
export function redeemed(
  book: InviteBook,
  claim: Claim,
  nowMs: number,
  newNonce: () => Uint8Array,
): { book: InviteBook; grant: Grant } {
  const at = findInvite(book.invites, claim.secretHash);
  const entry = book.invites[at];
  if (entry === undefined) {
    throw refused(
      'this invite is not known here: it was made by another ring, or forgotten after it expired',
    );
  }
  if (entry.kind !== claim.kind) throw refused(`this invite is for a ${entry.kind}, not for a ${claim.kind}`);
  if (entry.redeemed !== undefined && !sameClaimant(entry.redeemed, claim)) {
    throw refused('this invite was already used: ask for another one');
  }
  if (nowMs >= entry.expiresAtMs) {
    throw refused(`this invite expired at ${new Date(entry.expiresAtMs).toISOString()}: ask for another one`);
  }
  if (entry.redeemed !== undefined) return { book, grant: grantOf(entry, entry.redeemed) };

  const redemption: Redeemed = {
    publicKey: claim.publicKey,
    ...(claim.userKey === undefined ? { nonce: newNonce() } : { userKey: claim.userKey }),
  };
  const grant = grantOf(entry, redemption);
  const invites = book.invites.with(at, { ...entry, redeemed: redemption });
  const users = grant.kind === 'user' ? withUser(book.users, grant) : book.users;
  return { book: { invites: pruned(invites, nowMs), users }, grant };
}

function grantOf(entry: InviteEntry, redemption: Redeemed): Grant {
  if (entry.name !== undefined && redemption.userKey !== undefined) {
    return { kind: 'user', name: entry.name, userKey: redemption.userKey };
  }
  if (redemption.nonce !== undefined) return { kind: 'peer', nonce: redemption.nonce };
  throw new PeerStoreError('PROTOCOL', 'a user has to show the user key as well');
}

/** A name belongs to one key, and a key to one name, as long as there is a ring. */
function withUser(users: readonly UserEntry[], user: UserEntry): readonly UserEntry[] {
  const sameName = users.find(({ name }) => name === user.name);
  const sameKey = users.find(({ userKey }) => bytesEqual(userKey, user.userKey));
  if (sameName !== undefined && sameName !== sameKey) {
    throw new PeerStoreError(
      'CONFLICT',
      `the ring has a user ${user.name} with another key: take another name, or recover that user from the phrase`,
    );
  }
  if (sameKey !== undefined && sameKey !== sameName) {
    throw new PeerStoreError(
      'CONFLICT',
      `this user is called ${sameKey.name} in the ring: ask for an invite for ${sameKey.name}`,
    );
  }
  if (sameName !== undefined) return users;
  if (users.length >= limits.users) {
    throw new PeerStoreError('NO_SPACE', `the ring has ${users.length} users, and no room for more`);
  }
  return [...users, { name: user.name, userKey: user.userKey }];
}

/** Looks at every invite, so that the time it takes says nothing about where or whether one matches. */
function findInvite(invites: readonly InviteEntry[], secretHash: Uint8Array): number {
  let found = -1;
  for (const [at, entry] of invites.entries()) {
    if (secretsEqual(entry.secretHash, secretHash)) found = at;
  }
  return found;
}

function sameClaimant(redemption: Redeemed, claim: Claim): boolean {
  const sameUser =
    redemption.userKey === undefined || claim.userKey === undefined
      ? redemption.userKey === claim.userKey
      : bytesEqual(redemption.userKey, claim.userKey);
  return sameUser && bytesEqual(redemption.publicKey, claim.publicKey);
}

function pruned(invites: readonly InviteEntry[], nowMs: number): readonly InviteEntry[] {
  return invites.filter(({ expiresAtMs }) => nowMs - expiresAtMs < limits.inviteRetentionMs);
}

function refused(message: string): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', message);
}
