import { writeFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';

import { hasCode } from '../../src/base/errors.js';
import type { Id } from '../../src/ring/identifier.js';
import { filesOf, Scratch } from './disk-helpers.js';
import { alice, blockOf, bob, codeOf, firstId, HandClock, recordOf } from './store.conformance.js';

const MiB = 1024 * 1024;

describe('the store on a full disk', function () {
  const scratch = new Scratch();
  let path: string;

  beforeEach(async function () {
    const disk = await scratch.smallDisk(12 * MiB);
    if (disk === undefined) this.skip(); // mounting a small disk needs root and the permission to mount
    path = join(disk, 'data');
  });
  afterEach(() => scratch.clear());

  it('refuses writes with NO_SPACE, leaves nothing of them behind, and goes on reading', async () => {
    const clock = new HandClock();
    const store = await scratch.open(path, { clock });
    const kept: Id[] = [];
    let refused = 0;
    for (let at = 0; refused < 3; at += 1) {
      const { id, bytes } = blockOf(`block ${at}`, MiB / 2);
      try {
        await store.putBlock(id, bytes, alice);
        kept.push(id);
      } catch (error) {
        if (!hasCode(error, 'NO_SPACE')) throw error;
        expect(error.message).to.match(/the disk is full .* make room/);
        expect(await store.blockInfo(id)).to.equal(undefined);
        refused += 1;
      }
    }
    expect(kept.length).to.be.greaterThan(5);
    expect(store.stats().disk.state).to.equal('full');
    expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    expect(await filesOf(path, 'blocks')).to.have.members(kept);
    expect(store.stats()).to.include({ blocks: kept.length, bytes: (kept.length * MiB) / 2 });

    // To the last byte: now a record does not fit, either, but the index has its room.
    await fill(join(path, 'fill'));
    expect(await codeOf(store.putRecord(recordOf('r', 1, 'value')))).to.equal('NO_SPACE');
    expect(await filesOf(path, 'tmp')).to.deep.equal([]);
    expect(await store.touchBlocks(kept, bob)).to.deep.equal(kept.map(() => true));
    for (const id of kept) expect((await store.getBlock(id))?.sizeBytes).to.equal(MiB / 2);

    await store.close();
    const again = await scratch.open(path, { clock });
    expect(await again.listKeys(firstId, 100)).to.have.length(kept.length);
    expect(again.usedBytes(bob)).to.equal((kept.length * MiB) / 2);
    expect((await again.getBlock(kept[0]!))?.sizeBytes).to.equal(MiB / 2);

    await unlink(join(path, 'fill'));
    await again.putRecord(recordOf('r', 1, 'value'));
  });

  it('frees room when the trash is emptied', async () => {
    const clock = new HandClock();
    const store = await scratch.open(path, { clock });
    const { id, bytes } = blockOf('first', MiB);
    await store.putBlock(id, bytes, alice);
    await store.releaseBlock(id, alice, clock.ms);
    await fill(join(path, 'fill'));
    const second = blockOf('second', MiB);
    expect(await codeOf(store.putBlock(second.id, second.bytes, alice))).to.equal('NO_SPACE');
    await store.lookAtDisk();
    expect(store.stats().disk.state).to.equal('full');
    expect(await store.emptyTrash(clock.ms + 1)).to.equal(MiB);
    await store.lookAtDisk();
    expect(store.stats().disk.state).to.equal('fine');
    await store.putBlock(second.id, second.bytes, alice);
  });

  it('survives a disk that fills up while the index has to grow', async () => {
    const store = await scratch.open(path);
    const owners = Array.from({ length: 1000 }, (_, at) => blockOf(`owner ${at}`).id);
    const blocks = Array.from({ length: 24 }, (_, at) => blockOf(`small ${at}`));
    for (const { id, bytes } of blocks) await store.putBlock(id, bytes, alice);
    await fill(join(path, 'fill'), 64 * 1024);
    let refused = 0;
    for (const owner of owners) {
      if (refused === 100) break;
      try {
        await store.touchBlocks(
          blocks.map(({ id }) => id),
          owner,
        );
      } catch (error) {
        if (!hasCode(error, 'NO_SPACE')) throw error;
        refused += 1;
      }
    }
    expect(refused).to.be.greaterThan(0);
    for (const { id } of blocks) expect(await store.getBlock(id)).not.to.equal(undefined);
  });

  it('cannot be opened for the first time', async () => {
    await fill(`${path}-fill`);
    expect(await codeOf(scratch.open(path))).to.equal('NO_SPACE');
  });
});

/** Fills the disk, but for some bytes. */
async function fill(path: string, leaveBytes = 0): Promise<void> {
  const rest = `${path}-rest`;
  if (leaveBytes > 0) await writeFile(rest, Buffer.alloc(leaveBytes));
  for (const size of [MiB, 64 * 1024, 4096]) {
    const piece = Buffer.alloc(size);
    try {
      for (;;) await writeFile(path, piece, { flag: 'a' });
    } catch {
      // No room for a piece of this size any more.
    }
  }
  if (leaveBytes > 0) await unlink(rest);
}
