import { getEventListeners } from 'node:events';
import type { Duplex } from 'node:stream';

import { expect } from 'chai';

import { concatBytes } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { hashToId, idToBytes } from '../../src/ring/identifier.js';
import { Connection } from '../../src/wire/connection.js';
import { encodeFrame, type FrameHeader } from '../../src/wire/frame.js';
import { FrameParser, memberBounds } from '../../src/wire/frame-parser.js';
import type { Identity } from '../../src/wire/identity.js';
import { BodyBudget } from '../../src/wire/incoming.js';
import { UnsentError } from '../../src/wire/outgoing.js';
import type { Dispatch, IncomingCall, Outcome } from '../../src/wire/transport.js';
import { peerIdentity } from './certificates.js';
import { collectingLogger, Deferred, dispatchWith, failureOf, pipe, settled } from './helpers.js';
import { ManualClock } from './manual-clock.js';

const id = hashToId(new Uint8Array(1));
const done: Outcome<never> = { response: {} };

describe('a connection', () => {
  let clock: ManualClock;
  let warnings: string[];
  let stream: Duplex;
  /** The other side, in the hands of the test, and the frames that it was sent. */
  let raw: Duplex;
  let received: { header: FrameHeader; body: Uint8Array }[];
  let budget: BodyBudget;

  const connect = (dispatch?: Dispatch, identity: Identity = peerIdentity('caller')): Connection => {
    const { log, lines } = collectingLogger('warn');
    warnings = lines;
    [stream, raw] = pipe();
    received = [];
    const parser = new FrameParser(memberBounds, {
      onHeader: () => true,
      onFrame: (header, body) => received.push({ header, body }),
    });
    raw.on('data', (chunk: Uint8Array) => parser.push(chunk));
    return new Connection({
      stream,
      clock,
      log,
      remote: 'other:1',
      identity,
      bounds: memberBounds,
      budget,
      idleMs: 60_000,
      ...(dispatch && { dispatch }),
    });
  };

  const send = (header: FrameHeader, body = new Uint8Array(0)): void => {
    raw.write(concatBytes(encodeFrame(header, body.length), body));
  };
  const request = (number: number, method = 'ping', params: unknown = {}): FrameHeader => ({
    kind: 'request',
    id: number,
    method,
    timeoutMs: 1000,
    params,
  });
  const postBlock = (number: number): FrameHeader => request(number, 'postBlock', { id: idToBytes(id) });
  const codes = (): string[] =>
    received.map(({ header }) => (header.kind === 'error' ? header.code : header.kind));

  beforeEach(() => {
    clock = new ManualClock();
    budget = new BodyBudget();
  });

  it('answers PROTOCOL to an unknown method, also one that objects have by nature, and goes on', async () => {
    const connection = connect(dispatchWith(() => Promise.resolve(done)));
    send(request(1, 'fly'));
    send(request(2, 'toString'));
    send(request(3));
    await settled();
    expect(codes()).to.deep.equal(['PROTOCOL', 'PROTOCOL', 'answer']);
    expect(connection.isOpen).to.equal(true);
  });

  it('checks the method, then the caller, then the request, then the length of the body', async () => {
    connect(
      dispatchWith(() => Promise.resolve(done)),
      { kind: 'stranger' },
    );
    const body = new Uint8Array(9);
    send(request(1, 'fly', 'wrong'), body);
    send(request(2, 'ping', 'wrong'), body);
    send(request(3, 'enroll', 'wrong'), body);
    await settled();
    expect(received.map(({ header }) => (header.kind === 'error' ? header.message : ''))).to.deep.equal([
      'there is no method "fly" in this version',
      'ping is not for a stranger',
      'enroll is not a map',
    ]);
    connect(dispatchWith(() => Promise.resolve(done)));
    send(request(1), body);
    send(request(2));
    await settled();
    expect(codes()).to.deep.equal(['PROTOCOL', 'answer']);
  });

  it('refuses requests beyond its limit with BUSY and a time to come back, and goes on', async () => {
    const release = new Deferred<Outcome<never>>();
    connect(dispatchWith(() => release.promise));
    for (let number = 1; number <= limits.requestsPerConnection; number += 1) send(request(number));
    await settled();
    expect(received).to.have.length(0);
    send(request(5000));
    await settled();
    expect(received.map(({ header }) => header)).to.deep.include({
      kind: 'error',
      id: 5000,
      code: 'BUSY',
      message: `${limits.requestsPerConnection} requests of this connection are in hand`,
      retryAfterMs: limits.busyRetryAfterMs,
    });
    release.resolve(done);
    await settled();
    send(request(5001));
    await settled();
    expect(received).to.have.length(limits.requestsPerConnection + 2);
  });

  it('refuses bodies beyond the memory of all connections with BUSY, and gives the memory back', async () => {
    budget = new BodyBudget(100);
    const release = new Deferred<Outcome<never>>();
    connect(dispatchWith(() => release.promise));
    send(postBlock(1), new Uint8Array(60));
    send(postBlock(2), new Uint8Array(41));
    await settled();
    expect(codes()).to.deep.equal(['BUSY']);
    release.resolve({ response: { isNew: true, copies: 1 } });
    await settled();
    send(postBlock(3), new Uint8Array(100));
    await settled();
    expect(codes()).to.deep.equal(['BUSY', 'answer', 'answer']);
  });

  it('forgets a request whose body is not there by its deadline, and goes on after that body', async () => {
    budget = new BodyBudget(100);
    const calls: IncomingCall[] = [];
    connect(
      dispatchWith((call) => {
        calls.push(call);
        return Promise.resolve({ response: { isNew: true, copies: 1 } as never });
      }),
    );
    raw.write(concatBytes(encodeFrame(postBlock(1), 100), new Uint8Array(50)));
    await settled();
    expect(budget.tryTake(1)).to.equal(false);
    clock.advance(1000);
    expect(budget.tryTake(100)).to.equal(true);
    budget.giveBack(100);
    raw.write(new Uint8Array(50));
    send(postBlock(2), new Uint8Array(1));
    await settled();
    expect(calls).to.have.length(1);
    expect(codes()).to.deep.equal(['answer']);
  });

  it('fires the signal of a handler at the deadline that the request named, and sends no answer', async () => {
    const calls: IncomingCall[] = [];
    const release = new Deferred<Outcome<never>>();
    connect(
      dispatchWith((call) => {
        calls.push(call);
        return release.promise;
      }),
    );
    send(request(1));
    await settled();
    clock.advance(999);
    expect(calls[0]!.signal.aborted).to.equal(false);
    clock.advance(1);
    expect(calls[0]!.signal.aborted).to.equal(true);
    release.resolve(done);
    await settled();
    expect(received).to.have.length(0);
  });

  it('fires the signals of its handlers when it breaks', async () => {
    const calls: IncomingCall[] = [];
    connect(
      dispatchWith((call) => {
        calls.push(call);
        return new Promise(() => undefined);
      }),
    );
    send(request(1));
    await settled();
    raw.destroy();
    await settled();
    expect(calls[0]!.signal.aborted).to.equal(true);
  });

  it('ends each call at its own deadline, in any order', async () => {
    const connection = connect();
    const ended: number[] = [];
    for (const timeoutMs of [50, 10, 30, 30, 5000]) {
      void connection.call('ping', {}, { timeoutMs }).catch(() => ended.push(timeoutMs));
    }
    for (const [advanceMs, expected] of [
      [9, []],
      [1, [10]],
      [20, [10, 30, 30]],
      [19, [10, 30, 30]],
      [1, [10, 30, 30, 50]],
    ] as const) {
      clock.advance(advanceMs);
      await settled();
      expect(ended).to.deep.equal(expected);
    }
    const cancels = received.filter(({ header }) => header.kind === 'cancel');
    expect(cancels.map(({ header }) => header.id)).to.deep.equal([2, 3, 4, 1]);
  });

  it('ignores answers that nobody waits for', async () => {
    const connection = connect();
    send({ kind: 'answer', id: 77, params: {} }, new Uint8Array(1000));
    send({ kind: 'error', id: 78, code: 'BUSY', message: '' });
    send({ kind: 'cancel', id: 79 });
    const call = connection.call('ping', {}, {});
    await settled();
    send({ kind: 'answer', id: 1, params: {} });
    expect((await call).response).to.deep.equal({});
    expect(warnings).to.deep.equal([]);
  });

  it('ends a call with PROTOCOL when its answer has a longer body than the method allows, and goes on', async () => {
    const connection = connect();
    const failure = failureOf(connection.call('ping', {}, {}));
    const other = connection.call('ping', {}, {});
    await settled();
    send({ kind: 'answer', id: 1, params: {} }, new Uint8Array(1));
    send({ kind: 'answer', id: 2, params: {} });
    expect((await failure).code).to.equal('PROTOCOL');
    await other;
  });

  it('listens to the signal of a call only as long as the call lasts', async () => {
    const connection = connect();
    const { signal } = new AbortController();
    const call = connection.call('ping', {}, { signal });
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    await settled();
    send({ kind: 'answer', id: 1, params: {} });
    await call;
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  it('carries out nothing that comes behind the end of the connection', async () => {
    let calls = 0;
    connect(
      dispatchWith(() => {
        calls += 1;
        return Promise.resolve(done);
      }),
    );
    const end = encodeFrame({ kind: 'error', id: 0, code: 'BUSY', message: 'bye' }, 0);
    raw.write(concatBytes(end, encodeFrame(request(1), 0)));
    await settled();
    expect(calls).to.equal(0);
  });

  it('gathers what is sent in one turn into one write', async () => {
    const connection = connect();
    let writes = 0;
    raw.on('data', () => (writes += 1));
    const calls = Array.from({ length: 64 }, () => connection.call('ping', {}, {}).catch(() => undefined));
    await settled();
    expect(received).to.have.length(64);
    expect(writes).to.equal(1);
    raw.destroy();
    await Promise.all(calls);
  });

  it('keeps calls back while too much is waiting to be written, and their deadlines go on', async () => {
    const connection = connect();
    raw.pause();
    const body = new Uint8Array(limits.blockBytes);
    const calls = [1, 2, 3].map(() => failureOf(connection.call('postBlock', { id }, { body })));
    await settled();
    expect(stream.writableLength).to.be.lessThan(2 * limits.blockBytes);
    clock.advance(60_000);
    for (const call of calls) expect((await call).code).to.equal('TIMEOUT');
  });

  it('says of calls whether they may have been carried out when it breaks', async () => {
    const connection = connect();
    const body = new Uint8Array(limits.blockBytes);
    raw.pause();
    const written = failureOf(connection.call('postBlock', { id }, { body }));
    await settled();
    const kept = failureOf(connection.call('ping', {}, {}));
    stream.destroy();
    const errors = [await written, await kept, await failureOf(connection.call('ping', {}, {}))];
    expect(errors.map((error) => error.code)).to.deep.equal(['UNREACHABLE', 'UNREACHABLE', 'UNREACHABLE']);
    expect(errors.map((error) => error instanceof UnsentError)).to.deep.equal([false, true, true]);
  });

  for (const [what, bytes] of [
    ['a wrong version', Uint8Array.of(9, 0, 0, 0)],
    ['a header that is too long', Uint8Array.of(1, 255, 255, 255, 0, 0, 0, 0)],
    ['a body that is too long', Uint8Array.of(1, 0, 0, 1, 255, 255, 255, 255)],
    ['a header that is no msgpack', Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 0, 0xc1)],
    ['a header of another shape', Uint8Array.of(1, 0, 0, 1, 0, 0, 0, 0, 0x80)],
    ['a request number that is taken', concatBytes(encodeFrame(request(8), 0), encodeFrame(request(8), 0))],
    ['the number of the connection itself', encodeFrame(request(0), 0)],
  ] as const) {
    it(`is closed by ${what}, with one line in the log and a word to the other side`, async () => {
      const connection = connect(dispatchWith(() => new Promise(() => undefined)));
      const failure = failureOf(connection.call('ping', {}, {}));
      await settled();
      received.length = 0;
      raw.write(bytes);
      raw.write(bytes);
      expect((await failure).code).to.equal('UNREACHABLE');
      await connection.closed;
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.contain('other:1');
      expect(received.map(({ header }) => [header.kind, header.id])).to.deep.equal([['error', 0]]);
    });
  }

  it('that ends inside a frame is closed with one line in the log', async () => {
    const connection = connect(dispatchWith(() => Promise.resolve(done)));
    raw.write(encodeFrame(request(1), 0).subarray(0, 11));
    await settled();
    raw.destroy();
    await connection.closed;
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain('inside a frame');
  });

  it('that ends between frames is closed without a line', async () => {
    const connection = connect(dispatchWith(() => Promise.resolve(done)));
    send(request(1));
    await settled();
    raw.end();
    await connection.closed;
    expect(warnings).to.deep.equal([]);
  });

  it('ends every call with the reason that the other side gives for refusing it', async () => {
    const connection = connect();
    const failure = failureOf(connection.call('ping', {}, {}));
    send({ kind: 'error', id: 0, code: 'NOT_ADMITTED', message: 'go away' });
    const error = await failure;
    expect([error.code, error.message]).to.deep.equal(['NOT_ADMITTED', 'go away']);
  });

  it('is closed when nothing was in flight for its idle time, and not before', async () => {
    const release = new Deferred<Outcome<never>>();
    const connection = connect(dispatchWith(() => release.promise));
    send({ ...request(1), timeoutMs: limits.requestTimeoutMaxMs } as FrameHeader);
    await settled();
    clock.advance(200_000);
    expect(connection.isOpen).to.equal(true);
    release.resolve(done);
    await settled();
    clock.advance(59_000);
    expect(connection.isOpen).to.equal(true);
    clock.advance(60_000);
    expect(connection.isOpen).to.equal(false);
    await connection.closed;
    expect(clock.timers).to.equal(0);
  });

  it('reads no more requests while its answers are not taken, and is closed when that lasts', async () => {
    let calls = 0;
    const connection = connect(
      dispatchWith(() => {
        calls += 1;
        return Promise.resolve({
          response: { sizeBytes: 1 } as never,
          body: new Uint8Array(limits.writeBufferBytes),
        });
      }),
    );
    raw.pause();
    for (let number = 1; number <= 20; number += 1) {
      send(request(number, 'getBlock', { id: idToBytes(id) }));
      await settled();
    }
    expect(calls).to.be.lessThan(4);
    clock.advance(2 * limits.writeStallMs);
    expect(connection.isOpen).to.equal(false);
    expect(warnings).to.have.length(1);
  });

  it('goes on reading when its answers are taken again', async () => {
    let calls = 0;
    connect(
      dispatchWith(() => {
        calls += 1;
        return Promise.resolve({
          response: { sizeBytes: 1 } as never,
          body: new Uint8Array(limits.writeBufferBytes),
        });
      }),
    );
    raw.pause();
    for (let number = 1; number <= 10; number += 1) send(request(number, 'getBlock', { id: idToBytes(id) }));
    await settled();
    raw.resume();
    for (let turn = 0; turn < 50 && received.length < 10; turn += 1) await settled();
    expect(calls).to.equal(10);
    expect(received).to.have.length(10);
  });

  it('refuses requests where nobody takes them', async () => {
    connect();
    send(request(1));
    await settled();
    expect(codes()).to.deep.equal(['FORBIDDEN']);
  });

  it('carries calls in both directions at once', async () => {
    const echo = dispatchWith(() => Promise.resolve(done));
    const [a, b] = pipe();
    const common = {
      clock,
      log: collectingLogger('warn').log,
      remote: 'other:1',
      identity: peerIdentity('x'),
      bounds: memberBounds,
      budget,
      idleMs: 60_000,
      dispatch: echo,
    };
    const [left, right] = [
      new Connection({ ...common, stream: a }),
      new Connection({ ...common, stream: b }),
    ];
    await Promise.all([left.call('ping', {}, {}), right.call('ping', {}, {}), left.call('ping', {}, {})]);
    await left.end(0);
    await right.closed;
  });
});
