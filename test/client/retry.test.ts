import { expect } from 'chai';

import { type Clock, systemClock } from '../../src/base/clock.js';
import { type ErrorCode, errorCodes, PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { isBusy, isPassing, retrying } from '../../src/client/retry.js';
import { codeOf } from '../archive/support.js';

/** Time passes only by waiting, and then at once. */
function quickClock(): Clock & { timeMs: number } {
  return {
    timeMs: 0,
    nowMs() {
      return this.timeMs;
    },
    monotonicMs() {
      return this.timeMs;
    },
    setTimer(delayMs, action) {
      this.timeMs += delayMs;
      queueMicrotask(action);
      return { cancel: () => undefined };
    },
  };
}

describe('trying again', () => {
  const options = (clock: Clock, retryForMs = 30_000) => ({ clock, random: seededRandom(1), retryForMs });

  it('only what may pass is tried again', async () => {
    const passing: ErrorCode[] = [
      'BUSY',
      'NOT_RESPONSIBLE',
      'UNREACHABLE',
      'TIMEOUT',
      'TOO_FEW_COPIES',
      'UNSETTLED',
    ];
    for (const code of Object.keys(errorCodes) as ErrorCode[]) {
      let attempts = 0;
      const result = retrying(options(quickClock()), () => {
        attempts += 1;
        return attempts < 3 ? Promise.reject(new PeerStoreError(code, code)) : Promise.resolve('done');
      });
      expect(isPassing(new PeerStoreError(code, '')), code).to.equal(passing.includes(code));
      if (passing.includes(code)) expect(await result, code).to.equal('done');
      else expect(await codeOf(result)).to.equal(code);
    }
  });

  it('ends with the last failure when the time is up, after a last attempt then', async () => {
    const clock = quickClock();
    let attempts = 0;
    const failing = retrying(options(clock, 5_000), () => {
      attempts += 1;
      return Promise.reject(new PeerStoreError('BUSY', `attempt ${attempts}`));
    });
    expect(await codeOf(failing)).to.equal('BUSY');
    expect(clock.timeMs).to.equal(5_000);
    expect(attempts).to.be.within(5, 12);
  });

  it('waits as long as it was told to, and not for what comes after its time', async () => {
    const clock = quickClock();
    const at: number[] = [];
    await retrying(options(clock), () => {
      at.push(clock.timeMs);
      if (at.length > 1) return Promise.resolve();
      return Promise.reject(new PeerStoreError('BUSY', '', { retryAfterMs: 10_000 }));
    });
    expect(at[1]).to.be.within(7_000, 13_000);
    const late = new PeerStoreError('BUSY', '', { retryAfterMs: 60_000 });
    const before = clock.timeMs;
    expect(await codeOf(retrying(options(clock), () => Promise.reject(late)))).to.equal('BUSY');
    expect(clock.timeMs).to.equal(before);
  });

  it('stops when it is cancelled, before an attempt and while it waits', async () => {
    const stop = new AbortController();
    const base = { ...options(systemClock), signal: stop.signal };
    let attempts = 0;
    const waiting = retrying(base, () => {
      attempts += 1;
      return Promise.reject(new PeerStoreError('BUSY', '', { retryAfterMs: 20_000 }));
    });
    setImmediate(() => stop.abort());
    expect(await codeOf(waiting)).to.equal('CANCELLED');
    expect(await codeOf(retrying(base, () => Promise.resolve((attempts += 1))))).to.equal('CANCELLED');
    expect(attempts).to.equal(1);
  });

  it('takes the caller for what may pass', async () => {
    const unreachable = new PeerStoreError('UNREACHABLE', '');
    expect(await codeOf(retrying(options(quickClock()), () => Promise.reject(unreachable), isBusy))).to.equal(
      'UNREACHABLE',
    );
  });
});
