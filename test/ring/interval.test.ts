import { expect } from 'chai';
import fc from 'fast-check';

import type { Id } from '../../src/ring/identifier.js';
import { between, inHalfOpen } from '../../src/ring/interval.js';
import { idAt } from './fixtures.js';

const circle = 2n ** 256n;
const anyId = fc
  .bigInt({ min: 0n, max: circle - 1n })
  .map((value) => value.toString(16).padStart(64, '0') as Id);
/** Few places, so that equal ones come up often. */
const closeId = fc.integer({ min: 0, max: 4 }).map(idAt);
const ids = fc.oneof(anyId, closeId);
const distance = (from: Id, to: Id): bigint => (BigInt(`0x${to}`) - BigInt(`0x${from}`) + circle) % circle;

describe('between', () => {
  it('is "0 < distance to x < distance to b", a whole turn when a equals b', () => {
    fc.assert(
      fc.property(ids, ids, ids, (a, x, b) => {
        const whole = a === b ? circle : distance(a, b);
        expect(between(a, x, b)).to.equal(distance(a, x) > 0n && distance(a, x) < whole);
      }),
      { numRuns: 2000 },
    );
  });

  it('holds for exactly one order of three different places', () => {
    fc.assert(
      fc.property(ids, ids, ids, (a, x, b) => {
        fc.pre(a !== x && x !== b && a !== b);
        expect(between(a, x, b)).to.equal(!between(a, b, x));
      }),
    );
  });

  for (const [a, x, b, expected] of [
    [1, 2, 3, true],
    [1, 1, 3, false],
    [1, 3, 3, false],
    [1, 4, 3, false],
    [3, 4, 1, true],
    [3, 0, 1, true],
    [3, 1, 1, false],
    [3, 2, 1, false],
    [2, 2, 2, false],
    [2, 3, 2, true],
    [2, 1, 2, true],
  ] as const) {
    it(`says ${expected} for ${x} in (${a}, ${b})`, () => {
      expect(between(idAt(a), idAt(x), idAt(b))).to.equal(expected);
    });
  }
});

describe('inHalfOpen', () => {
  it('gives every key to exactly one peer of a ring', () => {
    fc.assert(
      fc.property(fc.uniqueArray(ids, { minLength: 1, maxLength: 8 }), ids, (ring, key) => {
        const sorted = [...ring].sort();
        const owners = sorted.filter((id, at) => inHalfOpen(sorted.at(at - 1) ?? id, key, id));
        expect(owners).to.have.length(1);
        expect(owners[0]).to.equal(sorted.find((id) => id >= key) ?? sorted[0]);
      }),
    );
  });
});
