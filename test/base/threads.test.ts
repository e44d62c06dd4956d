import { expect } from 'chai';

import { Threads } from '../../src/base/threads.js';

const child = new URL('./threads-child.js', import.meta.url);
const weightBytes = 1;

describe('threads', () => {
  const open: Threads[] = [];
  const failures: unknown[] = [];

  /** Threads that run a module; not started. */
  function make(module = child, count = 2): Threads {
    const threads = new Threads({ module, count, onStartFailed: (error) => failures.push(error) });
    open.push(threads);
    return threads;
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
  }

  async function started(count = 2): Promise<Threads> {
    const threads = make(child, count);
    threads.start();
    await until(() => threads.isFree);
    return threads;
  }

  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      (error: unknown) => (error as { code: string }).code,
    );

  afterEach(async () => {
    await Promise.all(open.splice(0).map((threads) => threads.close()));
    failures.length = 0;
  });

  it('give each job its own answer, however many there are', async () => {
    const threads = await started();
    const asked = Array.from({ length: 500 }, (_, at) => {
      const bytes = Uint8Array.of(at % 100, 1);
      return threads.run<Uint8Array>('double', bytes, { transfer: [bytes.buffer], weightBytes: 10_000 });
    });
    const answers = await Promise.all(asked);
    expect(answers.map((bytes) => [...bytes])).to.deep.equal(answers.map((_, at) => [2 * (at % 100), 2]));
    expect(threads.isFree).to.equal(true);
  });

  it('take memory over', async () => {
    const threads = await started();
    const bytes = new Uint8Array(1000);
    await threads.run('double', bytes, { transfer: [bytes.buffer], weightBytes });
    expect(bytes.length).to.equal(0);
  });

  it('reject with what a job throws, with its code, and go on', async () => {
    const threads = await started(1);
    const refused = threads.run('refuse', 'room', { weightBytes });
    const done = threads.run<Uint8Array>('double', Uint8Array.of(3), { weightBytes });
    expect(await codeOf(refused)).to.equal('NO_SPACE');
    expect([...(await done)]).to.deep.equal([6]);
  });

  it('are not free before they are up, nor with more to do than they can', async () => {
    const threads = make();
    expect(threads.isFree).to.equal(false);
    threads.start();
    expect(threads.isFree).to.equal(false);
    await until(() => threads.isFree);
    const jobs = Array.from({ length: 100 }, () =>
      threads.run('double', Uint8Array.of(1), { weightBytes: 1_000_000 }),
    );
    expect(threads.isFree).to.equal(false);
    await Promise.all(jobs);
    expect(threads.isFree).to.equal(true);
  });

  it('reject every job, under way and to come, when one of them dies', async () => {
    const threads = await started();
    const jobs = Array.from({ length: 200 }, () =>
      threads.run('double', Uint8Array.of(1), { weightBytes: 1_000_000 }),
    );
    const dying = threads.run('die', 3, { weightBytes });
    const codes = await Promise.all([...jobs, dying].map(codeOf));
    expect(codes.at(-1)).to.equal('INTERNAL');
    expect(new Set(codes)).to.have.property('size').at.most(2);
    expect(threads.isFree, 'whoever has work hears of it').to.equal(true);
    expect(await codeOf(threads.run('double', Uint8Array.of(1), { weightBytes }))).to.equal('INTERNAL');
  });

  it('reject what is not done when they are ended', async () => {
    const threads = await started();
    const jobs = Array.from({ length: 200 }, () =>
      threads.run('double', Uint8Array.of(1), { weightBytes: 1_000_000 }),
    );
    const codes = Promise.all(jobs.map(codeOf));
    await threads.close();
    expect(await codes).to.include('CANCELLED');
    expect(await codeOf(threads.run('double', Uint8Array.of(1), { weightBytes }))).to.equal('CANCELLED');
  });

  it('are never free when they cannot be started, and say so', async () => {
    const threads = make(new URL('./no-such-module.js', import.meta.url));
    threads.start();
    await until(() => failures.length === 2);
    expect(threads.isFree).to.equal(false);
  });

  it('do nothing before they are started, and start once', async () => {
    const threads = make(new URL('./no-such-module.js', import.meta.url), 1);
    threads.start();
    threads.start();
    await until(() => failures.length > 0);
    await threads.close();
    expect(failures).to.have.length(1);
  });
});
