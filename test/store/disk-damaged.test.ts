import { existsSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import type { Store } from '../../src/store/store.js';
import { pathOfBlock, Scratch } from './disk-helpers.js';
import { FailingDisk } from './failing-disk.js';
import { alice, blockOf, bob, codeOf, firstId, recordOf } from './store.conformance.js';

const block = blockOf('some bytes to keep', 5000);
const other = blockOf('other bytes', 3000);
const record = recordOf('head', 7, 'signed value');

describe('the store on disk, with damaged files,', () => {
  const scratch = new Scratch();
  let path: string;

  beforeEach(async () => (path = await scratch.directory()));
  afterEach(() => scratch.clear());

  for (const [what, isChecked, damage] of [
    ['has other bytes', true, (file: string) => writeFile(file, Buffer.alloc(5000, 'z'))],
    ['was cut', false, (file: string) => truncate(file, 4999)],
    ['is gone', false, (file: string) => unlink(file)],
  ] as const) {
    it(`sets a block aside whose file ${what}, and a new put repairs it`, async () => {
      const warnings: string[] = [];
      const store = await scratch.open(path, { warnings });
      await store.putBlock(block.id, block.bytes, alice);
      await damage(pathOfBlock(path, block.id));
      const get = () => store.getBlock(block.id, { isChecked });
      const gets = await Promise.allSettled([get(), get()]);
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

  // A directory in the place of a file cannot be read either, as a file on a bad sector.
  for (const [what, isStuck] of [
    ['sets a block aside that the disk cannot read', false],
    ['lets go of a block that the disk can neither read nor move', true],
  ] as const) {
    it(`${what}, and goes on`, async () => {
      const warnings: string[] = [];
      const store = await scratch.open(path, { warnings });
      for (const { id, bytes } of [block, other]) await store.putBlock(id, bytes, alice);
      const file = pathOfBlock(path, block.id);
      await unlink(file);
      await mkdir(file);
      if (isStuck) await mkdir(join(path, 'damaged', block.id, 'inside'), { recursive: true });
      expect((await store.scrub(firstId, 100_000)).damaged).to.deep.equal([block.id]);
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect((await store.getBlock(other.id))?.sizeBytes).to.equal(3000);
      expect(store.stats()).to.include({ blocks: 1, bytes: 3000, damaged: 1 });
      expect((await store.scrub(firstId, 100_000)).damaged).to.deep.equal([]);
      expect(existsSync(file)).to.equal(isStuck);
      expect(warnings).to.deep.equal([
        `a block was damaged on disk and ${isStuck ? 'cannot be moved' : 'is set aside'}`,
      ]);
      if (isStuck) {
        await store.close();
        expect((await scratch.open(path)).stats()).to.include({ blocks: 1, damaged: 1 });
        return;
      }
      expect(await store.putBlock(block.id, block.bytes, alice)).to.deep.equal({ isNew: true });
      expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
    });
  }

  it('sets a link aside that lies in the place of a block, and does not follow it', async () => {
    const store = await scratch.open(path);
    await store.putBlock(block.id, block.bytes, alice);
    const file = pathOfBlock(path, block.id);
    await rename(file, join(path, 'elsewhere'));
    await symlink(join(path, 'elsewhere'), file);
    expect(await codeOf(store.getBlock(block.id))).to.equal('DAMAGED');
    expect(await readdir(join(path, 'damaged'))).to.deep.equal([block.id]);
    expect((await readFile(join(path, 'elsewhere'))).length).to.equal(block.bytes.length);
  });

  it('names what it may not open, leaves it where it is, and scrubs on', async () => {
    const disk = new FailingDisk();
    const store = await scratch.open(path, { system: disk.system });
    const blocks = [block, other, blockOf('a third one')].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id, bytes } of blocks) await store.putBlock(id, bytes, alice);
    await store.putRecord(record);
    const [first, , last] = blocks;
    await writeFile(pathOfBlock(path, last!.id), 'other bytes');
    disk.fault = (call, at) =>
      call === 'open' && [first!.id, record.id].some((id) => at.endsWith(id)) ? 'EACCES' : undefined;
    const result = await store.scrub(firstId, 100_000);
    expect(result).to.deep.include({ next: undefined, damaged: [last!.id] });
    expect(result.unreadable.map(({ id }) => id)).to.deep.equal([first!.id, record.id].sort());
    expect(result.unreadable[0]?.reason).to.include('EACCES');
    disk.heal();
    expect((await store.getBlock(first!.id))?.bytes).to.deep.equal(first!.bytes);
    expect((await store.scrub(firstId, 100_000)).unreadable).to.deep.equal([]);
  });

  it('does not go on where the process may open nothing more', async () => {
    const disk = new FailingDisk();
    const store = await scratch.open(path, { system: disk.system });
    await store.putBlock(block.id, block.bytes, alice);
    disk.fail('open', 'EMFILE', block.id);
    expect(await codeOf(store.scrub(firstId, 100_000))).to.equal('IO');
  });

  it('answers a block that the disk cannot read with DAMAGED, also a part of it', async () => {
    const store = await scratch.open(path);
    for (const [{ id, bytes }, options] of [
      [block, {}],
      [other, { range: { offset: 0, length: 10 } }],
    ] as const) {
      await store.putBlock(id, bytes, alice);
      await unlink(pathOfBlock(path, id));
      await mkdir(pathOfBlock(path, id));
      expect(await codeOf(store.getBlock(id, options))).to.equal('DAMAGED');
    }
  });

  for (const [what, find] of [
    [
      'asked for',
      async (store: Store) => expect(await codeOf(store.getRecord(record.id))).to.equal('DAMAGED'),
    ],
    [
      'scrubbed',
      async (store: Store) =>
        expect((await store.scrub(firstId, 100_000)).damaged).to.deep.equal([record.id]),
    ],
    ['opened', undefined],
  ] as const) {
    it(`sets a record aside that the disk cannot read when it is ${what}`, async () => {
      let store = await scratch.open(path);
      await store.putRecord(record);
      const file = pathOfBlock(path, record.id, 'records');
      await unlink(file);
      await mkdir(file);
      if (find === undefined) {
        await store.close();
        store = await scratch.open(path);
      } else await find(store);
      expect(store.stats()).to.include({ records: 0, damaged: 1 });
      expect(await readdir(join(path, 'damaged'))).to.deep.equal([`record-${record.id}`]);
      await store.putRecord(record);
      expect((await store.getRecord(record.id))?.sequence).to.equal(7);
    });
  }

  it('opens where a file cannot be read that the index does not know', async () => {
    await (await scratch.open(path)).close();
    await mkdir(pathOfBlock(path, other.id), { recursive: true });
    const store = await scratch.open(path);
    expect(await readdir(join(path, 'damaged'))).to.deep.equal([other.id]);
    expect(store.stats()).to.include({ blocks: 0, damaged: 1 });
  });

  it('serves what is right of a file that grew, and the next put writes it anew', async () => {
    const store = await scratch.open(path);
    await store.putBlock(block.id, block.bytes, alice);
    await appendFile(pathOfBlock(path, block.id), 'x');
    expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
    await store.putBlock(block.id, block.bytes, alice);
    expect((await stat(pathOfBlock(path, block.id))).size).to.equal(5000);
  });

  it('answers a range that lies behind the end of a cut file with DAMAGED', async () => {
    const store = await scratch.open(path);
    await store.putBlock(block.id, block.bytes, alice);
    await truncate(pathOfBlock(path, block.id), 100);
    expect(await codeOf(store.getBlock(block.id, { range: { offset: 50, length: 100 } }))).to.equal(
      'DAMAGED',
    );
    expect(await store.getBlock(block.id, { range: { offset: 0, length: 10 } })).to.equal(undefined);
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
    const before = await scratch.open(path);
    await before.putBlock(block.id, block.bytes, alice);
    await before.putRecord(record);
    await before.close();
    await writeFile(pathOfBlock(path, record.id, 'records'), 'no record');
    const store = await scratch.open(path);
    expect(await store.getRecord(record.id)).to.equal(undefined);
    expect(await readdir(join(path, 'damaged'))).to.deep.equal([`record-${record.id}`]);
    expect(await store.listKeys(firstId, 10)).to.deep.equal([{ id: block.id, kind: 'block' }]);
  });
});
