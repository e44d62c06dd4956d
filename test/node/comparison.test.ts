import { expect } from 'chai';
import fc from 'fast-check';

import { utf8 } from '../../src/base/bytes.js';
import { sleep } from '../../src/base/clock.js';
import { hasCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import {
  answersOf,
  differences,
  type MarkedRange,
  type Side,
  type Theirs,
  waitedFor,
} from '../../src/node/repair/comparison.js';
import { hashToId } from '../../src/ring/identifier.js';
import { allKeys, isInRange, type KeyRange } from '../../src/ring/key-range.js';
import type { HeldFingerprint, KeyItem } from '../../src/store/store.js';
import { VirtualClock } from '../sim/virtual-clock.js';

/** Items in order, as a store shows them. */
class Items {
  readonly #items: readonly KeyItem[];

  constructor(names: Iterable<string>) {
    this.#items = [...new Set(names)].map(itemOf).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  items(range: KeyRange, limit: number): Promise<readonly KeyItem[]> {
    return Promise.resolve(this.#in(range).slice(0, limit));
  }

  fingerprint(range: KeyRange): Promise<HeldFingerprint> {
    const sum = new Uint8Array(16);
    const items = this.#in(range);
    for (const { digest } of items) for (const [at, byte] of digest.entries()) sum[at]! ^= byte;
    return Promise.resolve({ count: items.length, sum, held: items.length });
  }

  #in(range: KeyRange): readonly KeyItem[] {
    return this.#items.filter(({ id }) => isInRange(id, range));
  }
}

/** `name` or `name=state`: the same key with another digest. */
function itemOf(name: string): KeyItem {
  const [key = ''] = name.split('=');
  return {
    id: hashToId(utf8(key)),
    kind: 'block',
    digest: Buffer.from(hashToId(utf8(name)), 'hex').subarray(0, 16),
  };
}

/** Another holder, that counts what it is asked. */
class CountingSide implements Side {
  questions = 0;
  ranges = 0;
  listed = 0;
  readonly #items: Items;

  constructor(items: Items) {
    this.#items = items;
  }

  async compare(ranges: readonly MarkedRange[]) {
    this.questions += 1;
    this.ranges += ranges.length;
    const answers = await answersOf(this.#items, ranges);
    for (const { items = [] } of answers) this.listed += items.length;
    return answers;
  }
}

/** What each side has that the own store has not, and the other way round. */
async function found(
  own: Items,
  sides: readonly Side[],
): Promise<{ more: Set<string>; less: Set<string> }[]> {
  const results = sides.map(() => ({ more: new Set<string>(), less: new Set<string>() }));
  for await (const difference of differences(own, [allKeys], sides, (_, error) => {
    throw error;
  })) {
    for (const [at, theirs] of difference.theirs.entries()) {
      const names = (items: readonly KeyItem[]): string[] => items.map(nameOf);
      const mine = names(difference.own);
      const other = theirs === 'same' ? mine : names(listOf(theirs));
      for (const name of other) if (!mine.includes(name)) results[at]!.more.add(name);
      for (const name of mine) if (!other.includes(name)) results[at]!.less.add(name);
    }
  }
  return results;
}

function listOf(theirs: Theirs): readonly KeyItem[] {
  if (typeof theirs === 'string') throw new Error(`nothing is known: ${theirs}`);
  return theirs;
}

function nameOf({ id, digest }: KeyItem): string {
  return `${id} ${Buffer.from(digest).toString('hex')}`;
}

describe('a comparison of keys', () => {
  it('finds exactly what differs, of each side', async () => {
    const names = fc.array(
      fc.integer({ min: 0, max: 300 }).map((n) => `${n}${n % 3 === 0 ? '=x' : ''}`),
      {
        maxLength: 300,
      },
    );
    await fc.assert(
      fc.asyncProperty(names, names, names, async (mine, one, other) => {
        const results = await found(new Items(mine), [
          new CountingSide(new Items(one)),
          new CountingSide(new Items(other)),
        ]);
        for (const [at, theirs] of [one, other].entries()) {
          const has = (list: readonly string[]): Set<string> =>
            new Set(list.map((name) => nameOf(itemOf(name))));
          const [a, b] = [has(mine), has(theirs)];
          expect([...results[at]!.more].sort()).to.deep.equal([...b].filter((name) => !a.has(name)).sort());
          expect([...results[at]!.less].sort()).to.deep.equal([...a].filter((name) => !b.has(name)).sort());
        }
      }),
      { numRuns: 60 },
    );
  });

  it('asks once where nothing differs, and little where little does', async () => {
    const many = Array.from({ length: 20_000 }, (_, at) => `key ${at}`);
    const same = new CountingSide(new Items(many));
    await found(new Items(many), [same]);
    expect(same).to.include({ questions: 1, ranges: 1, listed: 0 });
    const other = new CountingSide(new Items([...many.slice(5), 'a', 'b', 'c', 'd', 'e']));
    const [result] = await found(new Items(many), [other]);
    expect([result!.more.size, result!.less.size]).to.deep.equal([5, 5]);
    expect(other.ranges).to.be.at.most(1 + 10 * 16 * 3);
    expect(other.listed).to.be.at.most(10 * limits.itemsOfRange);
  });

  it('goes on without a side that cannot be asked, or answers nonsense', async () => {
    const broken: Side[] = [
      { compare: () => Promise.reject(new PeerStoreError('UNREACHABLE', 'gone')) },
      { compare: () => Promise.resolve([{ kind: 'parts', parts: [] }]) },
      { compare: () => Promise.resolve([]) },
      { compare: () => Promise.resolve([{ kind: 'items' }]) },
    ];
    const lost: number[] = [];
    const own = new Items(['a', 'b']);
    const sides = [...broken, new CountingSide(new Items(['a']))];
    const seen: (readonly Theirs[])[] = [];
    for await (const { theirs } of differences(own, [allKeys], sides, (side) => lost.push(side)))
      seen.push(theirs);
    expect(lost.sort()).to.deep.equal([0, 1, 2, 3]);
    expect(seen.map((theirs) => theirs.slice(0, 4))).to.deep.equal([['lost', 'lost', 'lost', 'lost']]);
    expect(listOf(seen[0]![4]!).map(({ id }) => id)).to.deep.equal([hashToId(utf8('a'))]);
  });

  it('goes on without a side that answers late and with ever more parts', async () => {
    const clock = new VirtualClock();
    const random = seededRandom(1);
    let asked = 0;
    const liar: Side = {
      compare: async (ranges) => {
        asked += 1;
        await sleep(clock, 20_000, new AbortController().signal);
        const part = () => ({ count: 1000, sum: random.bytes(16) });
        return ranges.map(() => ({ kind: 'parts', parts: Array.from({ length: 16 }, part) }));
      },
    };
    const own = new Items(['a', 'b']);
    const sides = [liar, new CountingSide(new Items(['a']))].map((side) => waitedFor(side, clock, 60_000));
    const lost: unknown[] = [];
    const seen: Theirs[] = [];
    const all = (async () => {
      for await (const { theirs } of differences(own, [allKeys], sides, (_, error) => lost.push(error)))
        seen.push(theirs[1]!);
    })();
    await clock.run(all, 100_000);
    expect(asked).to.equal(3);
    expect(lost.map((error) => hasCode(error, 'TIMEOUT'))).to.deep.equal([true]);
    expect(seen.flatMap((theirs) => listOf(theirs).map(({ id }) => id))).to.deep.equal([hashToId(utf8('a'))]);
  });
});
