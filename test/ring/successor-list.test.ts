import { expect } from 'chai';
import fc from 'fast-check';

import { isOrdered, listBehind, listThrough } from '../../src/ring/successor-list.js';
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

  for (const [list, peer, tail, length, wanted] of [
    [[3, 5, 7, 9], 5, [8, 9, 1], 9, [3, 5, 8, 9, 1]],
    [[3, 5, 7, 9], 5, [8, 9, 1], 4, [3, 5, 8, 9]],
    [[3, 7, 9], 5, [7, 9], 9, [3, 5, 7, 9]],
    [[3, 7, 9], 5, [], 9, [3, 5]],
    [[3, 5], 9, [1, 2, 3], 9, [3, 5, 9, 1]],
    [[3, 5], 3, [4, 5, 6], 9, [3, 4, 5, 6]],
    [[], 3, [4], 9, [3, 4]],
  ] as const) {
    it(`of 2, which was ${list.join()}, is ${wanted.join()} when ${peer} says ${tail.join() || 'nothing'} (of ${length})`, () => {
      const made = listThrough(idAt(2), list.map(peerAt), peerAt(peer), tail.map(peerAt), length);
      expect(made).to.deep.equal(wanted.map(peerAt));
    });
  }
});
