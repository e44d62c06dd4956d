/**
 * The issuing peer's ledger of invites and users, in a file: what a promise of it says is on disk. The rules are in
 * invite-book.ts. The file is JSON with byte strings in base64url, mode 0600:
 *
 *   { version: 1,
 *     invites: [{ secretHash, kind, name?, expiresAtMs, redeemed?: { publicKey, userKey?, nonce? } }],
 *     users: [{ name, userKey }] }
 *
 * One process at a time may have it open: the lock on the data path sees to that.
 */
import { sha256, utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { integer, list, oneOf, optional, struct } from '../base/codec.js';
import { assert, messageOf, PeerStoreError } from '../base/errors.js';
import { readIdentityFile, writeIdentityFile } from '../base/identity-file.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { newNonce } from './authority.js';
import { type Claim, emptyBook, type Grant, type InviteBook, redeemed, withInvite } from './invite-book.js';
import { type InviteKind, inviteSecretBytes } from './invite.js';
import { keyBytes } from './keys.js';
import { nonceBytes } from './role.js';
import { base64Url } from './text-bytes.js';
import { parseUserName, userNameCodec } from './user-name.js';

const version = 1;
const fileCodec = struct({
  version: integer(version, version),
  invites: list(
    struct({
      secretHash: base64Url(32),
      kind: oneOf('peer', 'user'),
      name: optional(userNameCodec),
      expiresAtMs: integer(0, Number.MAX_SAFE_INTEGER),
      redeemed: optional(
        struct({
          publicKey: base64Url(keyBytes),
          userKey: optional(base64Url(keyBytes)),
          nonce: optional(base64Url(nonceBytes)),
        }),
      ),
    }),
    limits.invitesKept,
  ),
  users: list(struct({ name: userNameCodec, userKey: base64Url(keyBytes) }), limits.users),
});

/** What shows an invite: its secret, and the keys whose possession was proved. */
export type Redemption = Omit<Claim, 'secretHash'> & { readonly secret: Uint8Array };

/** What a ledger works with. */
export interface LedgerTools {
  readonly clock: Clock;
  readonly random: Random;
}

export class InviteLedger {
  readonly #path: string;
  readonly #tools: LedgerTools;
  #book: InviteBook;
  /** The last update that was begun: the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, book: InviteBook, tools: LedgerTools) {
    this.#path = path;
    this.#book = book;
    this.#tools = tools;
  }

  /**
   * Opens the ledger in a file; without the file it is empty.
   * @throws PeerStoreError DAMAGED when the file is not a ledger, NOT_ADMITTED when others may read it, IO.
   */
  static async open(path: string, tools: LedgerTools): Promise<InviteLedger> {
    const bytes = await readIdentityFile(path, { secret: true, maxBytes: limits.ledgerBytes });
    return new InviteLedger(path, bytes === undefined ? emptyBook : parseBook(bytes, path), tools);
  }

  /**
   * Makes an invite.
   * @param name for a user: the name that the certificate will say
   * @param expiresAtMs milliseconds since 1970, at most 30 days away
   * @returns its secret, which is kept nowhere else.
   * @throws PeerStoreError USAGE when the name or the time makes no sense, NO_SPACE, IO.
   */
  create(kind: InviteKind, name: string | undefined, expiresAtMs: number): Promise<Uint8Array> {
    assert((kind === 'user') === (name !== undefined), 'an invite names a user if it is for one');
    return this.#update((book, nowMs) => {
      const secret = this.#tools.random.bytes(inviteSecretBytes);
      const entry = {
        secretHash: inviteSecretHash(secret),
        kind,
        expiresAtMs,
        ...(name === undefined ? {} : { name: parseUserName(name) }),
      };
      return { book: withInvite(book, entry, nowMs), result: secret };
    });
  }

  /**
   * Takes an invite's secret for what it grants; on disk before it returns. The caller has checked that whoever shows
   * the secret has the keys.
   * @throws PeerStoreError NOT_ADMITTED, CONFLICT as `redeemed` of invite-book.ts says; NO_SPACE, IO.
   */
  redeem({ kind, secret, publicKey, userKey }: Redemption): Promise<Grant> {
    // Copies: what came from the network is a part of a larger frame, which must not stay in memory with it.
    const claim = {
      kind,
      secretHash: inviteSecretHash(secret),
      publicKey: Uint8Array.from(publicKey),
      ...(userKey === undefined ? {} : { userKey: Uint8Array.from(userKey) }),
    };
    return this.#update((book, nowMs) => {
      const next = redeemed(book, claim, nowMs, () => newNonce(this.#tools.random));
      return { book: next.book, result: next.grant };
    });
  }

  /** The users that the ring has let in. */
  users(): InviteBook['users'] {
    return this.#book.users;
  }

  /** One update after the other; what it changed counts only once it is on disk. */
  #update<T>(change: (book: InviteBook, nowMs: number) => { book: InviteBook; result: T }): Promise<T> {
    const run = async (): Promise<T> => {
      const { book, result } = change(this.#book, this.#tools.clock.nowMs());
      if (book !== this.#book) {
        await writeIdentityFile(this.#path, utf8(bookText(book)), 0o600, this.#tools.random);
        this.#book = book;
      }
      return result;
    };
    const mine = this.#last.then(run, run);
    this.#last = mine;
    return mine;
  }
}

/** The form in which an invite's secret is kept and signed over: 32 random bytes need no slow hash. */
export function inviteSecretHash(secret: Uint8Array): Uint8Array {
  return sha256(utf8('peerstore invite secret v1'), secret);
}

function bookText(book: InviteBook): string {
  // Times are far below 2^53: as JSON's numbers they lose nothing.
  const plain = (_key: string, value: unknown): unknown =>
    typeof value === 'bigint' ? Number(value) : value;
  return `${JSON.stringify(fileCodec.encode({ version, ...book }), plain, 1)}\n`;
}

function parseBook(bytes: Uint8Array, path: string): InviteBook {
  try {
    return fileCodec.decode(JSON.parse(Buffer.from(bytes).toString('utf8')), 'ledger');
  } catch (error) {
    throw new PeerStoreError(
      'DAMAGED',
      `${path} is not a ledger of invites (${messageOf(error)}): put back a copy of it, ` +
        'or move it away to begin with no invites and no list of users',
    );
  }
}
