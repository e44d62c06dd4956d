import { expect } from 'chai';

import type { Clock } from '../../src/base/clock.js';
import { TokenBucket } from '../../src/base/token-bucket.js';
import { throttled } from '../../src/client/throttle.js';
import type { Transport } from '../../src/wire/transport.js';
import { codeOf } from '../archive/support.js';

/** A clock whose timers fire when the test has nothing else to do. */
class QuickClock implements Clock {
  timeMs = 0;
  #timers: { atMs: number; action: () => void }[] = [];

  nowMs(): number {
    return this.timeMs;
  }
  monotonicMs(): number {
    return this.timeMs;
  }
  setTimer(delayMs: number, action: () => void): { cancel: () => void } {
    const timer = { atMs: this.timeMs + delayMs, action };
    this.#timers.push(timer);
    setImmediate(() => this.#fire());
    return { cancel: () => (this.#timers = this.#timers.filter((one) => one !== timer)) };
  }
  #fire(): void {
    const next = this.#timers.sort((a, b) => a.atMs - b.atMs).shift();
    if (next === undefined) return;
    this.timeMs = Math.max(this.timeMs, next.atMs);
    next.action();
  }
}

const reply = (length: number): Transport['call'] =>
  (() => Promise.resolve({ response: {}, body: new Uint8Array(length) })) as never;
const transportOf = (call: Transport['call']): Transport => ({
  call,
  listen: () => Promise.reject(new Error('not in this test')),
  close: () => Promise.resolve(),
});
const peer = { address: '127.0.0.1:1' };
const id = '0'.repeat(64) as never;

describe('rates', () => {
  it('the bytes that pass in a long time are the rate times the time, whatever their pieces', async () => {
    for (const pieceBytes of [1, 999, 1000, 1001, 10_000]) {
      const clock = new QuickClock();
      const bucket = new TokenBucket(clock, 1000);
      const pieces = Math.ceil(20_000 / pieceBytes);
      for (let at = 0; at < Math.min(pieces, 50); at += 1) await bucket.take(pieceBytes);
      const passed = Math.min(pieces, 50) * pieceBytes;
      expect(clock.timeMs, `${pieceBytes}`).to.be.closeTo(Math.max(0, passed - 250), 1);
    }
  });

  it('those who come together pass in their order', async () => {
    const clock = new QuickClock();
    const bucket = new TokenBucket(clock, 1000);
    const order: string[] = [];
    const take = async (name: string, bytes: number): Promise<void> => {
      await bucket.take(bytes);
      order.push(`${name} ${clock.timeMs}`);
    };
    await Promise.all([take('large', 2250), take('small', 1), take('last', 999)]);
    expect(order).to.deep.equal(['large 2000', 'small 2001', 'last 3000']);
  });

  it('bodies are counted, each way by its own rate, and nothing else is', async () => {
    const clock = new QuickClock();
    const slow = throttled(transportOf(reply(4000)), clock, {
      uploadBytesPerS: 1000,
      downloadBytesPerS: 2000,
    });
    await slow.call(peer, 'getBlock', { id });
    expect(clock.timeMs).to.equal(1750);
    const onlyUp = throttled(transportOf(reply(4000)), clock, { uploadBytesPerS: 1000 });
    await onlyUp.call(peer, 'getBlock', { id });
    expect(clock.timeMs).to.equal(1750);
    await onlyUp.call(peer, 'postBlock', { id }, { body: new Uint8Array(1250) });
    expect(clock.timeMs).to.equal(2750);
  });

  it('without a rate the transport is the one that was given', () => {
    const transport = transportOf(reply(0));
    expect(throttled(transport, new QuickClock(), {})).to.equal(transport);
  });

  it('who waits can be interrupted', async () => {
    const clock = new QuickClock();
    const bucket = new TokenBucket(clock, 1);
    const stop = new AbortController();
    const waiting = bucket.take(1_000_000, stop.signal);
    stop.abort();
    expect(await codeOf(waiting)).to.equal('CANCELLED');
  });
});
