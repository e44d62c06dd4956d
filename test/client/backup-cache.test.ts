import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { concatBytes, sha256, utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import type { FileInfo } from '../../src/base/filesystem.js';
import { LmdbCache } from '../../src/base/lmdb-cache.js';
import { silentLogger } from '../../src/base/log.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { seededRandom, systemRandom } from '../../src/base/random.js';
import { type BackupCache, openBackupCache } from '../../src/client/backup-cache.js';
import type { Session } from '../../src/client/session.js';
import { hashToId } from '../../src/ring/identifier.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, testDevice } from './memory-ring.js';

const content = {
  depth: 0,
  references: [
    { block: hashToId(utf8('b')), offset: 0, length: 100, key: new Uint8Array(32), sizeBytes: 42 },
  ],
};
const info: FileInfo = {
  type: 'file',
  mode: 0o644,
  uid: 1,
  gid: 1,
  sizeBytes: 42,
  mtimeNs: 1_700_000_000_000_000_001n,
  ctimeNs: 1_700_000_000_000_000_002n,
  dev: 3n,
  ino: 4n,
  nlink: 1,
};
const path = utf8('/a/file');

describe('the backup cache', () => {
  const temporary = temporaryDirectory();
  const options = () => ({
    directory: join(temporary(), 'cache'),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
  });
  const open = (): Promise<BackupCache> => openBackupCache(options());
  const laterMs = 1_700_000_001_000;

  it('knows a file again that is as it was, and no other', async () => {
    const cache = await open();
    cache.files.set(path, info, laterMs, content);
    expect(cache.files.get(path, info)).to.deep.equal(content);
    for (const change of [
      { sizeBytes: 43 },
      { mtimeNs: info.mtimeNs + 1n },
      { ctimeNs: info.ctimeNs + 1n },
      { dev: 5n },
      { ino: 5n },
    ]) {
      expect(cache.files.get(path, { ...info, ...change }), Object.keys(change)[0]).to.equal(undefined);
    }
    expect(cache.files.get(utf8('/a/other'), info)).to.equal(undefined);
    await cache.close();
    const again = await open();
    expect(again.files.get(path, info)).to.deep.equal(content);
    await again.close();
  });

  it('does not remember a file that changed so lately that it may change again unseen', async () => {
    const cache = await open();
    const changedMs = Number(info.ctimeNs / 1_000_000n);
    for (const [openedMs, isKnown] of [
      [changedMs, false],
      [changedMs + 49, false],
      [changedMs + 52, true],
    ] as const) {
      const name = utf8(`/${openedMs}`);
      cache.files.set(name, info, openedMs, content);
      expect(cache.files.get(name, info) !== undefined, `${openedMs - changedMs}`).to.equal(isKnown);
    }
    await cache.close();
  });

  it('takes numbers of 64 bits and times beyond them', async () => {
    const cache = await open();
    const far = { ...info, ino: 2n ** 64n - 1n, mtimeNs: 2n ** 70n, ctimeNs: -(2n ** 66n) };
    cache.files.set(path, far, laterMs, content);
    expect(cache.files.get(path, far)).to.deep.equal(content);
    await cache.close();
  });

  it('takes an entry for one that is not there when a byte of it is another one', async () => {
    const name = '07'.repeat(32);
    const first = await open();
    first.files.set(path, info, laterMs, content);
    first.chunks.set(name, { block: hashToId(utf8('c')), offset: 7, length: 99, key: new Uint8Array(32) });
    await first.close();
    const directory = path.subarray(0, path.lastIndexOf(0x2f) + 1);
    const entries = [
      ['files-2', concatBytes(sha256(directory).subarray(0, 8), sha256(path).subarray(0, 16))],
      ['chunks-2', new Uint8Array(16).fill(7)],
    ] as const;
    const tables = entries.map(([table]) => table);
    for (const [table, key] of entries) {
      const raw = await LmdbCache.open({ ...options(), tables });
      const value = Uint8Array.from(raw.get(table, key)!);
      await raw.close();
      const places = [...value.keys()].filter((at) => at % 12 === 0);
      const flipped = places.map((at) => value.map((byte, place) => (place === at ? byte ^ 1 : byte)));
      for (const junk of [new Uint8Array(0), utf8('junk'), ...flipped]) {
        const garbling = await LmdbCache.open({ ...options(), tables });
        garbling.set(table, key, junk);
        await garbling.close();
        const cache = await open();
        const found = table === 'files-2' ? cache.files.get(path, info) : cache.chunks.get(name);
        expect(found).to.equal(undefined);
        await cache.close();
      }
    }
  });

  it('gives a chunk back as it was set', async () => {
    const cache = await open();
    const location = { block: hashToId(utf8('c')), offset: 7, length: 99, key: new Uint8Array(32).fill(9) };
    cache.chunks.set('ab'.repeat(32), location);
    await cache.close();
    const again = await open();
    expect(again.chunks.get('ab'.repeat(32))).to.deep.equal(location);
    await again.close();
  });

  describe('in a backup', () => {
    let ring: MemoryRing;
    let session: Session;
    beforeEach(async () => {
      ring = await MemoryRing.start(3);
      session = await ring.session(testDevice());
    });
    afterEach(() => ring.stop());

    it('saves the reading of what has not changed, unless the ring has lost it', async () => {
      const file = join(temporary(), 'file');
      writeFileSync(file, seededRandom(1).bytes(1_000_000));
      // As if it had been written a while ago.
      session = { ...session, clock: { ...systemClock, nowMs: () => Date.now() + 60_000 } };
      let opened = 0;
      const fileSystem = {
        ...nodeFileSystem,
        openForReading: (name: Uint8Array) => {
          opened += 1;
          return nodeFileSystem.openForReading(name);
        },
      };
      const run = async (): Promise<number> => {
        const cache = await open();
        const before = opened;
        expect((await backUp(session, [file], { cache, fileSystem })).summary.files).to.equal(1);
        await cache.close();
        return opened - before;
      };
      expect(await run(), 'first').to.equal(1);
      expect(await run(), 'again').to.equal(0);
      for (const { disk } of ring.peers) {
        for (const id of await disk.blocks()) {
          // Not the lists of what there is, which are small.
          if ((await disk.inner.blockInfo(id))!.sizeBytes > 100_000) disk.lost.add(id);
        }
      }
      expect(await run(), 'after the loss').to.equal(1);
    });
  });
});
