import { expect } from 'chai';
import fc from 'fast-check';

import { idFromNumber, idToNumber, type Id, parseId } from '../../src/ring/identifier.js';
import { inHalfOpen } from '../../src/ring/interval.js';
import { allKeys, isInRange, partsOf, rangesOfArc } from '../../src/ring/key-range.js';

const id = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }).map(idFromNumber);
const near = fc.bigInt({ min: -3n, max: 3n }).map(idFromNumber);
const anyId: fc.Arbitrary<Id> = fc.oneof(id, near);

describe('key ranges', () => {
  it('hold what a peer is responsible for, and nothing else', () => {
    fc.assert(
      fc.property(anyId, anyId, anyId, (after, upTo, key) => {
        const isInside = rangesOfArc(after, upTo).some((range) => isInRange(key, range));
        expect(isInside).to.equal(after === upTo || inHalfOpen(after, key, upTo));
      }),
    );
  });

  it('of an arc are in order and never empty', () => {
    fc.assert(
      fc.property(anyId, anyId, (after, upTo) => {
        const ends = rangesOfArc(after, upTo).flatMap(({ first, last }) => [first, last]);
        expect(ends).to.deep.equal([...ends].sort());
      }),
    );
  });

  it('are cut into parts that follow each other and make the whole', () => {
    fc.assert(
      fc.property(anyId, anyId, fc.integer({ min: 1, max: 40 }), (a, b, count) => {
        const range = a < b ? { first: a, last: b } : { first: b, last: a };
        const parts = partsOf(range, count);
        expect(parts[0]?.first).to.equal(range.first);
        expect(parts.at(-1)?.last).to.equal(range.last);
        for (const [at, part] of parts.entries()) {
          expect(part.first <= part.last).to.equal(true);
          if (at > 0) expect(idToNumber(part.first) - 1n).to.equal(idToNumber(parts[at - 1]!.last));
        }
        const widths = parts.map(({ first, last }) => idToNumber(last) - idToNumber(first));
        expect(Math.max(...widths.map((width) => Number(width - widths[0]!)))).to.be.at.most(1);
      }),
    );
  });

  it('have as many parts as keys when there are few', () => {
    const one = parseId('5'.repeat(64));
    expect(partsOf({ first: one, last: one }, 16)).to.deep.equal([{ first: one, last: one }]);
    expect(partsOf(allKeys, 16)).to.have.length(16);
  });
});
