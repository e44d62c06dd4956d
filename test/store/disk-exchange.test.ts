import { mkdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { expect } from 'chai';
import { open } from 'lmdb';
import { Packr } from 'msgpackr';

import { limits } from '../../src/base/limits.js';
import { idToBytes } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import type { Store } from '../../src/store/store.js';
import { filesOf, pathOfBlock, Scratch } from './disk-helpers.js';
import { exchangesWithOthers, itemOf, owned } from './exchange.conformance.js';
import { type Garble, knowsItsItems } from './items.conformance.js';
import { alice, blockOf, bob, HandClock, type MakeStore, recordOf } from './store.conformance.js';

const block = blockOf('some bytes to keep', 5000);
const other = blockOf('other bytes', 3000);

describe('the store on disk, among other holders', () => {
  const scratch = new Scratch();
  const paths = new WeakMap<Store, string>();
  let path: string;
  let clock: HandClock;

  beforeEach(async () => {
    path = await scratch.directory();
    clock = new HandClock();
  });
  afterEach(() => scratch.clear());

  const make: MakeStore = async (options) => {
    const directory = await scratch.directory();
    const store = await scratch.open(directory, options);
    paths.set(store, directory);
    return store;
  };
  const garble: Garble = async (store, { id, kind }) => {
    const file = pathOfBlock(paths.get(store)!, id, `${kind}s`);
    const bytes = await readFile(file);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(file, bytes);
  };

  exchangesWithOthers(make);
  knowsItsItems(make, garble);

  /** A closed store with the tombstone of a block and another one in the trash. */
  async function filled(): Promise<void> {
    const store = await scratch.open(path, { clock });
    for (const { id, bytes } of [block, other]) {
      await store.putBlock(id, bytes, alice);
      await store.releaseBlock(id, alice, clock.ms);
      clock.ms += 1;
      if (id === block.id) await store.emptyTrash(clock.ms);
    }
    await store.close();
  }

  /** Puts a file under the name of a block. */
  async function place(shelf: string, { id, bytes }: { id: string; bytes: Uint8Array }): Promise<void> {
    const file = join(path, shelf, id.slice(0, 2), id);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }

  it('knows its tombstones when it is opened again, and misses no file of theirs', async () => {
    await filled();
    const warnings: string[] = [];
    const store = await scratch.open(path, { clock, warnings });
    expect(warnings).to.deep.equal([]);
    expect(await store.blockInfo(block.id)).to.equal(undefined);
    expect((await store.blockStates([block.id]))[0]?.ownerships).to.deep.equal([
      owned(alice, clock.ms - 2, clock.ms - 2),
    ]);
    expect(store.stats()).to.include({ blocks: 0, bytes: 3000 });
    expect(await store.fingerprint(allKeys)).to.include({ count: 2 });
    clock.ms += limits.tombstoneMs;
    await store.emptyTrash(0);
    expect(await store.fingerprint(allKeys)).to.include({ count: 1 });
  });

  it('makes a tombstone of a block in the trash whose file is gone', async () => {
    await filled();
    await unlink(pathOfBlock(path, other.id, 'trash'));
    const warnings: string[] = [];
    const store = await scratch.open(path, { clock, warnings });
    expect(warnings).to.deep.equal([]);
    expect(await store.blockInfo(other.id)).to.equal(undefined);
    expect((await store.blockStates([other.id]))[0]?.ownerships).to.have.length(1);
    expect(store.stats()).to.include({ blocks: 0, bytes: 0 });
  });

  for (const shelf of ['blocks', 'trash']) {
    it(`puts a file that it finds in ${shelf} under a tombstone into the trash, where it can be asked for`, async () => {
      await filled();
      await place(shelf, block);
      const store = await scratch.open(path, { clock });
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [], trashedAtMs: clock.ms });
      expect(await filesOf(path, 'trash')).to.have.members([block.id, other.id]);
      expect(await filesOf(path, 'blocks')).to.deep.equal([]);
      expect(await store.touchBlocks([block.id], alice)).to.deep.equal([true]);
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(5000);
    });
  }

  it('sets a file aside that it finds under a tombstone and that has other bytes', async () => {
    await filled();
    await place('blocks', { id: block.id, bytes: other.bytes });
    const store = await scratch.open(path, { clock });
    expect(await filesOf(path, 'damaged')).to.deep.equal([block.id]);
    expect(await store.blockInfo(block.id)).to.equal(undefined);
    expect((await store.blockStates([block.id]))[0]?.ownerships).to.have.length(1);
  });

  it('says nothing to others of a block in the trash that nobody is known to have owned', async () => {
    await filled();
    await rm(join(path, 'index'), { recursive: true });
    const store = await scratch.open(path, { clock });
    expect((await store.blockInfo(other.id))?.trashedAtMs).to.equal(clock.ms);
    expect(await store.items(allKeys, 10)).to.deep.equal([]);
    expect(await store.fingerprint(allKeys)).to.include({ count: 0 });
    expect(await store.blockStates([other.id])).to.deep.equal([undefined]);
    expect(await store.emptyTrash(clock.ms + 1)).to.equal(3000);
    expect(await store.blockStates([other.id])).to.deep.equal([undefined]);
  });

  it('takes the bytes again of a held block whose file is gone', async () => {
    const store = await scratch.open(path, { clock });
    await store.putBlock(block.id, block.bytes, alice);
    await unlink(pathOfBlock(path, block.id));
    const state = { sizeBytes: 5000, ownerships: [owned(bob, 1)] };
    expect(await store.mergeBlock(block.id, state)).to.equal('needs bytes');
    expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
    expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
    expect((await store.blockInfo(block.id))?.owners).to.deep.equal([alice, bob]);
    expect(store.stats()).to.include({ blocks: 1, bytes: 5000, damaged: 0 });
  });

  it('does not hold an item whose file is gone or was cut', async () => {
    const store = await scratch.open(path, { clock });
    const record = recordOf('head', 7, 'signed value');
    await store.putRecord(record);
    for (const { id, bytes } of [block, other]) await store.putBlock(id, bytes, alice);
    const items = await store.items(allKeys, 10);
    const held = (): Promise<readonly boolean[]> => Promise.all(items.map((item) => store.holdsItem(item)));
    expect(await held()).to.deep.equal([true, true, true]);
    await unlink(pathOfBlock(path, block.id));
    await truncate(pathOfBlock(path, other.id), 2999);
    await unlink(pathOfBlock(path, record.id, 'records'));
    expect(await held()).to.deep.equal([false, false, false]);
    expect(store.stats()).to.include({ blocks: 2, records: 1, damaged: 0 });
  });

  it('drops a block in the trash whose file is gone', async () => {
    await filled();
    const store = await scratch.open(path, { clock });
    const item = await itemOf(store, other.id);
    expect(await store.dropItem(item)).to.equal(false);
    await unlink(pathOfBlock(path, other.id, 'trash'));
    expect(await store.dropItem(item)).to.equal(true);
    expect(await store.blockStates([other.id])).to.deep.equal([undefined]);
  });

  it('keeps what it is given of a deleted block in the trash, and hands over nothing damaged', async () => {
    const state = { sizeBytes: 5000, ownerships: [owned(alice, 1, clock.ms)] };
    const first = await scratch.open(path, { clock });
    await first.mergeBlock(block.id, state, block.bytes);
    await first.close();
    const store = await scratch.open(path, { clock });
    expect(await filesOf(path, 'trash')).to.deep.equal([block.id]);
    expect(await filesOf(path, 'blocks')).to.deep.equal([]);
    expect(await store.trashedBytes(block.id)).to.deep.equal(block.bytes);
    await writeFile(pathOfBlock(path, block.id, 'trash'), Buffer.alloc(5000));
    expect(await store.trashedBytes(block.id)).to.equal(undefined);
  });

  it('leaves no file behind of what it dropped', async () => {
    const store = await scratch.open(path, { clock });
    for (const { id, bytes } of [block, other]) await store.putBlock(id, bytes, alice);
    await store.releaseBlock(other.id, alice, clock.ms);
    for (const { id } of [block, other])
      expect(await store.dropItem(await itemOf(store, id), { andTrash: true })).to.equal(true);
    for (const shelf of ['blocks', 'trash']) expect(await filesOf(path, shelf)).to.deep.equal([]);
    expect(store.stats()).to.include({ blocks: 0, bytes: 0 });
  });

  it('reads an index that was written before ownerships', async () => {
    await filled();
    await place('blocks', block);
    await place('trash', other);
    const index = open<Buffer, Uint8Array>({
      path: join(path, 'index'),
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
    });
    const packr = new Packr({ useRecords: false });
    const entry = (...values: readonly unknown[]): Buffer => packr.pack([1, ...values]);
    const [stored, touched] = [BigInt(clock.ms - 9), BigInt(clock.ms - 5)];
    // Size, stored, touched, trashed, owners as they came.
    const owners = [idToBytes(bob), idToBytes(alice)];
    await index.put(idToBytes(block.id), entry(5000, stored, touched, null, owners));
    await index.put(idToBytes(other.id), entry(3000, stored, touched, touched, []));
    await index.close();

    const warnings: string[] = [];
    const store = await scratch.open(path, { clock, warnings });
    expect(warnings).to.deep.equal([]);
    expect(await store.blockInfo(block.id)).to.deep.equal({
      id: block.id,
      sizeBytes: 5000,
      owners: [alice, bob],
      storedAtMs: clock.ms - 9,
      touchedAtMs: clock.ms - 5,
    });
    expect((await store.blockStates([block.id]))[0]?.ownerships).to.deep.equal([
      owned(alice, clock.ms - 5),
      owned(bob, clock.ms - 5),
    ]);
    expect(await store.blockInfo(other.id)).to.deep.include({ owners: [], trashedAtMs: clock.ms - 5 });
    expect(store.stats()).to.include({ blocks: 1, bytes: 8000 });
    expect(await store.releaseBlock(block.id, bob, clock.ms)).to.equal(true);
    expect(store.usedBytes(bob)).to.equal(0);
  });
});
