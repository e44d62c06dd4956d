/** Signed records, as a peer or a disk gives them. Those that the fuzzer makes are signed anew, so that what is in them is read. */
import { concatBytes, utf8 } from '../../../src/base/bytes.js';
import { SigningKey } from '../../../src/identity/keys.js';
import { openRecord, signRecord } from '../../../src/identity/record.js';
import { seededRandom } from '../../../src/base/random.js';
import { type Target, unlessRefused } from '../target.js';

const key = SigningKey.generate(seededRandom(1));
const signatureBytes = 64;
const signLabel = utf8('peerstore record v1');

/** The first byte says whether the record is signed anew. */
export const records: Target = {
  what: 'signed records',
  seeds: () => {
    const contents = { kind: 'snapshots', name: 'n', sequence: 3, timeMs: 9 };
    const all = [
      signRecord(key, { ...contents, deleted: false, value: utf8('value') }),
      signRecord(key, { ...contents, deleted: true, value: new Uint8Array(0) }),
    ];
    return all.flatMap((record) => [0, 1].map((first) => concatBytes(Uint8Array.of(first), record)));
  },
  read: (input) => {
    const record = input.subarray(1);
    if (input[0] === 1 && record.length > 1 + signatureBytes) {
      const body = record.subarray(1 + signatureBytes);
      record.set(key.sign(concatBytes(signLabel, Uint8Array.of(1), body)), 1);
    }
    unlessRefused(['DAMAGED'], () => openRecord(record));
  },
};
