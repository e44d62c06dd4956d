import { expect } from 'chai';

import { sleep, systemClock, withTimeout } from '../../src/base/clock.js';
import { hasCode } from '../../src/base/errors.js';

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('the clock', () => {
  it('calls a timer once, and a cancelled one never', async () => {
    const calls: string[] = [];
    systemClock.setTimer(1, () => calls.push('kept'));
    systemClock.setTimer(1, () => calls.push('cancelled')).cancel();
    await sleep(systemClock, 20);
    expect(calls).to.deep.equal(['kept']);
  });

  it('has a monotonic side that never goes back', () => {
    let before = systemClock.monotonicMs();
    for (let step = 0; step < 1000; step += 1) {
      const now = systemClock.monotonicMs();
      expect(now).to.be.at.least(before);
      before = now;
    }
  });
});

describe('sleep', () => {
  it('ends with CANCELLED when its signal fires, before or while it waits', async () => {
    const controller = new AbortController();
    const waiting = failureOf(sleep(systemClock, 60_000, controller.signal));
    controller.abort();
    expect(hasCode(await waiting, 'CANCELLED')).to.equal(true);
    expect(hasCode(await failureOf(sleep(systemClock, 60_000, controller.signal)), 'CANCELLED')).to.equal(
      true,
    );
  });
});

describe('withTimeout', () => {
  it('gives the result of work that ends in time', async () => {
    expect(await withTimeout(systemClock, 60_000, 'work', () => Promise.resolve(7))).to.equal(7);
  });

  it('passes on the failure of the work', async () => {
    const failure = await failureOf(
      withTimeout(systemClock, 60_000, 'work', () => Promise.reject(new Error('no'))),
    );
    expect(failure).to.be.instanceOf(Error).with.property('message', 'no');
  });

  it('ends with TIMEOUT, names the work, and tells it to stop', async () => {
    let told = false;
    const failure = await failureOf(
      withTimeout(systemClock, 5, 'the work', (signal) => {
        signal.addEventListener('abort', () => (told = true));
        return new Promise(() => undefined);
      }),
    );
    expect(hasCode(failure, 'TIMEOUT') && failure.message).to.include('the work');
    expect(told).to.equal(true);
  });
});
