import { expect } from 'chai';
import fc from 'fast-check';

import { sha256, utf8 } from '../../src/base/bytes.js';
import { type Id, parseId } from '../../src/ring/identifier.js';
import { isInRange, type KeyRange } from '../../src/ring/key-range.js';
import { type CountedItem, fingerprintOf, Fingerprints } from '../../src/store/fingerprints.js';

/** Ids that lie close together, at the ends of buckets and in the middle. */
const anId = fc
  .tuple(
    fc.constantFrom('00', '01', '7f', '80', 'fe', 'ff'),
    fc.constantFrom('0', '8', 'f'),
    fc.constantFrom('0', '1', 'e', 'f'),
  )
  .map(([prefix, fill, end]) => parseId(prefix.padEnd(63, fill) + end));

const itemOf = (text: string, isHeld = true): CountedItem => ({
  digest: sha256(utf8(text)).subarray(0, 16),
  isHeld,
});

describe('fingerprints', () => {
  for (const digits of [1, 2, 4]) {
    it(`of any range are what its items come to, with buckets of ${digits} digits`, () =>
      fc.assert(
        fc.property(
          fc.array(fc.tuple(anId, fc.option(fc.nat(3), { nil: undefined })), { maxLength: 60 }),
          fc.array(fc.tuple(anId, anId), { minLength: 1, maxLength: 10 }),
          (changes, ranges) => {
            const fingerprints = new Fingerprints(digits);
            const all = new Map<Id, CountedItem>();
            for (const [id, number] of changes) {
              const after =
                number === undefined ? undefined : itemOf(`${id} ${number >> 1}`, number % 2 === 0);
              fingerprints.change(id, all.get(id), after);
              if (after === undefined) all.delete(id);
              else all.set(id, after);
            }
            for (const [a, b] of ranges) {
              const range = a <= b ? { first: a, last: b } : { first: b, last: a };
              const within = (part: KeyRange): CountedItem[] =>
                [...all].filter(([id]) => isInRange(id, part)).map(([, item]) => item);
              expect(fingerprints.of(range, within)).to.deep.equal(fingerprintOf(within(range)));
            }
          },
        ),
        { numRuns: digits === 4 ? 20 : 100 },
      ));
  }

  it('look up nothing but the ends of a range', () => {
    const fingerprints = new Fingerprints(2);
    for (let at = 0; at < 256; at += 1) {
      const id = parseId(at.toString(16).padStart(2, '0').padEnd(64, '5'));
      fingerprints.change(id, undefined, itemOf(id));
    }
    const asked: KeyRange[] = [];
    const range = { first: parseId('10'.padEnd(64, '1')), last: parseId('f'.repeat(64)) };
    fingerprints.of(range, (part) => {
      asked.push(part);
      return [];
    });
    expect(asked).to.deep.equal([{ first: range.first, last: parseId('10'.padEnd(64, 'f')) }]);
  });

  it('of nothing are zero', () => {
    expect(fingerprintOf([])).to.deep.equal({ count: 0, sum: Buffer.alloc(16), held: 0 });
  });
});
