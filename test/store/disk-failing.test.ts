import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import { hasCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import type { DiskState } from '../../src/store/disk-health.js';
import type { Store } from '../../src/store/store.js';
import { filesOf, pathOfBlock, Scratch } from './disk-helpers.js';
import { FailingDisk } from './failing-disk.js';
import { alice, blockOf, bob, codeOf, fineDisk, firstId, recordOf } from './store.conformance.js';

const held = blockOf('what is held', 5000);
const next = blockOf('what comes next', 3000);
const record = recordOf('head', 7, 'signed value');

describe('the store on a disk that fails', () => {
  const scratch = new Scratch();
  let path: string;
  let disk: FailingDisk;
  let store: Store;
  let warnings: string[];

  const put = ({ id, bytes }: typeof held): Promise<unknown> => store.putBlock(id, bytes, alice);
  const state = (): DiskState => store.stats().disk.state;

  beforeEach(async () => {
    path = await scratch.directory();
    disk = new FailingDisk();
    warnings = [];
    store = await open();
    await put(held);
    await store.putRecord(record);
  });
  afterEach(() => scratch.clear());

  function open(): Promise<Store> {
    return scratch.open(path, { system: disk.system, warnings });
  }

  async function expectServed(): Promise<void> {
    expect((await store.getBlock(held.id))?.bytes).to.deep.equal(held.bytes);
    expect((await store.getRecord(record.id))?.sequence).to.equal(7);
  }

  /** What it does from the failure on, whatever works again: nothing new, nothing to rely on, and all that it has. */
  async function expectFailing(): Promise<void> {
    disk.heal();
    expect(state()).to.equal('failing');
    const other = blockOf('something else');
    const [item] = await store.items({ first: held.id, last: held.id }, 1);
    const [known] = await store.blockStates([held.id]);
    expect(await codeOf(put(other))).to.equal('IO');
    expect(await codeOf(store.putRecord(recordOf('other', 1, 'x')))).to.equal('IO');
    expect(await codeOf(store.touchBlocks([held.id], bob))).to.equal('IO');
    expect(await codeOf(store.mergeBlock(held.id, known!))).to.equal('IO');
    expect(await store.holdsItem(item!)).to.equal(false);
    await store.lookAtDisk();
    expect(state()).to.equal('failing');
    expect(existsSync(pathOfBlock(path, other.id))).to.equal(false);
    await expectServed();
  }

  async function openAgain(): Promise<void> {
    await store.close();
    warnings.length = 0;
    store = await open();
    expect(store.stats().disk).to.deep.equal(fineDisk);
    await expectServed();
  }

  it('keeps nothing of a block that could not be synced, and trusts the disk no more', async () => {
    disk.fail('fdatasync', 'EIO', join(path, 'tmp'));
    expect(await codeOf(put(next))).to.equal('IO');
    expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    expect(await filesOf(path, 'blocks')).to.deep.equal([held.id]);
    await expectFailing();
    await openAgain();
    expect(await store.getBlock(next.id)).to.equal(undefined);
    await put(next);
  });

  for (const call of ['rename', 'fsync'] as const) {
    it(`keeps nothing of a block of which the name failed to be written (${call})`, async () => {
      disk.fail(call, 'EIO', join('blocks', next.id.slice(0, 2)));
      expect(await codeOf(put(next))).to.equal('IO');
      expect(await store.getBlock(next.id)).to.equal(undefined);
      expect(await filesOf(path, 'tmp')).to.deep.equal([]);
      expect(await filesOf(path, 'blocks')).to.deep.equal([held.id]);
      if (call === 'fsync') await expectFailing();
    });
  }

  it('keeps the record from before when a new one cannot be synced', async () => {
    disk.fail('fdatasync', 'EIO', join(path, 'tmp'));
    expect(await codeOf(store.putRecord(recordOf('head', 8, 'newer')))).to.equal('IO');
    expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    await expectFailing();
    await openAgain();
  });

  it('does not acknowledge a block of which the index could not be synced, and makes the index again', async () => {
    disk.fail('fdatasync', 'EIO', 'data.mdb');
    const owners = Array.from({ length: 1000 }, (_, at) => blockOf(`owner ${at}`).id).sort();
    const ownerships = owners.map((owner) => ({ owner, touchedAtMs: 1, releasedAtMs: 0 }));
    const kept = [held.id];
    // Until the index has to grow.
    for (let at = 0, isRefused = false; !isRefused; at += 1) {
      const { id, bytes } = blockOf(`block ${at}`);
      try {
        await store.mergeBlock(id, { sizeBytes: bytes.length, ownerships }, bytes);
        kept.push(id);
      } catch (error) {
        isRefused = hasCode(error, 'IO');
        expect(await store.getBlock(id)).to.equal(undefined);
        expect(existsSync(pathOfBlock(path, id))).to.equal(false);
      }
    }
    expect(kept.length).to.be.greaterThan(3);
    disk.heal();
    // Nothing that needs the index, either: it would be committed to a file of which nobody knows what is on disk.
    expect(await codeOf(store.releaseBlock(held.id, alice, Infinity))).to.equal('IO');
    await expectFailing();
    expect(await store.listKeys(firstId, 1000)).to.have.length(kept.length + 1);
    await openAgain();
    expect(warnings[0]).to.include('the index of the store is made again from the files');
    expect(await readdir(join(path, 'damaged'))).to.deep.equal(['index']);
    for (const id of kept) expect(await store.getBlock(id)).not.to.equal(undefined);
    await openAgain();
    expect(warnings).to.deep.equal([]);
  });

  it('refuses the one block that could not be written, and takes the next', async () => {
    disk.fail('write', 'EIO');
    expect(await codeOf(put(next))).to.equal('IO');
    expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    disk.heal();
    expect(store.stats().disk).to.deep.equal({ ...fineDisk, errors: 1 });
    await put(next);
  });

  it('is to be replaced when it can read several files no more, and goes on with the others', async () => {
    const blocks = Array.from({ length: limits.diskErrorFiles }, (_, at) => blockOf(`unreadable ${at}`));
    for (const block of blocks) await put(block);
    disk.fault = (call, file) =>
      call === 'read' && blocks.some(({ id }) => file.includes(id)) ? 'EIO' : undefined;
    for (const [at, { id }] of blocks.entries()) {
      expect(state()).to.equal('fine');
      expect(await codeOf(store.getBlock(id))).to.equal('DAMAGED');
      expect(store.stats().disk.errors).to.equal(at + 1);
    }
    expect(store.stats().damaged).to.equal(blocks.length);
    await expectFailing();
  });

  it('says that it is read-only, takes nothing until it can be written again, and then does', async () => {
    disk.fail('open', 'EROFS', join(path, 'tmp'));
    expect(await codeOf(put(next))).to.equal('IO');
    expect(state()).to.equal('read-only');
    await expectServed();
    await store.lookAtDisk();
    expect(state()).to.equal('read-only');
    disk.heal();
    expect(await codeOf(put(next))).to.equal('IO');
    await store.lookAtDisk();
    expect(store.stats().disk).to.deep.equal(fineDisk);
    await put(next);
  });

  for (const code of ['ENOSPC', 'EDQUOT']) {
    it(`says that it is full (${code}), and that it is no more when what it refused could be written`, async () => {
      disk.fail('write', code);
      expect(await codeOf(put(next))).to.equal('NO_SPACE');
      expect(state()).to.equal('full');
      await store.lookAtDisk();
      expect(state()).to.equal('full');
      expect(await filesOf(path, 'tmp')).to.deep.equal([]);
      disk.heal();
      await store.putRecord(recordOf('small', 1, 'x'));
      expect(state()).to.equal('full');
      await store.lookAtDisk();
      expect(state()).to.equal('fine');
      expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    });
  }

  it('wants no bytes sent for which there is no room, until there is', async () => {
    const told = ({ id, bytes }: typeof held): Promise<string> => {
      const ownerships = [{ owner: alice, touchedAtMs: 1, releasedAtMs: 0 }];
      return store.mergeBlock(id, { sizeBytes: bytes.length, ownerships });
    };
    disk.fail('write', 'ENOSPC');
    expect(await codeOf(put(next))).to.equal('NO_SPACE');
    expect(await codeOf(told(next))).to.equal('NO_SPACE');
    expect(await codeOf(told(blockOf('larger', 4000)))).to.equal('NO_SPACE');
    expect(await told(blockOf('smaller', 2000))).to.equal('needs bytes');
    disk.heal();
    await store.lookAtDisk();
    expect(await told(next)).to.equal('needs bytes');
  });

  it('is full when a block finds no room at its sync, and keeps nothing of it', async () => {
    disk.fail('fdatasync', 'ENOSPC', join(path, 'tmp'));
    expect(await codeOf(put(next))).to.equal('NO_SPACE');
    expect(state()).to.equal('full');
    expect(await filesOf(path, 'blocks')).to.deep.equal([held.id]);
  });

  it('says that it is nearly full when little is left on the file system', async () => {
    disk.freeBytes = limits.diskLeftBytes - 1;
    await store.lookAtDisk();
    expect(state()).to.equal('nearly full');
    expect(warnings.at(-1)).to.match(/^the disk is nearly full: .*add a peer/);
    await put(next);
    disk.freeBytes *= 2;
    await store.lookAtDisk();
    expect(state()).to.equal('fine');
  });

  it('counts what is whole again after it was damaged', async () => {
    disk.fault = (call, file) =>
      call === 'read' && (file.includes(held.id) || file.includes(record.id)) ? 'EIO' : undefined;
    expect((await store.scrub(firstId, 1_000_000)).damaged).to.have.members([held.id, record.id]);
    disk.heal();
    expect(store.stats()).to.include({ damaged: 2, mended: 0 });
    await put(next);
    await put(held);
    expect(store.stats()).to.include({ damaged: 2, mended: 1 });
    await store.putRecord(record);
    expect(store.stats()).to.include({ damaged: 2, mended: 2 });
    await store.putRecord(recordOf('head', 8, 'newer'));
    expect(store.stats()).to.include({ damaged: 2, mended: 2 });
  });
});
