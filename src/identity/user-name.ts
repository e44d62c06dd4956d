/** Names of users: what they may be made of, so that one name is always written with the same bytes. */
import { type Codec, mapped, text } from '../base/codec.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';

const letters = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]*$/u;

/** Whether a text is a user's name in its one proper spelling. */
function isUserName(name: string): boolean {
  return (
    letters.test(name) && Buffer.byteLength(name) <= limits.userNameBytes && name === name.normalize('NFC')
  );
}

/**
 * A user's name as it is kept: in Unicode's normal form C.
 * @throws PeerStoreError USAGE when it is not 1 to 64 bytes of letters, digits and `. _ @ + -`, beginning with a letter
 * or digit.
 */
export function parseUserName(name: string): string {
  const normal = name.normalize('NFC');
  if (!isUserName(normal)) {
    throw new PeerStoreError(
      'USAGE',
      `${JSON.stringify(name.slice(0, 80))} cannot be a user's name: take up to ${limits.userNameBytes} bytes of ` +
        'letters, digits and . _ @ + -, beginning with a letter or digit',
    );
  }
  return normal;
}

/** A user's name in bytes from elsewhere. */
export const userNameCodec: Codec<string> = mapped(
  text(limits.userNameBytes),
  (name, path) => {
    if (!isUserName(name)) throw new PeerStoreError('PROTOCOL', `${path} is not a user's name`);
    return name;
  },
  (name) => name,
);
