import { expect } from 'chai';

import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import { Periodic } from '../../src/node/periodic.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { collectingLogger, Deferred } from '../wire/helpers.js';

describe('node/periodic', () => {
  const random = seededRandom(1);

  it('repeats about every interval, the first time after one', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'noting', 1000, () => {
      times.push(clock.monotonicMs());
      return Promise.resolve();
    });
    periodic.start();
    await clock.runFor(100_000);
    await periodic.stop();
    expect(times.length).to.be.within(85, 120);
    const gaps = times.map((time, at) => time - (times[at - 1] ?? 0));
    for (const gap of gaps) expect(gap).to.be.within(700, 1300);
    expect(new Set(gaps).size).to.be.greaterThan(50);
  });

  it('never runs twice at once', async () => {
    const clock = new VirtualClock();
    let running = 0;
    let most = 0;
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'waiting', 100, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.setTimer(5000, resolve));
      running -= 1;
    });
    periodic.start();
    await clock.runFor(30_000);
    expect(most).to.equal(1);
    await clock.run(periodic.stop());
  });

  it('goes on after a failure, and says it', async () => {
    const clock = new VirtualClock();
    const { log, lines } = collectingLogger('warn');
    let rounds = 0;
    const periodic = new Periodic({ clock, random, log }, 'failing', 100, () => {
      rounds += 1;
      return Promise.reject(new Error('no luck'));
    });
    periodic.start();
    await clock.runFor(1000);
    await periodic.stop();
    expect(rounds).to.be.greaterThan(5);
    expect(lines).to.have.length(rounds);
    expect(lines[0]).to.contain('no luck');
  });

  it('stops: waits for the round under way, and begins no other', async () => {
    const clock = new VirtualClock();
    const gate = new Deferred<void>();
    let rounds = 0;
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'waiting', 100, () => {
      rounds += 1;
      return gate.promise;
    });
    periodic.start();
    await clock.runFor(500);
    let isStopped = false;
    const stopped = periodic.stop().then(() => {
      isStopped = true;
    });
    await clock.runFor(500);
    expect(isStopped).to.equal(false);
    gate.resolve();
    await stopped;
    await clock.runFor(5000);
    expect(rounds).to.equal(1);
  });
});
