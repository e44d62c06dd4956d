import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { RingState } from '../../src/ring/state.js';
import { peerAt } from '../ring/fixtures.js';
import { claimsOf, Principals } from './skips.js';

const state = (self: number, predecessor: number | null, list: readonly number[]): RingState => ({
  self: peerAt(self),
  predecessor: predecessor === null ? null : peerAt(predecessor),
  successors: list.map(peerAt),
});

describe('sim: principals', () => {
  it('are the members whom nobody skips', () => {
    const principals = new Principals();
    for (const one of [state(1, 9, [4, 9]), state(4, 1, [9, 1]), state(9, 4, [1, 4])]) {
      principals.update(one.self.id, one);
    }
    expect(principals.settle()).to.deep.equal([]);
    expect(principals.count).to.equal(3);
    // A newcomer that nobody names yet skips nobody, and is skipped.
    principals.update(peerAt(6).id, state(6, 4, [9, 1]));
    expect(principals.settle()).to.deep.equal([]);
    expect(principals.count).to.equal(3);
    principals.update(peerAt(1).id, state(1, 9, [9]));
    expect(principals.settle()).to.deep.equal([peerAt(4).id]);
    principals.update(peerAt(9).id, undefined);
    expect(principals.settle()).to.deep.equal([]);
    expect(principals.count).to.equal(1);
  });

  it('a ring of one claims that there is nobody else', () => {
    const principals = new Principals();
    for (const at of [3, 7]) principals.update(peerAt(at).id, state(at, null, []));
    principals.settle();
    expect(principals.count).to.equal(0);
  });

  it('are counted right however the ring changes', () => {
    const random = seededRandom(1);
    const principals = new Principals();
    const live = new Map<Id, RingState>();
    for (let step = 0; step < 3_000; step += 1) {
      const places = Array.from({ length: random.below(5) }, () => random.below(12));
      const changed = state(random.below(12), random.below(3) === 0 ? null : random.below(12), places);
      const { id } = changed.self;
      const isGone = random.below(4) === 0;
      principals.update(id, isGone ? undefined : changed);
      if (isGone) live.delete(id);
      else live.set(id, changed);
      principals.settle();
      const claims = [...live.values()].flatMap(claimsOf);
      const expected = [...live.keys()].filter((one) => !claims.some(([a, b]) => between(a, one, b)));
      expect(principals.count, `step ${step}`).to.equal(expected.length);
    }
  });
});
