import { expect } from 'chai';

import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import { type Interval, Periodic } from '../../src/node/periodic.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { collectingLogger, Deferred } from '../wire/helpers.js';

const always = (pauseMs: number): Interval => ({ shortestMs: pauseMs, longestMs: pauseMs });

/** The pauses between the rounds that took no time, each within the jitter of what it should be. */
function expectPauses(times: readonly number[], pausesMs: readonly number[]): void {
  const pauses = times.map((time, at) => time - (times[at - 1] ?? 0));
  expect(pauses).to.have.length(pausesMs.length);
  for (const [at, pauseMs] of pausesMs.entries()) {
    expect(pauses[at], `pause ${at}`).to.be.within(0.7 * pauseMs, 1.3 * pauseMs);
  }
}

describe('node/periodic', () => {
  const random = seededRandom(1);

  it('repeats about every interval, the first time after one', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'noting', always(1000), () => {
      times.push(clock.monotonicMs());
      return Promise.resolve(false);
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
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'waiting', always(100), async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.setTimer(5000, resolve));
      running -= 1;
      return false;
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
    const periodic = new Periodic({ clock, random, log }, 'failing', always(100), () => {
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
    const gate = new Deferred<boolean>();
    let rounds = 0;
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'waiting', always(100), () => {
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
    gate.resolve(false);
    await stopped;
    await clock.runFor(5000);
    expect(rounds).to.equal(1);
  });

  it('without news its pause doubles up to the longest; with news it is the shortest again', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const newsAt = 5;
    const interval = { shortestMs: 1000, longestMs: 6000 };
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'noting', interval, () => {
      times.push(clock.monotonicMs());
      return Promise.resolve(times.length === newsAt);
    });
    periodic.start();
    await clock.runUntil('there were eight rounds', () => times.length === 8, 60_000);
    expectPauses(times, [1000, 2000, 4000, 6000, 6000, 1000, 2000, 4000]);
    await periodic.stop();
  });

  it('a failure is no news', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const interval = { shortestMs: 1000, longestMs: 4000 };
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'failing', interval, () => {
      times.push(clock.monotonicMs());
      return Promise.reject(new Error('no luck'));
    });
    periodic.start();
    await clock.runUntil('there were four rounds', () => times.length === 4, 60_000);
    expectPauses(times, [1000, 2000, 4000, 4000]);
    await periodic.stop();
  });

  it('woken while it waits, it comes after the shortest pause, however often it is woken', async () => {
    const clock = new VirtualClock();
    const times: number[] = [];
    const interval = { shortestMs: 1000, longestMs: 60_000 };
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'noting', interval, () => {
      times.push(clock.monotonicMs());
      return Promise.resolve(false);
    });
    periodic.start();
    await clock.runFor(200_000);
    const before = times.length;
    for (let time = 0; time < 20; time += 1) {
      periodic.wake();
      await clock.runFor(100);
    }
    expect(times.length - before).to.be.within(1, 2);
    await periodic.stop();
    periodic.wake();
    await clock.runFor(200_000);
    expect(times.length - before).to.be.within(1, 2);
  });

  it('woken during a round, another one follows after the shortest pause', async () => {
    const clock = new VirtualClock();
    const gate = new Deferred<boolean>();
    let rounds = 0;
    const interval = { shortestMs: 100, longestMs: Infinity };
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'waiting', interval, () => {
      rounds += 1;
      return rounds === 1 ? gate.promise : Promise.resolve(false);
    });
    periodic.start();
    await clock.runFor(200);
    periodic.wake();
    gate.resolve(false);
    await clock.runFor(200);
    expect(rounds).to.equal(2);
    await periodic.stop();
  });

  it('without a longest pause it rests until it is woken, and then tries until it succeeds', async () => {
    const clock = new VirtualClock();
    let rounds = 0;
    let isBroken = false;
    const interval = { shortestMs: 100, longestMs: Infinity };
    const periodic = new Periodic({ clock, random, log: silentLogger }, 'saving', interval, () => {
      rounds += 1;
      return isBroken ? Promise.reject(new Error('the disk is full')) : Promise.resolve(false);
    });
    periodic.start();
    await clock.runFor(1000);
    const { events } = clock;
    await clock.runFor(3_600_000);
    expect(rounds).to.equal(1);
    expect(clock.events, 'no timer').to.equal(events);
    isBroken = true;
    periodic.wake();
    await clock.runFor(60_000);
    expect(rounds).to.be.within(6, 12);
    isBroken = false;
    await clock.runFor(600_000);
    const mended = rounds;
    await clock.runFor(3_600_000);
    expect(rounds).to.equal(mended);
    await periodic.stop();
  });
});
