import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { filesOf, pathOfBlock, Scratch } from './disk-helpers.js';
import {
  alice,
  blockOf,
  bob,
  codeOf,
  conformsToStore,
  fineDisk,
  HandClock,
  recordOf,
} from './store.conformance.js';

const block = blockOf('some bytes to keep', 5000);
const other = blockOf('other bytes', 3000);
const record = recordOf('head', 7, 'signed value');

describe('the store on disk', () => {
  const scratch = new Scratch();
  let path: string;

  beforeEach(async () => (path = await scratch.directory()));
  afterEach(() => scratch.clear());

  conformsToStore(async (options) => scratch.open(await scratch.directory(), options));

  /** A store with two blocks, one of them in the trash, and a record, closed again. */
  async function filled(clock = new HandClock()): Promise<void> {
    const store = await scratch.open(path, { clock });
    await store.putBlock(block.id, block.bytes, alice);
    await store.touchBlocks([block.id], bob);
    await store.putBlock(other.id, other.bytes, alice);
    await store.releaseBlock(other.id, alice, clock.ms);
    await store.putRecord(record);
    await store.close();
  }

  describe('its files', () => {
    it('are named by the id, hold the bytes and nothing else, and are private', async () => {
      await filled();
      const file = pathOfBlock(path, block.id);
      expect(
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex'),
      ).to.equal(block.id);
      expect(await filesOf(path, 'blocks')).to.deep.equal([block.id]);
      expect(await filesOf(path, 'trash')).to.deep.equal([other.id]);
      expect(await filesOf(path, 'records')).to.deep.equal([record.id]);
      expect(await filesOf(path, 'tmp')).to.deep.equal([]);
      for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
        const { mode } = await stat(join(entry.parentPath, entry.name));
        expect(mode & 0o777, entry.name).to.equal(entry.isDirectory() ? 0o700 : 0o600);
      }
    });

    it('are gone when the trash was emptied', async () => {
      const clock = new HandClock();
      await filled(clock);
      const store = await scratch.open(path, { clock });
      await store.emptyTrash(clock.ms + 1);
      expect(await filesOf(path, 'trash')).to.deep.equal([]);
    });
  });

  describe('opened again', () => {
    it('with less capacity than it takes, keeps what it has for whoever posts it', async () => {
      const clock = new HandClock();
      await filled(clock);
      const store = await scratch.open(path, { clock, capacityBytes: 1 });
      expect(await store.putBlock(block.id, block.bytes, alice)).to.deep.equal({ isNew: false });
      expect(await store.touchBlocks([other.id], bob)).to.deep.equal([true]);
    });

    it('gives everything back', async () => {
      const clock = new HandClock();
      await filled(clock);
      const warnings: string[] = [];
      clock.ms += 1000;
      const store = await scratch.open(path, { clock, warnings });
      expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
      expect(await store.blockInfo(block.id)).to.deep.include({
        owners: [alice, bob],
        storedAtMs: clock.ms - 1000,
      });
      expect(await store.blockInfo(other.id)).to.deep.include({ owners: [], trashedAtMs: clock.ms - 1000 });
      expect(await store.getRecord(record.id)).to.deep.include({ id: record.id, sequence: 7 });
      expect(store.stats()).to.deep.equal({
        blocks: 1,
        records: 1,
        bytes: 5000 + 3000 + record.bytes.length,
        capacityBytes: null,
        latestMs: clock.ms - 1000,
        damaged: 0,
        mended: 0,
        disk: fineDisk,
      });
      expect(store.usedBytes(alice)).to.equal(5000);
      expect(store.usedBytes(bob)).to.equal(5000);
      expect(warnings).to.deep.equal([]);
    });

    it('has made its index again from the files when the index is gone', async () => {
      await filled();
      await rm(join(path, 'index'), { recursive: true });
      await expectRebuilt([]);
    });

    for (const [what, garble] of [
      ['is garbage', (file: string) => writeFile(file, Buffer.alloc(65536, 'garbage'))],
      ['is a short text', (file: string) => writeFile(file, 'hello\n')],
      [
        'has garbage behind its first pages',
        async (file: string) => {
          const bytes = await readFile(file);
          bytes.fill('garbage', 8192);
          await writeFile(file, bytes);
        },
      ],
    ] as const) {
      it(`has made its index again from the files when the index ${what}`, async () => {
        await filled();
        await garble(join(path, 'index', 'data.mdb'));
        await expectRebuilt([
          'the index of the store is made again from the files; owners come back when they touch their blocks',
        ]);
        expect(await readdir(join(path, 'damaged'))).to.deep.equal(['index']);
      });
    }

    async function expectRebuilt(reasons: readonly string[]): Promise<void> {
      const warnings: string[] = [];
      const store = await scratch.open(path, { warnings });
      expect(warnings).to.deep.equal([...reasons, 'the blocks are counted']);
      expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [], sizeBytes: 5000 });
      expect((await store.blockInfo(other.id))?.trashedAtMs).to.be.a('number');
      expect((await store.getRecord(record.id))?.sequence).to.equal(7);
      expect(store.stats()).to.include({ blocks: 1, records: 1 });
      expect(store.usedBytes(alice)).to.equal(0);
      await store.touchBlocks([block.id], alice);
      expect(store.usedBytes(alice)).to.equal(5000);
    }

    it('makes its index again when reading it has ended the process several times', async () => {
      await filled();
      // Longer than its first pages, but cut: LMDB would touch memory behind the end of the file.
      await truncate(join(path, 'index', 'data.mdb'), 8192);
      const script = [
        `import { openDiskStore } from ${JSON.stringify(import.meta.resolve('../../src/store/disk.js'))};`,
        `import { systemClock } from ${JSON.stringify(import.meta.resolve('../../src/base/clock.js'))};`,
        `import { systemRandom } from ${JSON.stringify(import.meta.resolve('../../src/base/random.js'))};`,
        `import { silentLogger } from ${JSON.stringify(import.meta.resolve('../../src/base/log.js'))};`,
        `const store = await openDiskStore({ path: ${JSON.stringify(path)}, clock: systemClock, random: systemRandom, log: silentLogger });`,
        'console.log(JSON.stringify(store.stats()));',
        'await store.close();',
      ].join('\n');
      const results = Array.from({ length: limits.indexOpenAttempts + 1 }, () => {
        try {
          return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
            stdio: 'pipe',
            encoding: 'utf8',
          });
        } catch {
          return 'ended';
        }
      });
      // Where LMDB notices by itself, the first start succeeds already; where it cannot, the one after three that ended.
      const [last = ''] = results.slice(limits.indexOpenAttempts);
      expect(JSON.parse(last)).to.include({ blocks: 1, records: 1 });
    });

    it('drops a block whose file was removed, and says so', async () => {
      await filled();
      await unlink(pathOfBlock(path, block.id));
      const warnings: string[] = [];
      const store = await scratch.open(path, { warnings });
      expect(warnings[0]).to.equal('the file of a block is missing; the block is dropped');
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(store.usedBytes(alice)).to.equal(0);
      expect(await store.putBlock(block.id, block.bytes, alice)).to.deep.equal({ isNew: true });
    });

    it('takes in a file that has the bytes of its name, and sets aside one that has not', async () => {
      await filled();
      const good = blockOf('copied here by hand');
      const bad = blockOf('something else');
      for (const [id, bytes] of [
        [good.id, good.bytes],
        [bad.id, Buffer.from('not that')],
      ] as const) {
        await mkdir(join(path, 'blocks', id.slice(0, 2)), { recursive: true });
        await writeFile(pathOfBlock(path, id), bytes);
      }
      const store = await scratch.open(path);
      expect((await store.getBlock(good.id))?.bytes).to.deep.equal(good.bytes);
      expect(await store.getBlock(bad.id)).to.equal(undefined);
      expect(store.stats()).to.include({ blocks: 2, damaged: 1 });
      expect(await readdir(join(path, 'damaged'))).to.deep.equal([bad.id]);
    });

    it('has cleared what a crash left behind, and leaves strange files alone', async () => {
      await filled();
      await writeFile(join(path, 'tmp', '0123456789abcdef01234567'), 'half a block');
      await writeFile(join(path, 'tmp', 'thesis.odt'), 'years of work');
      await mkdir(join(path, 'tmp', 'photos'));
      await writeFile(join(path, 'blocks', 'README'), 'a note');
      await writeFile(join(path, 'blocks', block.id.slice(0, 2), 'note'), 'a note');
      const store = await scratch.open(path);
      expect(await readdir(join(path, 'tmp'))).to.have.members(['thesis.odt', 'photos']);
      expect(await filesOf(path, 'blocks')).to.have.members([block.id, 'README', 'note']);
      expect(store.stats().blocks).to.equal(1);
    });

    for (const [from, to, shelf, id] of [
      ['blocks', 'trash', 'blocks', block.id],
      ['trash', 'blocks', 'trash', other.id],
    ] as const) {
      it(`moves a file from ${to} back to ${from} when the index says that it belongs there`, async () => {
        await filled();
        await mkdir(join(path, to, id.slice(0, 2)), { recursive: true });
        await writeFile(pathOfBlock(path, id, to), await readFile(pathOfBlock(path, id, from)));
        await unlink(pathOfBlock(path, id, from));
        const store = await scratch.open(path);
        expect(await filesOf(path, shelf)).to.deep.equal([id]);
        expect(await filesOf(path, to)).not.to.include(id);
        expect((await store.getBlock(block.id))?.sizeBytes).to.equal(5000);
      });
    }

    it('is not possible while it is closed', async () => {
      const store = await scratch.open(path);
      const last = store.putBlock(block.id, block.bytes, alice);
      const closing = store.close();
      expect(await last).to.deep.equal({ isNew: true });
      await closing;
      await store.close();
      expect(await codeOf(store.getBlock(block.id))).to.equal('IO');
    });
  });

  it('refuses to open under a path that it may not write to', async function () {
    const disk = process.getuid?.() === 0 ? await scratch.smallDisk(1 << 20) : path;
    if (disk === undefined) this.skip(); // a root that may not mount has no directory it may not write to
    if (disk === path) await chmod(path, 0o500);
    else execFileSync('mount', ['-o', 'remount,ro', disk]);
    expect(await codeOf(scratch.open(disk))).to.equal('IO');
  });
});
