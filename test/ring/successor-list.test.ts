import { expect } from 'chai';
import fc from 'fast-check';

import { isOrdered, listBehind } from '../../src/ring/successor-list.js';
import { idAt, peerAt } from './fixtures.js';

describe('a successor list', () => {
  for (const [owner, places, expected] of [
    [5, [], true],
    [5, [6, 7, 9], true],
    [5, [9, 2, 4], true],
    [5, [6, 6], false],
    [5, [7, 6], false],
    [5, [9, 5], false],
    [5, [9, 2, 6], false],
    [5, [5], false],
  ] as const) {
    it(`of ${owner} reading ${places.join(' ') || 'nothing'} is ${expected ? 'in order' : 'refused'}`, () => {
      expect(isOrdered(idAt(owner), places.map(peerAt))).to.equal(expected);
    });
  }

  it('built behind a head is in order, begins with it, and is no longer than asked', () => {
    const places = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(
        places,
        places,
        fc.array(places, { maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        (owner, head, tail, length) => {
          fc.pre(owner !== head);
          const list = listBehind(idAt(owner), peerAt(head), tail.map(peerAt), length);
          expect(list[0]?.id).to.equal(idAt(head));
          expect(list.length).to.be.at.most(length);
          expect(isOrdered(idAt(owner), list)).to.equal(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('ends before it comes back to its owner', () => {
    expect(listBehind(idAt(1), peerAt(2), [3, 0, 1, 2].map(peerAt), 9).map(({ id }) => id)).to.deep.equal(
      [2, 3, 0].map(idAt),
    );
  });
});
