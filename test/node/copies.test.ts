import { expect } from 'chai';

import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { type AtHolder, Copies, failureOf as failureText, TooFew } from '../../src/node/copies.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { Deferred } from '../wire/helpers.js';

/** How holders behave, by their place; without a word here, they answer at once. */
type Way = 'never' | { readonly fails: ErrorCode; readonly afterMs?: number } | { readonly slowMs: number };

class Stage {
  readonly clock = new VirtualClock();
  readonly slow: number[] = [];
  readonly copies = new Copies({
    clock: this.clock,
    random: seededRandom(1),
    onSlow: ({ id }) => this.slow.push(parseInt(id, 16)),
  });
  readonly asked: number[] = [];
  readonly calledOff: number[] = [];

  atHolder(ways: Readonly<Record<number, Way>>): AtHolder<string> {
    return (holder, signal) => {
      const place = parseInt(holder.id, 16);
      this.asked.push(place);
      const way = ways[place];
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          this.calledOff.push(place);
          reject(new PeerStoreError('CANCELLED', 'called off'));
        });
        if (way === 'never') return;
        if (way === undefined) resolve(`by ${place}`);
        else if ('fails' in way) {
          const fail = (): void => reject(new PeerStoreError(way.fails, `${way.fails} at ${place}`));
          if (way.afterMs === undefined) fail();
          else this.clock.setTimer(way.afterMs, fail);
        } else this.clock.setTimer(way.slowMs, () => resolve(`late ${place}`));
      });
    };
  }

  run(
    ways: Readonly<Record<number, Way>>,
    options: { candidates?: number; wanted?: number; all?: boolean; signal?: AbortSignal } = {},
  ): Promise<readonly string[]> {
    const { candidates = 6, wanted = 3, all = false } = options;
    return this.copies.run({
      candidates: Array.from({ length: candidates }, (_, at) => peerAt(at + 1)),
      wanted,
      majority: Math.floor(wanted / 2) + 1,
      atHolder: this.atHolder(ways),
      isEnough: () => !all,
      signal: options.signal ?? new AbortController().signal,
      onFailure: () => undefined,
    });
  }

  async failure(work: Promise<unknown>): Promise<unknown> {
    return this.clock.run(work.catch((error: unknown) => error));
  }
}

const codeOf = (error: unknown, majority = 2): string =>
  error instanceof TooFew ? failureText('doing it', error, majority).code : (error as PeerStoreError).code;

