import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { Confirmations } from '../../src/archive/confirmations.js';
import { readAhead } from '../../src/archive/read-ahead.js';
import { Room } from '../../src/archive/room.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { collect } from './support.js';

/** Lets everything go on that does not wait for the test. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const idOf = (value: number): Id => hashToId(Buffer.from(String(value)));

describe('room', () => {
  it('is given in the order of asking, when it is there', async () => {
    const room = new Room(10);
    const got: string[] = [];
    const take = (name: string, sizeBytes: number) => room.take(sizeBytes).then(() => got.push(name));
    const all = Promise.all([take('a', 6), take('b', 5), take('c', 1)]);
    await settle();
    expect(got).to.deep.equal(['a']);
    room.release(6);
    await all;
    expect(got).to.deep.equal(['a', 'b', 'c']);
  });

  it('is given to what is larger than all of it, alone', async () => {
    const room = new Room(10);
    await room.take(1);
    let isIn = false;
    const large = room.take(50).then(() => (isIn = true));
    await settle();
    expect(isIn).to.equal(false);
    room.release(1);
    await large;
    room.release(50);
    await room.take(10);
  });

  it('rejects all who wait, and who come later, after a failure', async () => {
    const room = new Room(10);
    await room.take(10);
    const waiting = Promise.allSettled([room.take(1), room.take(2)]);
    room.fail(new Error('no more'));
    expect((await waiting).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect((await Promise.allSettled([room.take(1)]))[0].status).to.equal('rejected');
  });
});

describe('confirmations', () => {
  it('ask once for each block, many in a request, and never more than a request may hold', async () => {
    const requests: number[] = [];
    const confirmations = new Confirmations({
      has: async (ids) => {
        requests.push(ids.length);
        await settle();
        return ids.map((id) => id !== idOf(7));
      },
      put: () => Promise.resolve({ isNew: true }),
    });
    const count = 3 * limits.hasBlocksIds;
    const ask = () => Promise.all(Array.from({ length: count }, (_, at) => confirmations.ask(idOf(at))));
    const [answers] = await Promise.all([ask(), ask()]);
    expect(answers.filter((isStored) => !isStored).length).to.equal(1);
    expect(requests.reduce((sum, size) => sum + size, 0)).to.equal(count);
    expect(requests.length).to.be.at.most(4);
    requests.length = 0;
    await ask();
    expect(requests, 'only what was not there is asked for again').to.deep.equal([1]);
  });

  it('reject with the error of the sink, and can be asked again', async () => {
    let failures = 1;
    const confirmations = new Confirmations({
      has: (ids) =>
        failures-- > 0 ? Promise.reject(new Error('no peer')) : Promise.resolve(ids.map(() => true)),
      put: () => Promise.resolve({ isNew: true }),
    });
    const message = await confirmations.ask(idOf(1)).catch((error: unknown) => (error as Error).message);
    expect(message).to.equal('no peer');
    expect(await confirmations.ask(idOf(1))).to.equal(true);
  });
});

describe('reading ahead', () => {
  async function* numbers(count: number): AsyncGenerator<number> {
    for (let at = 0; at < count; at += 1) yield await Promise.resolve(at);
  }

  it('gives results in order, and starts no more than its bound', async () => {
    let running = 0;
    let most = 0;
    const start = async (item: number): Promise<number> => {
      most = Math.max(most, (running += 1));
      for (let turns = 10 - item; turns > 0; turns -= 1) await Promise.resolve();
      running -= 1;
      return item;
    };
    expect(await collect(readAhead(numbers(10), start, () => 1, 3))).to.deep.equal([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    expect(most).to.equal(3);
  });

  it('throws an error at its place, and lets a consumer leave early', async () => {
    const start = (item: number): Promise<number> =>
      item === 2 ? Promise.reject(new Error('two')) : Promise.resolve(item);
    const seen: number[] = [];
    try {
      for await (const item of readAhead(numbers(5), start, () => 1, 10)) seen.push(item);
    } catch (error) {
      expect((error as Error).message).to.equal('two');
    }
    expect(seen).to.deep.equal([0, 1]);
    for await (const _ of readAhead(numbers(5), start, () => 1, 10)) break;
  });
});
