import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { LocalHealth } from '../../src/node/local-health.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { lateClock } from './late-clock.js';

describe('node/local-health', () => {
  it('one silent peer says nothing about us; several do, up to a bound, when nobody answers', async () => {
    const clock = new VirtualClock();
    const health = new LocalHealth(clock);
    expect(health.multiplier).to.equal(1);
    for (let time = 0; time < 20; time += 1) health.unanswered(peerAt(1).id);
    expect(health.multiplier).to.equal(1);
    for (let place = 2; place < 20; place += 1) {
      health.unanswered(peerAt(place).id);
      expect(health.multiplier).to.equal(Math.min(place, limits.healthMultiplierMax));
    }
    health.answered();
    expect(health.multiplier).to.equal(1);
    await clock.runFor(limits.healthAnswerMs);
    expect(health.multiplier).to.equal(1);
  });

  it('an answer counts for a while, whoever is silent in the meantime', async () => {
    const clock = new VirtualClock();
    const health = new LocalHealth(clock);
    health.answered();
    for (let place = 1; place < 5; place += 1) health.unanswered(peerAt(place).id);
    await clock.runFor(limits.healthAnswerMs - 1);
    expect(health.multiplier).to.equal(1);
    await clock.runFor(1);
    expect(health.multiplier).to.equal(4);
  });

  for (const lateMs of [0, limits.healthLateMs - 1, limits.healthLateMs, 60_000]) {
    it(`a timer that is ${lateMs} ms late is ${lateMs < limits.healthLateMs ? 'no pause' : 'a pause'}`, async () => {
      const clock = new VirtualClock();
      const health = new LocalHealth(clock);
      const watched = health.watching(lateClock(clock, () => lateMs));
      let hasFired = false;
      watched.setTimer(100, () => {
        hasFired = true;
      });
      await clock.runFor(100 + lateMs);
      const wasPaused = lateMs >= limits.healthLateMs;
      expect(hasFired).to.equal(true);
      expect(health.wasPausedSince(0)).to.equal(wasPaused);
      expect(health.multiplier).to.equal(wasPaused ? limits.healthMultiplierMax : 1);
      await clock.runFor(limits.healthPauseMs);
      expect(health.multiplier).to.equal(1);
      expect(health.wasPausedSince(100 + lateMs)).to.equal(false);
    });
  }
});