describe('node/copies', () => {
  it('asks as many holders as are wanted, the first ones, at once', async () => {
    const stage = new Stage();
    expect(await stage.clock.run(stage.run({}, { all: true }))).to.deep.equal(['by 1', 'by 2', 'by 3']);
    expect(stage.asked).to.deep.equal([1, 2, 3]);
  });

  it('says which holder keeps a copy waiting, and nothing of those that answered in time', async () => {
    const stage = new Stage();
    await stage.clock.run(stage.run({ 2: 'never', 3: { slowMs: limits.copySlowMs - 1 } }));
    await stage.clock.runFor(limits.copySlowMs);
    expect(stage.slow).to.deep.equal([2]);
  });

  it('a majority is enough for a write; what the others do later does not change its answer', async () => {
    const stage = new Stage();
    const done = await stage.clock.run(stage.run({ 2: { slowMs: 100 } }));
    expect(done).to.deep.equal(['by 1', 'by 3']);
    await stage.clock.run(stage.copies.settle(1000));
    expect(done).to.deep.equal(['by 1', 'by 3']);
    expect(stage.calledOff).to.deep.equal([]);
  });

  it('a question waits for all that are wanted', async () => {
    const stage = new Stage();
    const done = await stage.clock.run(stage.run({ 1: { slowMs: 100 } }, { all: true }));
    expect(done).to.deep.equal(['by 2', 'by 3', 'late 1']);
  });

  it('where one cannot be reached the next one stands in, as long as there is one', async () => {
    const stage = new Stage();
    const dead: Way = { fails: 'UNREACHABLE' };
    expect(await stage.clock.run(stage.run({ 1: dead, 3: dead, 4: dead }, { all: true }))).to.have.members([
      'by 2',
      'by 5',
      'by 6',
    ]);
    const few = await stage.failure(stage.run({ 1: dead, 2: dead, 3: dead, 4: dead, 5: dead }));
    expect(codeOf(few)).to.equal('TOO_FEW_COPIES');
    expect((few as TooFew).done).to.equal(1);
  });

  it('nobody stands in for a holder that refuses the value', async () => {
    const stage = new Stage();
    const no: Way = { fails: 'CONFLICT' };
    expect(codeOf(await stage.failure(stage.run({ 1: no, 2: no })))).to.equal('CONFLICT');
    expect(stage.asked).to.deep.equal([1, 2, 3]);
    expect(await stage.clock.run(stage.run({ 1: no }))).to.deep.equal(['by 2', 'by 3']);
  });

  it('does not wait for the last when refusals have decided', async () => {
    const stage = new Stage();
    const no: Way = { fails: 'CONFLICT' };
    expect(codeOf(await stage.failure(stage.run({ 1: no, 2: no, 3: 'never' })))).to.equal('CONFLICT');
  });

  it('tells of full disks rather than of unreachable peers', async () => {
    const stage = new Stage();
    const ways: Record<number, Way> = { 1: { fails: 'NO_SPACE' } };
    for (let place = 2; place <= 6; place += 1) ways[place] = { fails: 'UNREACHABLE' };
    expect(codeOf(await stage.failure(stage.run(ways)))).to.equal('NO_SPACE');
  });

  it('asks a busy holder again a few times, then goes on to the next', async () => {
    const stage = new Stage();
    expect(await stage.clock.run(stage.run({ 1: { fails: 'BUSY' } }, { all: true }))).to.deep.equal([
      'by 2',
      'by 3',
      'by 4',
    ]);
    expect(stage.asked.filter((place) => place === 1)).to.have.length(limits.copyBusyRetries + 1);
  });

  it('ends at once, with all that is under way, when the caller gives up', async () => {
    const stage = new Stage();
    const caller = new AbortController();
    const ways = { 1: 'never', 2: 'never' } as const;
    const failure = stage.run(ways, { signal: caller.signal }).catch((error: unknown) => error);
    await stage.clock.runFor(10);
    caller.abort();
    expect(codeOf(await failure)).to.equal('CANCELLED');
    expect(stage.calledOff).to.deep.equal([1, 2]);
    expect(stage.asked).to.deep.equal([1, 2, 3]);
    expect(codeOf(await stage.failure(stage.run({}, { signal: caller.signal })))).to.equal('CANCELLED');
    expect(stage.asked).to.have.length(3);
  });

  it('a caller that goes after its answer does not call the late copies off', async () => {
    const stage = new Stage();
    const caller = new AbortController();
    await stage.clock.run(stage.run({ 3: { slowMs: 50 } }, { signal: caller.signal }));
    caller.abort();
    await stage.clock.run(stage.copies.settle(1000));
    expect(stage.calledOff).to.deep.equal([]);
  });

  it('copies to a peer that was found dead are given up, and somebody stands in', async () => {
    const stage = new Stage();
    const done = stage.run({ 1: 'never', 2: 'never' });
    await stage.clock.runFor(10);
    stage.copies.giveUpOn(peerAt(1).id);
    expect(await stage.clock.run(done)).to.deep.equal(['by 3', 'by 4']);
    expect(stage.calledOff).to.deep.equal([1]);
  });

  it('when too many copies are late, the next write waits for one of them', async () => {
    const stage = new Stage();
    for (let at = 0; at < limits.copiesUnderWay; at += 1) await stage.clock.run(stage.run({ 2: 'never' }), 0);
    let isDone = false;
    const next = stage.run({ 2: { slowMs: 500 } }).then(() => {
      isDone = true;
    });
    await stage.clock.runFor(499);
    expect(isDone).to.equal(false);
    await stage.clock.run(next, 10);
  });

  it('a stand-in that begins after the answer counts as late, too', async () => {
    const stage = new Stage();
    const ways = { 3: { fails: 'NO_SPACE', afterMs: 20 }, 4: 'never' } as const;
    for (let time = 0; time < limits.copiesUnderWay; time += 1) {
      await stage.clock.run(stage.run(ways, { candidates: 4 }));
      await stage.clock.runFor(30);
    }
    let isDone = false;
    void stage.run(ways, { candidates: 4 }).then(() => (isDone = true));
    await stage.clock.runFor(1_000);
    expect(isDone).to.equal(false);
  });

  it('settles when the last copy has ended, or gives up those that are left', async () => {
    const stage = new Stage();
    await stage.clock.run(
      stage.run({ 2: 'never', 3: { slowMs: 100 } }, { wanted: 3 }).catch(() => undefined),
    );
    const gate = new Deferred<void>();
    void stage.copies.settle(1000).then(() => gate.resolve());
    await stage.clock.runFor(999);
    expect(stage.calledOff).to.deep.equal([]);
    await stage.clock.run(gate.promise, 10);
    expect(stage.calledOff).to.deep.equal([2]);
  });

  it('nobody stands in any more once what is left was given up', async () => {
    const stage = new Stage();
    await stage.clock.run(stage.run({ 3: 'never', 4: 'never', 5: 'never' }));
    const later = stage.run({ 1: 'never', 2: 'never' }).catch((error: unknown) => error);
    await stage.clock.runFor(10);
    await stage.clock.run(stage.copies.settle(1000), 1010);
    expect(codeOf(await later)).to.equal('TOO_FEW_COPIES');
    expect(stage.asked).to.deep.equal([1, 2, 3, 1, 2, 3]);
    expect(codeOf(await stage.failure(stage.run({})))).to.equal('TOO_FEW_COPIES');
    expect(stage.asked).to.have.length(6);
  });

  it('nobody stands in any more once the value was refused', async () => {
    const stage = new Stage();
    const no: Way = { fails: 'CONFLICT' };
    const ways = { 1: no, 2: no, 3: { fails: 'UNREACHABLE', afterMs: 500 } } as const;
    expect(codeOf(await stage.failure(stage.run(ways)))).to.equal('CONFLICT');
    await stage.clock.runFor(2_000);
    expect(stage.asked).to.deep.equal([1, 2, 3]);
  });
});
