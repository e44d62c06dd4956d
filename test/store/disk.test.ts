import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
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
  firstId,
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
        damaged: 0,
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

  describe('with damaged files', () => {
    for (const [what, damage] of [
      ['has other bytes', (file: string) => writeFile(file, Buffer.alloc(5000, 'z'))],
      ['was cut', (file: string) => truncate(file, 4999)],
      ['is gone', (file: string) => unlink(file)],
    ] as const) {
      it(`sets a block aside whose file ${what}, and a new put repairs it`, async () => {
        const warnings: string[] = [];
        const store = await scratch.open(path, { warnings });
        await store.putBlock(block.id, block.bytes, alice);
        await damage(pathOfBlock(path, block.id));
        const gets = await Promise.allSettled([store.getBlock(block.id), store.getBlock(block.id)]);
        expect(gets.some(({ status }) => status === 'rejected')).to.equal(true);
        expect(await store.getBlock(block.id)).to.equal(undefined);
        expect(await store.blockInfo(block.id)).to.equal(undefined);
        expect(store.usedBytes(alice)).to.equal(0);
        expect(store.stats()).to.include({ blocks: 0, bytes: 0, damaged: 1 });
        expect(await readdir(join(path, 'damaged'))).to.deep.equal(what === 'is gone' ? [] : [block.id]);
        expect(warnings).to.have.length(1);
        await store.putBlock(block.id, block.bytes, alice);
        expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
      });
    }

    it('serves what is right of a file that grew, and the next put writes it anew', async () => {
      const store = await scratch.open(path);
      await store.putBlock(block.id, block.bytes, alice);
      await appendFile(pathOfBlock(path, block.id), 'x');
      expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
      await store.putBlock(block.id, block.bytes, alice);
      expect((await stat(pathOfBlock(path, block.id))).size).to.equal(5000);
    });

    it('answers a damaged block with DAMAGED', async () => {
      const store = await scratch.open(path);
      await store.putBlock(block.id, block.bytes, alice);
      await writeFile(pathOfBlock(path, block.id), Buffer.alloc(5000, 'z'));
      expect(await codeOf(store.getBlock(block.id))).to.equal('DAMAGED');
    });

    it('answers a range that lies behind the end of a cut file with DAMAGED', async () => {
      const store = await scratch.open(path);
      await store.putBlock(block.id, block.bytes, alice);
      await truncate(pathOfBlock(path, block.id), 100);
      expect(await codeOf(store.getBlock(block.id, { offset: 50, length: 100 }))).to.equal('DAMAGED');
      expect(await store.getBlock(block.id, { offset: 0, length: 10 })).to.equal(undefined);
    });

    it('does not answer "held" for a block whose file is gone, and keeps its owners for the repair', async () => {
      const store = await scratch.open(path);
      await store.putBlock(block.id, block.bytes, alice);
      await unlink(pathOfBlock(path, block.id));
      expect(await store.touchBlocks([block.id], bob)).to.deep.equal([false]);
      expect(await store.putBlock(block.id, block.bytes, bob)).to.deep.equal({ isNew: true });
      expect((await store.blockInfo(block.id))?.owners).to.deep.equal([alice, bob]);
      expect(store.stats()).to.include({ blocks: 1, bytes: 5000 });
    });

    it('sets a damaged record aside, and accepts it again', async () => {
      const store = await scratch.open(path);
      await store.putRecord(record);
      const file = pathOfBlock(path, record.id, 'records');
      const bytes = await readFile(file);
      bytes[bytes.length - 40]! ^= 1;
      await writeFile(file, bytes);
      expect(await codeOf(store.getRecord(record.id))).to.equal('DAMAGED');
      expect(await store.getRecord(record.id)).to.equal(undefined);
      expect(store.stats()).to.include({ records: 0, bytes: 0, damaged: 1 });
      await store.putRecord(record);
      expect((await store.getRecord(record.id))?.sequence).to.equal(7);
    });

    it('sets a damaged record aside when it opens', async () => {
      await filled();
      await writeFile(pathOfBlock(path, record.id, 'records'), 'no record');
      const store = await scratch.open(path);
      expect(await store.getRecord(record.id)).to.equal(undefined);
      expect(await readdir(join(path, 'damaged'))).to.deep.equal([`record-${record.id}`]);
      expect(await store.listKeys(firstId, 10)).to.deep.equal([{ id: block.id, kind: 'block' }]);
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
