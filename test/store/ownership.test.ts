import { expect } from 'chai';
import fc from 'fast-check';

import { limits } from '../../src/base/limits.js';
import { hasCode } from '../../src/base/errors.js';
import {
  believed,
  isActive,
  isWanted,
  merged,
  type Ownership,
  released,
  touched,
} from '../../src/store/ownership.js';
import { owned } from './exchange.conformance.js';
import { alice, blockOf, bob } from './store.conformance.js';

const nowMs = 1_700_000_000_000;
const owners = ['a', 'b', 'c', 'd'].map((text) => blockOf(text).id).sort();

const aTime = fc.integer({ min: 0, max: 9 });
const someOwnerships: fc.Arbitrary<readonly Ownership[]> = fc
  .subarray(owners)
  .chain((some) =>
    fc.tuple(...some.map((owner) => fc.tuple(aTime, aTime).map(([t, r]) => owned(owner, t, r)))),
  );

describe('ownerships', () => {
  const merge = (a: readonly Ownership[], b: readonly Ownership[]): readonly Ownership[] =>
    merged(a, b, nowMs);

  it('merge to the same in any order, and as often as one likes', () =>
    fc.assert(
      fc.property(someOwnerships, someOwnerships, someOwnerships, (a, b, c) => {
        expect(merge(a, b)).to.deep.equal(merge(b, a));
        expect(merge(merge(a, b), c)).to.deep.equal(merge(a, merge(b, c)));
        const both = merge(a, b);
        expect(merge(both, b)).to.equal(both);
        expect(both.map(({ owner }) => owner)).to.deep.equal(both.map(({ owner }) => owner).sort());
      }),
    ));

  it('of which none is active anywhere do not make an owner together', () =>
    fc.assert(
      fc.property(someOwnerships, someOwnerships, (a, b) => {
        const isGone = (list: readonly Ownership[]): boolean => !list.some(isActive);
        if (isGone(a) && isGone(b)) expect(isGone(merge(a, b))).to.equal(true);
      }),
    ));

  it('keep a block that somebody owns, or nobody is known to have owned', () => {
    expect(isWanted([])).to.equal(true);
    expect(isWanted([owned(alice, 2, 1)])).to.equal(true);
    expect(isWanted([owned(alice, 2, 2)])).to.equal(false);
    expect(isWanted([owned(alice, 1, 2), owned(bob, 1)])).to.equal(true);
  });

  it('are released but for those touched since, and by whomever', () => {
    const both = [owned(alice, 5), owned(bob, 7)];
    expect(released(both, alice, 6, nowMs)).to.deep.equal({ ownerships: both, isReleased: false });
    expect(released(both, alice, 7, nowMs)).to.deep.equal({
      ownerships: [owned(alice, 5, 7), owned(bob, 7)],
      isReleased: true,
    });
    expect(released(both, owners[0]!, 9, nowMs)).to.deep.equal({ ownerships: both, isReleased: true });
  });

  describe('from clocks that are wrong', () => {
    const day = 86_400_000;
    const noon = 20_000 * day + day / 2;
    const midnight = noon + day / 2;
    /** The end of the day which a clock may show that is right but for `limits.clockSkewMs`. */
    const latest = midnight + limits.clockSkewMs;
    const aTimeAround = fc
      .tuple(fc.constantFrom(0, noon - day / 2, noon, midnight, latest, noon + 10 * day), fc.nat(3))
      .map(([ms, more]) => ms + more);
    const listAround = fc
      .subarray(owners)
      .chain((some) =>
        fc.tuple(
          ...some.map((owner) => fc.tuple(aTimeAround, aTimeAround).map(([t, r]) => owned(owner, t, r))),
        ),
      );

    it('are as many, active where they were, and are believed everywhere after that, also later', () =>
      fc.assert(
        fc.property(
          listAround,
          fc.integer({ min: -limits.clockSkewMs, max: 3 * day }),
          (list, differenceMs) => {
            const seen = believed(list, noon);
            expect(seen.map(isActive)).to.deep.equal(list.map(isActive));
            expect(believed(seen, noon)).to.equal(seen);
            const changed = seen.filter((one, at) => one !== list[at]);
            // One behind a release that is just believed has to come after it.
            if (changed.every((one) => one.touchedAtMs <= latest && one.releasedAtMs <= midnight))
              expect(believed(changed, noon + differenceMs)).to.equal(changed);
          },
        ),
      ));

    it('count as today: a touch for all of the day, a release for nothing of it', () => {
      const list = [
        owned(owners[0]!, latest + 1),
        owned(owners[1]!, 5, latest + 1),
        owned(owners[2]!, latest + 2, latest + 1),
        owned(owners[3]!, latest, latest),
      ];
      expect(believed(list, noon)).to.deep.equal([
        owned(owners[0]!, midnight),
        owned(owners[1]!, 5, midnight - day),
        owned(owners[2]!, midnight, midnight - day),
        owned(owners[3]!, latest, latest),
      ]);
    });

    it('are put right by a merge that brings nothing else', () => {
      const list = [owned(alice, latest + 1)];
      expect(merged(list, [], noon)).to.deep.equal([owned(alice, midnight)]);
      expect(merged(list, list, noon)).to.deep.equal([owned(alice, midnight)]);
    });

    it('can be released when the day is over, though it was tried before', () => {
      let list: readonly Ownership[] = [owned(alice, noon + 1000 * day)];
      for (const [atMs, isReleased] of [
        [noon, false],
        [noon + 60_000, false],
        [midnight, true],
      ] as const) {
        const answer = released(list, alice, atMs, atMs);
        expect(answer.isReleased).to.equal(isReleased);
        list = answer.ownerships;
      }
    });
  });

  describe('as many as a block may have', () => {
    const old = nowMs - limits.tombstoneMs;
    const newcomer = blockOf('newcomer').id;

    /** All of them active but for the first ones. */
    function full(...releases: readonly number[]): readonly Ownership[] {
      return Array.from({ length: limits.ownersPerBlock }, (_, at) => blockOf(`owner ${at}`).id)
        .sort()
        .map((owner, at) => owned(owner, at < releases.length ? 1 : nowMs, releases[at] ?? 0));
    }

    it('make room where a release is older than tombstones live: the oldest one goes', () => {
      const before = full(old, old - 1, old - 2, old - 1);
      const after = touched(before, newcomer, nowMs, nowMs);
      expect(after).to.have.length(limits.ownersPerBlock);
      const left = new Set(after.map(({ owner }) => owner));
      expect(before.filter(({ owner }) => !left.has(owner))).to.deep.equal([before[2]]);
    });

    it('take no more where none is as old', () => {
      const before = full(old, old);
      try {
        touched(before, newcomer, nowMs, nowMs);
        expect.fail('was taken');
      } catch (error) {
        expect(hasCode(error, 'PROTOCOL')).to.equal(true);
      }
      expect(touched(before, before[0]!.owner, nowMs, nowMs)).to.have.length(limits.ownersPerBlock);
    });
  });
});
