import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { Rate } from '../../src/node/repair/rate.js';
import { HandClock } from '../store/store.conformance.js';

describe('node/repair/rate', () => {
  let clock: HandClock;
  let rate: Rate;

  beforeEach(() => {
    clock = new HandClock();
    rate = new Rate(clock);
  });

  it('is not known before anything was counted, nor within the first second', () => {
    expect(rate.bytesPerS).to.equal(null);
    rate.add(1000);
    expect(rate.bytesPerS).to.equal(null);
    clock.ms += 999;
    expect(rate.bytesPerS).to.equal(null);
    clock.ms += 1;
    expect(rate.bytesPerS).to.equal(1000);
  });

  it('is what was counted over the time since, however it came in', () => {
    for (let time = 0; time < 100; time += 1) {
      rate.add(10);
      clock.ms += 100;
    }
    expect(rate.bytesPerS).to.equal(100);
  });

  it('is that of the last while only, and not known when nothing has gone on for so long', () => {
    rate.add(1_000_000);
    clock.ms += limits.repairRateMs;
    expect(rate.bytesPerS).to.equal(null);
    rate.add(500);
    clock.ms += 5000;
    expect(rate.bytesPerS).to.equal(100);
  });
});
