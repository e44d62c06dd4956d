/**
 * A user's secret: 32 random bytes from which everything of the user's follows, so that 24 words on paper bring it all
 * back. The words are BIP-39's (English), for 256 bits and a checksum of 8.
 *
 * Keys are derived with HKDF-SHA256 (RFC 5869), without salt, one label each:
 *
 *   "peerstore user signing v1"  the seed of the user's Ed25519 key
 *   "peerstore archive v1"       the archive secret, from which src/archive makes the keys of its chunks
 *   "peerstore records v1"       the key that seals the values of the user's records
 */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

import { utf8 } from '../base/bytes.js';
import { assert, PeerStoreError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { SigningKey } from './keys.js';

/** Bytes of a user's secret, and of each secret that follows from it. */
export const userSecretBytes = 32;

const words = 24;
const known = new Set(wordlist);

/** What follows from a user's secret. */
export interface UserKeys {
  /** The user's own key: its public part is who the user is in the ring. */
  readonly signing: SigningKey;
  /** 32 bytes, for src/archive. */
  readonly archiveSecret: Uint8Array;
  /** 32 bytes: seals the values of records. */
  readonly recordSecret: Uint8Array;
}

/** A new user's secret. For real use `random` has to be the machine's cryptographic generator. */
export function newUserSecret(random: Random): Uint8Array {
  return random.bytes(userSecretBytes);
}

/** The keys that follow from a user's secret: always the same. */
export function deriveUserKeys(secret: Uint8Array): UserKeys {
  assert(secret.length === userSecretBytes, "a user's secret has 32 bytes");
  const derive = (label: string): Uint8Array => hkdf(sha256, secret, undefined, utf8(label), userSecretBytes);
  return {
    signing: SigningKey.fromSeed(derive('peerstore user signing v1')),
    archiveSecret: derive('peerstore archive v1'),
    recordSecret: derive('peerstore records v1'),
  };
}

/** The recovery phrase of a secret: 24 words with a space between them. As secret as the secret. */
export function toRecoveryPhrase(secret: Uint8Array): string {
  assert(secret.length === userSecretBytes, "a user's secret has 32 bytes");
  return entropyToMnemonic(secret, wordlist);
}

/**
 * The secret of a recovery phrase. Capitals and the amount of white space do not matter.
 * @throws PeerStoreError NOT_ADMITTED when there are not 24 words, one is not in the list (named by its place: the words
 * are secret), or the checksum is wrong.
 */
export function fromRecoveryPhrase(phrase: string): Uint8Array {
  const given = phrase
    .normalize('NFKD')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (given.length !== words) {
    throw refused(`the recovery phrase has ${given.length} words; it takes all ${words}, in their order`);
  }
  const wrong = given.flatMap((word, at) => (known.has(word) ? [] : [at + 1]));
  if (wrong.length > 0) {
    throw refused(
      `word ${wrong.join(', ')} of the recovery phrase is not in the list of words: check how it is written`,
    );
  }
  try {
    return Uint8Array.from(mnemonicToEntropy(given.join(' '), wordlist));
  } catch {
    // All words are good, so only the checksum is left. The library's own message stays out: it could quote words.
    throw refused(
      "the recovery phrase's checksum is wrong: one of its words is another than was printed, or two changed places",
    );
  }
}

function refused(message: string): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', message);
}
