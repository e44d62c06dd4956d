import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { LmdbCache } from '../../src/base/lmdb-cache.js';
import { createLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

describe('a cache on disk', () => {
  const temporary = temporaryDirectory();
  let warnings: string[] = [];
  const directory = (): string => join(temporary(), 'cache');
  const data = (): string => join(directory(), 'lmdb/data.mdb');
  const key = (at: number): Uint8Array => utf8(`key ${at}`);

  beforeEach(() => {
    warnings = [];
  });

  const open = (): Promise<LmdbCache> =>
    LmdbCache.open({
      directory: directory(),
      tables: ['a', 'b'],
      clock: systemClock,
      random: systemRandom,
      log: createLogger({
        level: 'warn',
        format: 'text',
        clock: systemClock,
        write: (line) => warnings.push(line),
      }),
    });
  const text = (cache: LmdbCache, table: string, at: number): string | undefined => {
    const value = cache.get(table, key(at));
    return value && Buffer.from(value).toString();
  };
  async function filled(count = 3000): Promise<void> {
    const cache = await open();
    for (let at = 0; at < count; at += 1) cache.set('a', key(at), utf8(`value ${at}`.repeat(10)));
    await cache.close();
  }
  const marks = (): string[] => readdirSync(directory()).filter((name) => name.startsWith('use-'));

  it('gives back what was set, before its commit, after it, and when it is opened again', async () => {
    const cache = await open();
    expect(text(cache, 'a', 1)).to.equal(undefined);
    for (let at = 0; at < 3 * limits.cacheCommitEntries; at += 1) {
      cache.set('a', key(at), utf8(`a ${at}`));
      if (at % 500 === 0) await new Promise((done) => setImmediate(done));
      expect(text(cache, 'a', at)).to.equal(`a ${at}`);
    }
    cache.set('a', key(0), utf8('newer'));
    cache.set('b', key(0), utf8('another table'));
    await cache.close();
    const again = await open();
    expect([text(again, 'a', 0), text(again, 'b', 0), text(again, 'b', 1)]).to.deep.equal([
      'newer',
      'another table',
      undefined,
    ]);
    expect(text(again, 'a', 3 * limits.cacheCommitEntries - 1)).to.equal(
      `a ${3 * limits.cacheCommitEntries - 1}`,
    );
    await again.close();
    expect(warnings).to.deep.equal([]);
    expect(marks()).to.deep.equal([]);
    expect(statSync(directory()).mode & 0o777).to.equal(0o700);
    expect(statSync(join(directory(), 'lmdb')).mode & 0o777).to.equal(0o700);
    expect(statSync(data()).mode & 0o777).to.equal(0o600);
  });

  for (const [what, damage] of [
    ['garbage', () => writeFileSync(data(), Buffer.alloc(100_000, 'garbage'))],
    ['a short text', () => writeFileSync(data(), 'hello')],
    ['cut short in its middle', () => truncateSync(data(), 5 * 4096)],
    ['cut short behind its first page', () => truncateSync(data(), 4096)],
    [
      'garbage behind its first pages',
      () => {
        const bytes = readFileSync(data());
        writeFileSync(data(), bytes.fill('garbage', 8192));
      },
    ],
  ] as const) {
    it(`begins anew when its file is ${what}, and says so once`, async () => {
      await filled();
      damage();
      const cache = await open();
      expect(text(cache, 'a', 1)).to.equal(undefined);
      cache.set('a', key(1), utf8('new'));
      await cache.close();
      expect(warnings.length, warnings.join('\n')).to.equal(1);
      const again = await open();
      expect(text(again, 'a', 1)).to.equal('new');
      await again.close();
      expect(warnings.length).to.equal(1);
    });
  }

  it('begins anew at once after a run that died while it opened the file', async () => {
    await filled();
    writeFileSync(join(directory(), 'use-00'), 'opening');
    const cache = await open();
    expect(text(cache, 'a', 1)).to.equal(undefined);
    expect(warnings.join()).to.include('begun anew');
    await cache.close();
    expect(marks()).to.deep.equal([]);
  });

  it('keeps the file after one run that was killed, and begins anew when runs keep dying', async () => {
    await filled();
    for (let died = 1; died <= limits.cacheUncleanEnds; died += 1) {
      writeFileSync(join(directory(), `use-0${died}`), 'using');
      if (died === limits.cacheUncleanEnds) break;
      const cache = await open();
      expect(text(cache, 'a', 1)).not.to.equal(undefined);
      // It dies too: nothing is closed, the kernel takes its lock. Here the mark that counts is the one made above.
      await cache.close();
      writeFileSync(join(directory(), `use-0${died}`), 'using');
    }
    const cache = await open();
    expect(text(cache, 'a', 1)).to.equal(undefined);
    await cache.close();
  });

  it('is used by two at once, and neither takes the file from under the other', async () => {
    await filled(10);
    const [one, two] = await Promise.all([open(), open()]);
    one.set('a', key(100), utf8('of one'));
    two.set('a', key(200), utf8('of two'));
    writeFileSync(join(directory(), 'use-00'), 'opening');
    const third = await open();
    expect(warnings.join(), 'the third does without').to.include('this run does without');
    third.set('a', key(1), utf8('only in memory'));
    expect(text(third, 'a', 1)).to.equal('only in memory');
    await Promise.all([one.close(), two.close(), third.close()]);
    expect(existsSync(data())).to.equal(true);
    const again = await open();
    expect([text(again, 'a', 100), text(again, 'a', 200)]).to.deep.equal(['of one', 'of two']);
    await again.close();
  });

  it('goes on in memory, within a bound, where there is no place for a file', async () => {
    writeFileSync(directory(), 'a file in the way');
    const cache = await open();
    expect(warnings.length).to.equal(1);
    for (let at = 0; at <= limits.cacheWaitingEntries; at += 1) cache.set('a', key(at), utf8('x'));
    expect(text(cache, 'a', 0), 'the oldest is forgotten').to.equal(undefined);
    expect(text(cache, 'a', limits.cacheWaitingEntries)).to.equal('x');
    await cache.close();
  });

  it('is whole after a process that used it was killed', async function () {
    this.timeout(300_000);
    await filled(10);
    const child = resolve(import.meta.dirname, 'lmdb-cache-child.js');
    const { signal, stderr } = spawnSync(process.execPath, [child, directory()], { timeout: 30_000 });
    expect(signal, stderr.toString()).to.equal('SIGKILL');
    expect(marks().length).to.equal(1);
    const cache = await open();
    expect(text(cache, 'a', 0)).to.equal('value 0'.repeat(10));
    expect(text(cache, 'b', 0), 'what was committed before the end').to.equal('of the child');
    expect(warnings).to.deep.equal([]);
    await cache.close();
    expect(marks()).to.deep.equal([]);
  });
});
