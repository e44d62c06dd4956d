import { getMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';

import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { silentLogger } from '../../src/base/log.js';
import { hashToId } from '../../src/ring/identifier.js';
import { Connection } from '../../src/wire/connection.js';
import { memberBounds } from '../../src/wire/frame-parser.js';
import { ConnectionPool } from '../../src/wire/pool.js';
import type { Endpoint, IncomingCall, Outcome } from '../../src/wire/transport.js';
import { peerIdentity } from './certificates.js';
import { Deferred, dispatchWith, failureOf, memoryFor, pipe, settled } from './helpers.js';
import { ManualClock } from './manual-clock.js';

const a: Endpoint = { address: 'a:1' };
const b: Endpoint = { address: 'b:1' };
const c: Endpoint = { address: 'c:1' };

describe('a pool of connections', () => {
  let clock: ManualClock;
  /** The addresses that were connected to, in order. */
  let made: string[];
  let streams: Duplex[];
  let calls: IncomingCall[];
  let handle: (call: IncomingCall) => Promise<Outcome<never>>;
  let gate: Promise<unknown>;
  let pool: ConnectionPool;

  const connect = async (to: Endpoint): Promise<Connection> => {
    made.push(to.address);
    await gate;
    const [near, far] = pipe();
    streams.push(near);
    const common = { clock, log: silentLogger, bounds: memberBounds, memory: memoryFor() };
    const dispatch = dispatchWith((call) => {
      calls.push(call);
      return handle(call);
    });
    const far1 = {
      ...common,
      stream: far,
      remote: 'caller:1',
      identity: peerIdentity('x'),
      idleMs: 90_000,
      dispatch,
    };
    new Connection(far1);
    return new Connection({
      ...common,
      stream: near,
      remote: to.address,
      identity: peerIdentity('y'),
      idleMs: 60_000,
    });
  };

  beforeEach(() => {
    clock = new ManualClock();
    made = [];
    streams = [];
    calls = [];
    gate = Promise.resolve();
    handle = () => Promise.resolve({ response: {} as never });
    pool = new ConnectionPool({ clock, connect, maxConnections: 2 });
  });

  afterEach(() => pool.close());

  it('makes one connection for concurrent calls, also while it is being made', async () => {
    const opened = new Deferred<undefined>();
    gate = opened.promise;
    const all = [pool.call(a, 'ping', {}, {}), pool.call(a, 'ping', {}, {})];
    await settled();
    opened.resolve(undefined);
    await Promise.all(all);
    await pool.call(a, 'ping', {}, {});
    expect(made).to.deep.equal(['a:1']);
  });

  it('keeps connections to one address apart by the identifier that was expected', async () => {
    await pool.call(a, 'ping', {}, {});
    await pool.call({ ...a, id: hashToId(new Uint8Array(1)) }, 'ping', {}, {});
    expect(made).to.have.length(2);
  });

  it('may make all of its connections at once: as many listen to its end', () => {
    let signal: AbortSignal | undefined;
    const never = (_: Endpoint, end: AbortSignal): Promise<Connection> => {
      signal = end;
      return new Promise(() => undefined);
    };
    const large = new ConnectionPool({ clock, connect: never, maxConnections: 40 });
    void large.call(a, 'ping', {}, {});
    expect(getMaxListeners(signal!)).to.be.at.least(40);
  });

  it('makes a connection again after it broke', async () => {
    await pool.call(a, 'ping', {}, {});
    streams[0]!.destroy();
    await settled();
    expect(pool.size).to.equal(0);
    await pool.call(a, 'ping', {}, {});
    expect(made).to.have.length(2);
  });

  it('repeats a call on a new connection when the old one broke before the request was written', async () => {
    await pool.call(a, 'ping', {}, {});
    const call = pool.call(a, 'ping', {}, {});
    // In the same turn: the request is queued, and not yet written.
    streams[0]!.emit('close');
    await call;
    expect(made).to.have.length(2);
    expect(calls).to.have.length(2);
  });

  it('never repeats a call that may have been carried out', async () => {
    handle = () => new Promise(() => undefined);
    const failure = failureOf(pool.call(a, 'ping', {}, {}));
    await settled();
    expect(calls).to.have.length(1);
    streams[0]!.destroy();
    expect((await failure).code).to.equal('UNREACHABLE');
    await settled();
    expect(calls).to.have.length(1);
    expect(made).to.have.length(1);
  });

  it('gives every waiting call the error of a connection that cannot be made, and tries again later', async () => {
    gate = Promise.reject(new PeerStoreError('UNREACHABLE', 'nobody there'));
    const failures = [failureOf(pool.call(a, 'ping', {}, {})), failureOf(pool.call(a, 'ping', {}, {}))];
    for (const failure of failures) expect((await failure).message).to.equal('nobody there');
    expect(made).to.have.length(1);
    gate = Promise.resolve();
    await pool.call(a, 'ping', {}, {});
  });

  it('ends a call at its deadline while the connection is being made, and lets the others wait', async () => {
    const opened = new Deferred<undefined>();
    gate = opened.promise;
    const controller = new AbortController();
    const late = failureOf(pool.call(a, 'ping', {}, { timeoutMs: 10 }));
    const cancelled = failureOf(pool.call(a, 'ping', {}, { signal: controller.signal }));
    const patient = pool.call(a, 'ping', {}, { timeoutMs: 1000 });
    clock.advance(10);
    controller.abort();
    expect((await late).code).to.equal('TIMEOUT');
    expect((await cancelled).code).to.equal('CANCELLED');
    opened.resolve(undefined);
    await patient;
    expect(calls).to.have.length(1);
  });

  it('counts the time of connecting against the deadline of the call', async () => {
    handle = () => new Promise(() => undefined);
    const opened = new Deferred<undefined>();
    gate = opened.promise;
    const failure = failureOf(pool.call(a, 'ping', {}, { timeoutMs: 100 }));
    clock.advance(60);
    opened.resolve(undefined);
    await settled();
    clock.advance(40);
    expect((await failure).code).to.equal('TIMEOUT');
  });

  it('closes the connection that was least recently used when it is full', async () => {
    await pool.call(a, 'ping', {}, {});
    await pool.call(b, 'ping', {}, {});
    await pool.call(a, 'ping', {}, {});
    await pool.call(c, 'ping', {}, {});
    expect(pool.size).to.equal(2);
    await pool.call(a, 'ping', {}, {});
    expect(made).to.deep.equal(['a:1', 'b:1', 'c:1']);
    await pool.call(b, 'ping', {}, {});
    expect(made).to.deep.equal(['a:1', 'b:1', 'c:1', 'b:1']);
  });

  it('answers BUSY when it is full and all are in use', async () => {
    handle = () => new Promise(() => undefined);
    const waiting = [a, b].map((to) => pool.call(to, 'ping', {}, {}).catch(() => undefined));
    await settled();
    const error = await failureOf(pool.call(c, 'ping', {}, {}));
    expect(error.code).to.equal('BUSY');
    expect(error.retryAfterMs).to.be.greaterThan(0);
    await pool.close();
    await Promise.all(waiting);
  });

  it('forgets connections that were idle', async () => {
    await pool.call(a, 'ping', {}, {});
    clock.advance(30_000);
    expect(pool.size).to.equal(1);
    clock.advance(30_000);
    await settled();
    expect(pool.size).to.equal(0);
  });

  it('ends calls that wait for a connection with CANCELLED when it is closed', async () => {
    const opened = new Deferred<undefined>();
    gate = opened.promise;
    const failure = failureOf(pool.call(a, 'ping', {}, {}));
    await settled();
    const closed = pool.close();
    opened.resolve(undefined);
    await closed;
    expect((await failure).code).to.equal('CANCELLED');
    expect((await failureOf(pool.call(a, 'ping', {}, {}))).code).to.equal('CANCELLED');
  });
});
