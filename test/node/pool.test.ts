import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { type Lane, WorkerPool } from '../../src/node/pool.js';
import { Deferred, failureOf } from '../wire/helpers.js';

const lanes: readonly Lane[] = ['replica', 'client'];
const call = (bodyBytes = 0, signal = new AbortController().signal) => ({
  body: new Uint8Array(new ArrayBuffer(bodyBytes)),
  signal,
});
/** Lets promise jobs run. */
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Fills a lane: its workers and its queue. */
function fill(
  pool: WorkerPool,
  lane: Lane,
  requests: number,
): { release: () => void; done: Promise<unknown> } {
  const gate = new Deferred<void>();
  const all = Array.from({ length: requests }, () => pool.run(lane, call(), () => gate.promise));
  return { release: () => gate.resolve(), done: Promise.all(all) };
}

describe('node/pool', () => {
  for (const lane of lanes) {
    it(`${lane}: runs as many as there are workers, queues as many as fit, refuses the next with a hint`, async () => {
      const pool = new WorkerPool({ workers: 2, queueLength: 3 });
      const { release, done } = fill(pool, lane, 5);
      await soon();
      expect(pool.status()).to.deep.equal({ running: 2, waiting: 3, refused: 0 });
      const refusal = await failureOf(pool.run(lane, call(), () => 1));
      expect(refusal.code).to.equal('BUSY');
      expect(refusal.retryAfterMs).to.equal(limits.busyRetryAfterMs);
      expect(pool.status().refused).to.equal(1);
      release();
      await done;
      expect(await pool.run(lane, call(), () => 1)).to.equal(1);
    });
  }

  it('a full lane leaves the others free', async () => {
    const pool = new WorkerPool({ workers: 1, queueLength: 1 });
    const { release, done } = fill(pool, 'client', 2);
    expect(await pool.run('replica', call(), () => 'copy')).to.equal('copy');
    expect(await pool.run('ring', call(), () => 'ring')).to.equal('ring');
    release();
    await done;
  });

  it('without a queue, takes what has a worker and no more', async () => {
    const pool = new WorkerPool({ workers: 1, queueLength: 0 });
    const { release, done } = fill(pool, 'client', 1);
    expect((await failureOf(pool.run('client', call(), () => 1))).code).to.equal('BUSY');
    release();
    await done;
  });

  it('holds no more bytes of bodies than its bound, over all lanes, and gives them back', async () => {
    const pool = new WorkerPool({ workers: 100, queueLength: 100 });
    const gate = new Deferred<void>();
    const blocks = limits.requestBodyBytesInFlight / limits.blockBytes;
    const held = Array.from({ length: blocks }, (_, at) =>
      pool.run(lanes[at % 2]!, call(limits.blockBytes), () => gate.promise),
    );
    expect((await failureOf(pool.run('client', call(1), () => 1))).code).to.equal('BUSY');
    expect(await pool.run('client', call(0), () => 'small')).to.equal('small');
    gate.resolve();
    await Promise.all(held);
    expect(await pool.run('client', call(limits.blockBytes), () => 'fits')).to.equal('fits');
  });

  it('gives bytes and worker back when the work fails', async () => {
    const pool = new WorkerPool({ workers: 1, queueLength: 0 });
    for (let time = 0; time < 20; time += 1) {
      const failure = await pool
        .run('client', call(limits.blockBytes), () => Promise.reject(new Error('no')))
        .catch((error: unknown) => error);
      expect(failure).to.be.an('error');
    }
    expect(pool.status().running).to.equal(0);
  });

  it('a request whose caller gave up while it waited leaves the queue at once, and never runs', async () => {
    const pool = new WorkerPool({ workers: 1, queueLength: 1 });
    const { release, done } = fill(pool, 'client', 1);
    const caller = new AbortController();
    let ran = false;
    const waiting = failureOf(
      pool.run('client', call(10, caller.signal), () => {
        ran = true;
      }),
    );
    await soon();
    expect(pool.status().waiting).to.equal(1);
    caller.abort();
    expect((await waiting).code).to.equal('CANCELLED');
    expect(pool.status().waiting).to.equal(0);
    const next = pool.run('client', call(), () => 'next');
    release();
    await done;
    expect(await next).to.equal('next');
    expect(ran).to.equal(false);
  });

  it('work that has begun ends in its own way, and keeps its worker until then', async () => {
    const pool = new WorkerPool({ workers: 1, queueLength: 1 });
    const { release, done } = fill(pool, 'client', 1);
    const caller = new AbortController();
    const gate = new Deferred<string>();
    const begun = pool.run('client', call(0, caller.signal), () => gate.promise);
    release();
    await done;
    await soon();
    caller.abort();
    await soon();
    expect(pool.status().running).to.equal(1);
    gate.resolve('done');
    expect(await begun).to.equal('done');
  });
});
