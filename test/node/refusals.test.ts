import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { Refusals } from '../../src/node/repair/refusals.js';
import { idFromNumber } from '../../src/ring/identifier.js';
import { VirtualClock } from '../sim/virtual-clock.js';

describe('who had no room lately', () => {
  const peer = idFromNumber(1n);
  let clock: VirtualClock;
  let refusals: Refusals;

  beforeEach(() => {
    clock = new VirtualClock();
    refusals = new Refusals(clock);
  });

  it('is remembered for a while, or until it takes something', async () => {
    expect(refusals.refused(peer, true)).to.equal(true);
    expect(refusals.refused(peer, true)).to.equal(false);
    await clock.runFor(limits.refusalMemoryMs - 1);
    expect(refusals.isRefusing(peer)).to.equal(true);
    await clock.runFor(1);
    expect(refusals.isRefusing(peer)).to.equal(false);
    expect(refusals.refused(peer, true)).to.equal(true);
    refusals.accepted(peer);
    expect(refusals.isRefusing(peer)).to.equal(false);
  });

  it('is offered a single value ever more seldom', async () => {
    expect(refusals.mayTry(peer)).to.equal(true);
    refusals.refused(peer, true);
    const triedAfterS: number[] = [];
    for (let atS = 0; atS <= 1200; atS += 30) {
      if (refusals.mayTry(peer)) {
        triedAfterS.push(atS);
        expect(refusals.mayTry(peer)).to.equal(false);
        refusals.refused(peer, true);
      }
      await clock.runFor(30_000);
    }
    expect(triedAfterS).to.deep.equal([30, 90, 210, 450, 750, 1050]);
  });

  it('is offered the next value at once where the one before could not be read', async () => {
    refusals.refused(peer, true);
    await clock.runFor(limits.refusalTrialMs);
    expect(refusals.mayTry(peer)).to.equal(true);
    expect(refusals.mayTry(peer)).to.equal(false);
    refusals.wasNotTried(peer);
    expect(refusals.mayTry(peer)).to.equal(true);
  });

  it('is stood in for, and may have as much as it can keep, where its disk fails', () => {
    refusals.refused(peer, false);
    expect(refusals.isRefusing(peer)).to.equal(true);
    expect(refusals.mayTry(peer)).to.equal(true);
    expect(refusals.mayTry(peer)).to.equal(true);
  });
});
