import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import { SeenRecords } from '../../src/client/seen-records.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

describe('client/seen-records', () => {
  const temporary = temporaryDirectory();
  const path = (): string => join(temporary(), 'cache', 'seen');
  const load = (): Promise<SeenRecords> =>
    SeenRecords.load({ path: path(), random: seededRandom(1), log: silentLogger });
  const record = (number: number): Id => hashToId(utf8(`record ${number}`));

  it('remembers the highest number of each record, over runs', async () => {
    const first = await load();
    expect(first.highest(record(1))).to.equal(0);
    first.note(record(1), 5);
    first.note(record(1), 3);
    first.note(record(2), 1);
    await first.save();
    const second = await load();
    expect([1, 2, 3].map((one) => second.highest(record(one)))).to.deep.equal([5, 1, 0]);
  });

  it('keeps what another process has written meanwhile', async () => {
    const [one, other] = [await load(), await load()];
    one.note(record(1), 5);
    other.note(record(1), 4);
    other.note(record(2), 9);
    await one.save();
    await other.save();
    const after = await load();
    expect([after.highest(record(1)), after.highest(record(2))]).to.deep.equal([5, 9]);
  });

  it('writes nothing where nothing is new, and leaves nothing beside the file', async () => {
    const seen = await load();
    await seen.save();
    seen.note(record(1), 1);
    await seen.save();
    writeFileSync(path(), '');
    await seen.save();
    expect(readFileSync(path())).to.have.length(0);
    expect(readdirSync(join(temporary(), 'cache'))).to.deep.equal(['seen']);
  });

  it('what cannot be read counts as not seen, and is written anew', async () => {
    mkdirSync(join(temporary(), 'cache'), { recursive: true });
    const good = await load();
    good.note(record(1), 5);
    await good.save();
    const bytes = readFileSync(path());
    for (const garbled of [
      bytes.subarray(0, 7),
      Buffer.from('garbage'),
      Buffer.alloc(99, 0xff),
      Buffer.alloc(0),
    ]) {
      writeFileSync(path(), garbled);
      const seen = await load();
      expect(seen.highest(record(1))).to.equal(0);
      seen.note(record(1), 6);
      await seen.save();
      expect((await load()).highest(record(1))).to.equal(6);
    }
  });

  it('a disk that takes nothing is no failure', async () => {
    writeFileSync(join(temporary(), 'cache'), 'a file in the way');
    const seen = await load();
    seen.note(record(1), 5);
    await seen.save();
    expect(seen.highest(record(1))).to.equal(5);
  });

  it('has a bound: what was noted first goes', () => {
    const seen = SeenRecords.inMemory();
    for (let number = 0; number <= limits.seenRecords; number += 1) seen.note(record(number), 1);
    expect([0, 1, limits.seenRecords].map((one) => seen.highest(record(one)))).to.deep.equal([0, 1, 1]);
  });
});
