import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { asBuffer } from '../../src/base/bytes.js';
import { printablePath, rootPath } from '../../src/base/paths.js';
import { seededRandom } from '../../src/base/random.js';
import { rootEntry } from '../../src/client/browse.js';
import { loadSnapshots } from '../../src/client/catalog.js';
import { differencesOf } from '../../src/client/diff.js';
import { findMatches } from '../../src/client/find.js';
import type { Session } from '../../src/client/session.js';
import { statsOf } from '../../src/client/stats.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, testDevice } from './memory-ring.js';

const MiB = 1024 * 1024;

describe('find, diff and stats', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let session: Session;
  let user = 0;

  before(async () => {
    ring = await MemoryRing.start(1);
  });
  beforeEach(async () => {
    user += 1;
    session = await ring.session(testDevice(user));
    mkdirSync(at('dir/below'), { recursive: true });
  });
  after(() => ring.stop());

  const at = (path: string): string => join(temporary(), 'source', path);
  const snapshot = () => backUp(session, [at('')]);

  it('finds each version once, in the newest snapshot that has it', async () => {
    writeFileSync(at('dir/same.txt'), 'same');
    writeFileSync(at('dir/below/new.txt'), 'one');
    await snapshot();
    writeFileSync(at('dir/below/new.txt'), 'another one');
    await snapshot();
    await snapshot();
    const snapshots = await loadSnapshots(session);
    const found: string[] = [];
    const isText = (path: Uint8Array): boolean => asBuffer(path).toString().endsWith('.txt');
    for await (const match of findMatches(session, snapshots, isText)) {
      const size = match.entry.type === 'file' ? match.entry.sizeBytes : 0;
      found.push(`${snapshots.indexOf(match.snapshot)} ${printablePath(match.path)} ${size}`);
    }
    expect(found).to.deep.equal([
      `2 ${at('dir/below/new.txt')} 11`,
      `2 ${at('dir/same.txt')} 4`,
      `0 ${at('dir/below/new.txt')} 3`,
    ]);
  });

  it('tells what came, went and changed, and how', async () => {
    writeFileSync(at('bytes'), seededRandom(1).bytes(2 * MiB));
    writeFileSync(at('mode'), 'x');
    writeFileSync(at('gone'), 'x');
    writeFileSync(at('dir/below/deep'), 'x');
    writeFileSync(at('turns'), 'x');
    symlinkSync('there', at('link'));
    writeFileSync(at('unchanged'), seededRandom(2).bytes(3 * MiB));
    await snapshot();
    const changed = Buffer.from(seededRandom(1).bytes(2 * MiB));
    changed[MiB]! ^= 1;
    writeFileSync(at('bytes'), changed);
    chmodSync(at('mode'), 0o600);
    for (const path of ['gone', 'dir', 'turns', 'link']) rmSync(at(path), { recursive: true });
    mkdirSync(at('turns'));
    writeFileSync(at('turns/inside'), 'x');
    symlinkSync('elsewhere', at('link'));
    utimesSync(at(''), 1, 1);
    await snapshot();
    const [before, after] = (await loadSnapshots(session)).map(rootEntry);
    const found: Record<string, string> = {};
    const prefix = at('').replace(/\/$/, '');
    for await (const { path, change } of differencesOf(session.reader, rootPath, before!, after!)) {
      const shown = printablePath(path);
      if (shown.startsWith(prefix)) found[shown.slice(prefix.length)] = change;
    }
    expect(found).to.deep.equal({
      '': 'metadata',
      '/bytes': 'modified',
      '/dir': 'removed',
      '/dir/below': 'removed',
      '/dir/below/deep': 'removed',
      '/gone': 'removed',
      '/link': 'modified',
      '/mode': 'metadata',
      '/turns': 'type',
      '/turns/inside': 'added',
    });
    const none: unknown[] = [];
    for await (const one of differencesOf(session.reader, rootPath, after!, after!)) none.push(one);
    expect(none).to.deep.equal([]);
  });

  it('the same bytes in another place are no change', async () => {
    const bytes = seededRandom(3).bytes(3 * MiB);
    writeFileSync(at('file'), bytes);
    utimesSync(at('file'), 1, 1);
    await snapshot();
    // Without the memory of the first backup, beside other files: the end of the file goes into another pack.
    writeFileSync(at('a'), seededRandom(4).bytes(100_000));
    await snapshot();
    const [before, after] = (await loadSnapshots(session)).map(rootEntry);
    const found: string[] = [];
    for await (const { path, change } of differencesOf(session.reader, rootPath, before!, after!))
      if (change !== 'metadata') found.push(`${change} ${printablePath(path)}`);
    expect(found).to.deep.equal([`added ${at('a')}`]);
  });

  it('counts what snapshots share once', async () => {
    writeFileSync(at('file'), seededRandom(5).bytes(3 * MiB));
    await snapshot();
    const [first] = await loadSnapshots(session);
    const one = await statsOf(session, [first!]);
    expect(one).to.include({ snapshots: 1, files: 1, bytes: 3 * MiB });
    expect(one.storedBytes).to.be.within(3 * MiB, 3.1 * MiB);
    await snapshot();
    const both = await statsOf(session, await loadSnapshots(session));
    expect(both).to.include({ snapshots: 2, files: 2, bytes: 6 * MiB });
    expect(both.storedBytes).to.be.lessThan(3.2 * MiB);
  });
});
