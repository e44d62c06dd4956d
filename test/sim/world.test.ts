import { expect } from 'chai';

import { aloneState, type RingState } from '../../src/ring/state.js';
import { peerAt } from '../ring/fixtures.js';
import { grow } from './scenarios/grow.js';
import { brokenRules, whyNotIdeal } from './rules.js';
import type { Member } from './shape.js';
import { VirtualClock } from './virtual-clock.js';

/** A member at a place with its predecessor and its list; `dead` ones have crashed. */
const member = (place: number, predecessor: number | null, list: readonly number[], alive = true): Member => {
  const state: RingState = {
    self: peerAt(place),
    predecessor: predecessor === null ? null : peerAt(predecessor),
    successors: list.map(peerAt),
  };
  return { state, alive };
};
const ideal = [member(1, 9, [4, 9]), member(4, 1, [9, 1]), member(9, 4, [1, 4])];

describe('sim: virtual time', () => {
  it('fires timers in the order of their times, then of their setting, each after all that the last one caused', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const note = (what: string) => () => {
      seen.push(`${what} at ${clock.monotonicMs()}`);
      void Promise.resolve()
        .then(() => undefined)
        .then(() => seen.push(`then ${what}`));
    };
    clock.setTimer(20, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(10, note('b'));
    clock.setTimer(15, note('never')).cancel();
    await clock.runFor(19);
    expect(seen).to.deep.equal(['a at 10', 'then a', 'b at 10', 'then b']);
    expect(clock.monotonicMs()).to.equal(19);
    await clock.runFor(1);
    expect(seen.slice(4)).to.deep.equal(['c at 20', 'then c']);
  });

  it('keeps the order of a thousand timers', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    for (let at = 0; at < 1000; at += 1)
      clock.setTimer((at * 7919) % 1009, () => times.push(clock.monotonicMs()));
    await clock.runFor(2000);
    expect(times).to.have.length(1000);
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it('gives up on what does not come about', async () => {
    const clock = new VirtualClock();
    const failure = await clock.runUntil('pigs fly', () => false, 1000).catch((error: unknown) => error);
    expect(String(failure)).to.contain('pigs fly');
    expect(clock.monotonicMs()).to.equal(1000);
  });
});

describe('sim: the rules', () => {
  const broken = (members: readonly Member[]): string[] => [...brokenRules(members).keys()];

  it('hold in an ideal ring, in a ring of one, and where nobody is', () => {
    for (const members of [ideal, [{ state: aloneState(peerAt(3)), alive: true }], []]) {
      expect(broken(members)).to.deep.equal([]);
      expect(whyNotIdeal(members, 16)).to.equal(undefined);
    }
  });

  it('hold with appendages, dead entries and stale lists, which are not ideal', () => {
    const members = [...ideal, member(6, 4, [9, 1]), member(2, 1, [3, 4, 9]), member(3, null, [4], false)];
    expect(broken(members)).to.deep.equal([]);
    expect(whyNotIdeal(members, 16)).to.be.a('string');
  });

  for (const [name, members] of [
    ['oneLiveSuccessor', [...ideal, member(5, 4, [6]), member(6, 5, [9], false)]],
    ['orderedSuccessorLists', [...ideal, member(5, 4, [1, 9])]],
    ['noDuplicates', [...ideal, member(5, 4, [9, 9])]],
    ['atMostOneRing', [...ideal, member(5, 6, [6]), member(6, 5, [5])]],
    ['orderedRing', [member(1, 9, [9]), member(9, 4, [4]), member(4, 1, [1])]],
    ['connectedAppendages', [...ideal, member(5, 4, [6]), member(6, 5, [9], false)]],
    ['atLeastOneRing', [member(1, 2, [3]), member(2, 1, [3]), member(3, null, [], false)]],
  ] as const) {
    it(`${name} is found broken`, () => {
      expect(broken(members)).to.include(name);
    });
  }

  it('an ideal ring has full lists, up to their length, and every predecessor', () => {
    expect(whyNotIdeal([member(1, 9, [4]), ...ideal.slice(1)], 16)).to.contain('another length');
    expect(whyNotIdeal([member(1, 9, [4]), member(4, 1, [9]), member(9, 4, [1])], 1)).to.equal(undefined);
    expect(whyNotIdeal([member(1, null, [4, 9]), ...ideal.slice(1)], 16)).to.contain('predecessor');
  });
});

describe('sim: one seed', () => {
  it('decides everything: the same seed gives the same trace, another one another', async () => {
    const [one, again, other] = [
      await grow.run({ seed: 7, peers: 8 }),
      await grow.run({ seed: 7, peers: 8 }),
      await grow.run({ seed: 8, peers: 8 }),
    ];
    expect(one.figures).to.deep.equal(again.figures);
    expect(one.figures.trace).not.to.equal(other.figures.trace);
  });

  for (const seed of [4, 13, 20, 33]) {
    it(`grow keeps the rules with crashes on the way (seed ${seed})`, async () => {
      const { violations } = await grow.run({ seed, peers: 14 });
      expect(violations).to.deep.equal([]);
    });
  }
});
