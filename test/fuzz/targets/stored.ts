/** What a program reads back from its own disk, which may have rotted: an entry of the index, and a user's key file. */
import { concatBytes, utf8 } from '../../../src/base/bytes.js';
import { packValue, unpackValue } from '../../../src/base/codec.js';
import { seededRandom } from '../../../src/base/random.js';
import { decodeKeyFile, decodeKeyFilePublic, encodeKeyFile } from '../../../src/identity/key-file.js';
import { hashToId } from '../../../src/ring/identifier.js';
import { entryCodec } from '../../../src/store/disk-index-entry.js';
import { keyNumber } from '../../identity/tools.js';
import { type Target, unlessRefused } from '../target.js';

const owner = hashToId(utf8('ada'));
const entry = packValue(entryCodec, {
  ...{ sizeBytes: 4096, storedAtMs: 1, trashedAtMs: null, removedAtMs: null },
  ownerships: [{ owner, touchedAtMs: 5, releasedAtMs: 0 }],
});
const keyFile = encodeKeyFile(
  { name: 'ada', addresses: ['attic:3001'], secret: new Uint8Array(32).fill(1), device: keyNumber(2) },
  seededRandom(3),
);

/** The first byte says what follows. */
export const stored: Target = {
  what: 'entries of the index, and key files',
  seeds: () => [concatBytes(Uint8Array.of(0), entry), concatBytes(Uint8Array.of(1), utf8(keyFile))],
  read: (input) => {
    const bytes = input.subarray(1);
    if ((input[0] ?? 0) % 2 === 0) {
      const found = unlessRefused(['PROTOCOL'], () => unpackValue(entryCodec, bytes, 'entry'));
      if (found !== undefined) packValue(entryCodec, found);
      return;
    }
    const text = Buffer.from(bytes).toString('utf8');
    unlessRefused(['USAGE', 'NOT_ADMITTED', 'DAMAGED'], () => decodeKeyFilePublic(text, 'the key file'));
    // Without a passphrase: the fuzzer is not to spend its time on deriving keys.
    unlessRefused(['USAGE', 'NOT_ADMITTED', 'DAMAGED'], () => decodeKeyFile(text, undefined, 'the key file'));
  },
};
