import { expect } from 'chai';
import fc from 'fast-check';

import { Circle, first } from '../../src/ring/circle.js';
import type { Id } from '../../src/ring/identifier.js';
import { idAt } from './fixtures.js';

describe('ring/circle', () => {
  const places = fc.uniqueArray(fc.integer({ min: 0, max: 40 }));

  it('reads round the circle in both directions, whatever was added and removed', () => {
    fc.assert(
      fc.property(places, places, fc.integer({ min: 0, max: 40 }), (added, removed, place) => {
        const circle = new Circle<Id>((id) => id);
        for (const at of added) circle.add(idAt(at));
        for (const at of removed) {
          expect(circle.remove(idAt(at))).to.equal(added.includes(at) ? idAt(at) : undefined);
        }
        const left = added.filter((at) => !removed.includes(at)).sort((a, b) => a - b);
        const behind = [...left.filter((at) => at > place), ...left.filter((at) => at <= place)];
        const before = [...left.filter((at) => at >= place), ...left.filter((at) => at < place)].reverse();
        expect([...circle.after(idAt(place))]).to.deep.equal(behind.map(idAt));
        expect([...circle.before(idAt(place))]).to.deep.equal(before.map(idAt));
        expect(circle.size).to.equal(left.length);
        expect(circle.get(idAt(place))).to.equal(left.includes(place) ? idAt(place) : undefined);
        expect(left.map((_, number) => circle.at(number))).to.deep.equal(left.map(idAt));
      }),
    );
  });

  it('has the ends of the identifiers side by side', () => {
    const lowest = '0'.repeat(64) as Id;
    const highest = 'f'.repeat(64) as Id;
    const circle = new Circle<Id>((id) => id);
    for (const id of [highest, lowest]) circle.add(id);
    expect([...circle.after(highest)]).to.deep.equal([lowest, highest]);
    expect([...circle.before(lowest)]).to.deep.equal([highest, lowest]);
  });

  it('takes no more than there is', () => {
    expect(first(0, [1, 2])).to.deep.equal([]);
    expect(first(1, [1, 2])).to.deep.equal([1]);
    expect(first(3, [1, 2])).to.deep.equal([1, 2]);
  });
});
