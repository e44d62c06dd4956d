import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import type { RingState } from '../../src/ring/state.js';
import { peerAt } from '../ring/fixtures.js';
import { PrincipalWatch } from './principal-watch.js';
import { principals } from './principals.js';

const pointers = (self: number, predecessor: number | null, list: readonly number[]): RingState => ({
  self: peerAt(self),
  predecessor: predecessor === null ? null : peerAt(predecessor),
  successors: list.map(peerAt),
});

describe('sim: principals while the ring changes', () => {
  let watch: PrincipalWatch;
  let nowMs: number;
  const told = (id: Id, after: RingState | undefined, isInside = true): string[] => {
    nowMs += 1000;
    watch.changed({
      id,
      before: undefined,
      after,
      isUp: after !== undefined,
      isInside,
      isLeaving: false,
      atMs: nowMs,
    });
    return [...watch.broken()].map(({ rule }) => rule);
  };
  const is = (state: RingState, isInside = true): string[] => told(state.self.id, state, isInside);
  /** More peers have been there than a list names. */
  const comeMany = (): void => {
    for (let place = 20; place < 40; place += 1) told(peerAt(place).id, undefined);
  };

  beforeEach(() => {
    watch = new PrincipalWatch();
    nowMs = 0;
  });

  it('are the members whom nobody skips, and stay it', () => {
    comeMany();
    is(pointers(1, 9, [4, 9]));
    is(pointers(4, 1, [9, 1]));
    is(pointers(9, 4, [1, 4]));
    expect(watch.count).to.equal(3);
    expect(is(pointers(6, 4, [9, 1]))).to.deep.equal([]);
    expect(watch.count, 'nobody names the newcomer yet').to.equal(3);
    expect(is(pointers(1, 9, [9]))).to.deep.equal(['principalsStay']);
    expect(told(peerAt(9).id, undefined)).to.deep.equal([]);
    expect(watch.count).to.equal(1);
  });

  it('a ring of one claims that there is nobody else', () => {
    is(pointers(3, null, []));
    expect(is(pointers(7, null, []))).to.include.members(['principalsStay', 'sufficientPrincipals']);
  });

  it('may be skipped by an answer that was on its way when the last one ceased to skip them', () => {
    comeMany();
    is(pointers(1, 9, [9]));
    is(pointers(4, 1, [9, 1]));
    is(pointers(9, 4, [1, 4]));
    is(pointers(1, 9, [4, 9]));
    nowMs -= 999;
    expect(is(pointers(2, 1, [9, 1]))).to.deep.equal([]);
    is(pointers(2, 1, [4, 9, 1]));
    expect(watch.hasOther(peerAt(9).id)).to.equal(true);
    expect(is(pointers(2, 1, [9, 1]))).to.deep.equal(['principalsStay']);
  });

  it('are all members of a ring that has never been longer than a list', () => {
    is(pointers(3, null, []));
    is(pointers(3, 7, [7]));
    is(pointers(7, 3, [3]));
    expect(is(pointers(5, 3, [3]), false)).to.deep.equal(['principalsStay', 'everybodyIsPrincipal']);
  });

  it('a newcomer is none before it is inside', () => {
    is(pointers(3, null, []));
    is(pointers(3, 7, [7]));
    expect(is(pointers(7, 3, [3]), false)).to.deep.equal([]);
    expect(watch.count).to.equal(1);
    is(pointers(7, 3, [3]));
    expect(watch.count).to.equal(2);
  });

  it('are counted right however the ring changes', () => {
    const random = seededRandom(1);
    const live = new Map<Id, RingState>();
    for (let step = 0; step < 3_000; step += 1) {
      const places = Array.from({ length: random.below(5) }, () => random.below(12));
      const state = pointers(random.below(12), random.below(3) === 0 ? null : random.below(12), places);
      const { id } = state.self;
      if (random.below(4) === 0) {
        live.delete(id);
        told(id, undefined);
      } else {
        live.set(id, state);
        is(state);
      }
      expect(watch.count, `step ${step}`).to.equal(principals({ live }).length);
    }
  });
});
