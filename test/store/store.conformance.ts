/** What every store does, whatever it is made of. */
import { expect } from 'chai';

import type { Clock } from '../../src/base/clock.js';
import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { hashToId, type Id, parseId } from '../../src/ring/identifier.js';
import type { DiskStatus } from '../../src/store/disk-health.js';
import type { Store, StoredRecord } from '../../src/store/store.js';

/** A clock that stands still until it is told to move. */
export class HandClock implements Clock {
  constructor(public ms = 1_700_000_000_000) {}
  nowMs = (): number => this.ms;
  monotonicMs = (): number => this.ms;
  setTimer = (): never => {
    throw new Error('a store sets no timers');
  };
}

export type MakeStore = (options: { clock: Clock; capacityBytes?: number }) => Promise<Store>;

export const alice = hashToId(utf8('alice'));
export const bob = hashToId(utf8('bob'));
export const firstId = parseId('0'.repeat(64));
export const lastId = parseId('f'.repeat(64));

/** What a store says of its disk when nothing has gone wrong. */
export const fineDisk: DiskStatus = { state: 'fine', sinceMs: null, reason: null, advice: null, errors: 0 };

/** A block made from a text. */
export function blockOf(text: string, sizeBytes = text.length): { id: Id; bytes: Uint8Array } {
  const bytes = Buffer.alloc(sizeBytes, text);
  return { id: hashToId(bytes), bytes };
}

export function recordOf(name: string, sequence: number, value: string): StoredRecord {
  return { id: hashToId(utf8(name)), sequence, bytes: utf8(value) };
}

/** The code that a promise is rejected with; fails when it is not. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PeerStoreError) return error.code;
    throw error;
  }
  throw new Error('was not rejected');
}

/** The suite. `make` gives a new, empty store each time; who made it ends it. */
export function conformsToStore(make: MakeStore): void {
  let clock: HandClock;
  let store: Store;
  const block = blockOf('one block of some bytes');
  const other = blockOf('another block');

  beforeEach(async () => {
    clock = new HandClock();
    store = await make({ clock });
  });

  describe('blocks', () => {
    for (const sizeBytes of [0, 1, 4095, 4096, 4097, 1 << 20, limits.blockBytes]) {
      it(`gives back a block of ${sizeBytes} bytes`, async () => {
        const { id, bytes } = blockOf('x', sizeBytes);
        expect(await store.putBlock(id, bytes, alice)).to.deep.equal({ isNew: true });
        const got = await store.getBlock(id);
        expect(got?.sizeBytes).to.equal(sizeBytes);
        expect(Buffer.compare(got!.bytes, bytes)).to.equal(0);
      });
    }

    it('refuses a block larger than a block may be', async () => {
      const { id, bytes } = blockOf('x', limits.blockBytes + 1);
      expect(await codeOf(store.putBlock(id, bytes, alice))).to.equal('PROTOCOL');
    });

    it('refuses bytes that do not have the id', async () => {
      expect(await codeOf(store.putBlock(block.id, other.bytes, alice))).to.equal('DAMAGED');
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(store.stats().bytes).to.equal(0);
    });

    it('knows nothing of what was never put', async () => {
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.getBlock(block.id, { range: { offset: 0, length: 1 } })).to.equal(undefined);
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(await store.touchBlocks([block.id], alice)).to.deep.equal([false]);
      expect(await store.releaseBlock(block.id, alice, clock.ms)).to.equal(true);
    });

    const size = block.bytes.length;
    const ranges: readonly [offset: number, length: number, from: number, to: number][] = [
      [0, 0, 0, 0],
      [0, 1, 0, 1],
      [1, 3, 1, 4],
      [0, size - 1, 0, size - 1],
      [0, size, 0, size],
      [0, size + 1, 0, size],
      [size - 1, 1, size - 1, size],
      [size - 1, 2, size - 1, size],
      [size, 1, size, size],
      [size + 1, 1, size, size],
    ];
    for (const [offset, length, from, to] of ranges) {
      it(`gives the bytes from ${from} to ${to} for offset ${offset} and length ${length}`, async () => {
        await store.putBlock(block.id, block.bytes, alice);
        for (const isChecked of [false, true]) {
          const got = await store.getBlock(block.id, { range: { offset, length }, isChecked });
          expect(Buffer.from(got!.bytes)).to.deep.equal(Buffer.from(block.bytes.subarray(from, to)));
          expect(got!.sizeBytes).to.equal(size);
        }
      });
    }

    it('keeps one of many puts of the same block at the same time, and answers them all', async () => {
      const { id, bytes } = blockOf('y', 100_000);
      const results = await Promise.all(
        Array.from({ length: 10 }, (_, at) => store.putBlock(id, bytes, at % 2 === 0 ? alice : bob)),
      );
      expect(results.filter(({ isNew }) => isNew)).to.have.length(1);
      expect(store.stats()).to.include({ blocks: 1, bytes: 100_000 });
      expect((await store.blockInfo(id))?.owners).to.have.members([alice, bob]);
    });

    it('says when a block was stored and touched, and by whom', async () => {
      await store.putBlock(block.id, block.bytes, alice);
      const storedAtMs = clock.ms;
      clock.ms += 5;
      expect(await store.putBlock(block.id, block.bytes, bob)).to.deep.equal({ isNew: false });
      expect(await store.blockInfo(block.id)).to.deep.equal({
        id: block.id,
        sizeBytes: size,
        owners: [alice, bob],
        storedAtMs,
        touchedAtMs: storedAtMs + 5,
      });
    });
  });

  describe('owners', () => {
    beforeEach(() => store.putBlock(block.id, block.bytes, alice));

    it('touches what is held, for a further owner, and tells what is not', async () => {
      clock.ms += 5;
      const held = await store.touchBlocks([other.id, block.id, block.id], bob);
      expect(held).to.deep.equal([false, true, true]);
      expect(await store.blockInfo(block.id)).to.deep.include({
        owners: [alice, bob],
        touchedAtMs: clock.ms,
      });
    });

    it('does not move a touch back when the clock was set back', async () => {
      const touchedAtMs = clock.ms;
      clock.ms -= 1000;
      await store.touchBlocks([block.id], alice);
      expect((await store.blockInfo(block.id))?.touchedAtMs).to.equal(touchedAtMs);
    });

    for (const [when, liveSetBy, released] of [
      ['before', -1, false],
      ['at', 0, true],
      ['after', 1, true],
    ] as const) {
      it(`${released ? 'releases' : 'keeps'} a block for a live set taken ${when} its touch`, async () => {
        expect(await store.releaseBlock(block.id, alice, clock.ms + liveSetBy)).to.equal(released);
        expect((await store.blockInfo(block.id))?.owners).to.deep.equal(released ? [] : [alice]);
      });
    }

    it('keeps a block while somebody owns it', async () => {
      await store.touchBlocks([block.id], bob);
      expect(await store.releaseBlock(block.id, alice, clock.ms)).to.equal(true);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [bob] });
      expect(await store.getBlock(block.id)).not.to.equal(undefined);
    });

    it('changes nothing when somebody releases what he does not own', async () => {
      expect(await store.releaseBlock(block.id, bob, clock.ms)).to.equal(true);
      expect(await store.releaseBlock(block.id, bob, clock.ms - 1)).to.equal(true);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [alice] });
      expect((await store.blockInfo(block.id))?.trashedAtMs).to.equal(undefined);
    });

    it('counts the bytes of each owner', async () => {
      await store.putBlock(other.id, other.bytes, alice);
      await store.touchBlocks([block.id], bob);
      expect(store.usedBytes(alice)).to.equal(block.bytes.length + other.bytes.length);
      expect(store.usedBytes(bob)).to.equal(block.bytes.length);
      await store.releaseBlock(block.id, alice, clock.ms);
      expect(store.usedBytes(alice)).to.equal(other.bytes.length);
      expect(store.usedBytes(hashToId(utf8('nobody')))).to.equal(0);
    });

    it('lets a touch and a release at the same time end as one after the other would', async () => {
      for (let round = 0; round < 20; round += 1) {
        const { id, bytes } = blockOf(`round ${round}`);
        await store.putBlock(id, bytes, alice);
        const liveSetAtMs = clock.ms;
        clock.ms += 1;
        const touch = store.touchBlocks([id], bob);
        const release = store.releaseBlock(id, alice, liveSetAtMs);
        expect(await touch).to.deep.equal([true]);
        expect(await release).to.equal(false);
        expect(await store.blockInfo(id)).to.deep.include({ owners: [alice, bob], touchedAtMs: clock.ms });
        expect(await store.getBlock(id)).not.to.equal(undefined);
      }
    });
  });

  describe('the trash', () => {
    beforeEach(async () => {
      await store.putBlock(block.id, block.bytes, alice);
      clock.ms += 10;
      await store.releaseBlock(block.id, alice, clock.ms);
    });

    it('takes the block that its last owner released', async () => {
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [], trashedAtMs: clock.ms });
      expect(await store.listKeys(firstId, 10)).to.deep.equal([]);
      expect(store.stats()).to.include({ blocks: 0, bytes: block.bytes.length });
    });

    it('gives a block back to who touches it', async () => {
      expect(await store.touchBlocks([block.id], bob)).to.deep.equal([true]);
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(block.bytes.length);
      const info = await store.blockInfo(block.id);
      expect(info?.owners).to.deep.equal([bob]);
      expect(info?.trashedAtMs).to.equal(undefined);
    });

    it('gives a block back to who posts it', async () => {
      expect(await store.putBlock(block.id, block.bytes, bob)).to.deep.equal({ isNew: true });
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(block.bytes.length);
      expect(store.stats()).to.include({ blocks: 1, bytes: block.bytes.length });
    });

    it('is emptied of what has been in it since before a moment', async () => {
      expect(await store.emptyTrash(clock.ms)).to.equal(0);
      expect(await store.blockInfo(block.id)).not.to.equal(undefined);
      expect(await store.emptyTrash(clock.ms + 1)).to.equal(block.bytes.length);
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(store.stats()).to.include({ blocks: 0, bytes: 0 });
      expect(await store.putBlock(block.id, block.bytes, alice)).to.deep.equal({ isNew: true });
    });

    it('has what went there by a clock that was ahead lie there since it is emptied next', async () => {
      clock.ms -= 1000;
      expect(await store.emptyTrash(clock.ms - 500)).to.equal(0);
      expect((await store.blockInfo(block.id))?.trashedAtMs).to.equal(clock.ms);
      clock.ms += 5;
      expect(await store.emptyTrash(clock.ms - 5)).to.equal(0);
      expect(await store.emptyTrash(clock.ms)).to.equal(block.bytes.length);
    });

    it('has a part in the latest time that was noted of any block', async () => {
      expect(store.stats().latestMs).to.equal(clock.ms);
      clock.ms += 10;
      await store.touchBlocks([block.id], bob);
      expect(store.stats().latestMs).to.equal(clock.ms);
    });

    it('does not lose a block that is touched while the trash is emptied', async () => {
      for (let round = 0; round < 10; round += 1) {
        const one = blockOf(`round ${round}`);
        await store.putBlock(one.id, one.bytes, alice);
        await store.releaseBlock(one.id, alice, clock.ms);
        clock.ms += 1;
        const [[held]] = await Promise.all([
          store.touchBlocks([one.id], bob) as Promise<[boolean]>,
          store.emptyTrash(clock.ms),
        ]);
        expect((await store.getBlock(one.id)) !== undefined).to.equal(held);
      }
    });
  });

  describe('records', () => {
    it('gives back the record with the highest number', async () => {
      await store.putRecord(recordOf('a', 1, 'one'));
      await store.putRecord(recordOf('a', 5, 'five'));
      const got = await store.getRecord(recordOf('a', 0, '').id);
      expect(got).to.deep.include({ sequence: 5 });
      expect(Buffer.from(got!.bytes).toString()).to.equal('five');
      expect(store.stats()).to.include({ records: 1, bytes: 4 });
    });

    it('knows nothing of a record that was never put', async () => {
      expect(await store.getRecord(alice)).to.equal(undefined);
    });

    for (const [what, sequence, value, accepted] of [
      ['the same value again', 5, 'five', true],
      ['another value for the number', 5, 'cinq', false],
      ['another value for a lower number', 4, 'four', false],
      ['the next number', 6, 'six', true],
      ['the next number with the same value', 6, 'five', true],
    ] as const) {
      it(`${accepted ? 'accepts' : 'refuses'} ${what}`, async () => {
        await store.putRecord(recordOf('a', 5, 'five'));
        const put = store.putRecord(recordOf('a', sequence, value));
        if (accepted) await put;
        else expect(await codeOf(put)).to.equal('CONFLICT');
        const got = await store.getRecord(recordOf('a', 0, '').id);
        expect(got?.sequence).to.equal(accepted ? sequence : 5);
        expect(Buffer.from(got!.bytes).toString()).to.equal(accepted ? value : 'five');
      });
    }

    it('accepts exactly one of many values for a number at the same time', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, at) => store.putRecord(recordOf('a', 1, `value ${at}`))),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    });

    for (const [sizeBytes, fits] of [
      [0, true],
      [limits.recordBytes, true],
      [limits.recordBytes + 1, false],
    ] as const) {
      it(`${fits ? 'keeps' : 'refuses'} a record of ${sizeBytes} bytes`, async () => {
        const put = store.putRecord({ id: alice, sequence: 0, bytes: new Uint8Array(sizeBytes) });
        if (fits) await put;
        else expect(await codeOf(put)).to.equal('PROTOCOL');
        expect((await store.getRecord(alice))?.bytes.length).to.equal(fits ? sizeBytes : undefined);
      });
    }
  });

  describe('capacity', () => {
    it('is filled to the last byte and not beyond, while all that is held is served', async () => {
      const small = await make({ clock, capacityBytes: 100_000 });
      const [a, b, c] = [blockOf('a', 60_000), blockOf('b', 40_000), blockOf('c', 1)];
      await small.putBlock(a.id, a.bytes, alice);
      await small.putBlock(b.id, b.bytes, alice);
      expect(await codeOf(small.putBlock(c.id, c.bytes, alice))).to.equal('NO_SPACE');
      expect(await codeOf(small.putRecord(recordOf('r', 1, 'x')))).to.equal('NO_SPACE');
      expect(await small.getBlock(c.id)).to.equal(undefined);
      expect((await small.getBlock(a.id))?.sizeBytes).to.equal(60_000);
      expect(small.stats().disk.state).to.equal('full');
      expect(await small.putBlock(a.id, a.bytes, bob)).to.deep.equal({ isNew: false });
      expect(small.stats()).to.include({ bytes: 100_000, capacityBytes: 100_000 });
      await small.releaseBlock(b.id, alice, clock.ms);
      await small.emptyTrash(clock.ms + 1);
      await small.putBlock(c.id, c.bytes, alice);
      expect(small.stats().disk.state).to.equal('fine');
      await small.putRecord(recordOf('r', 1, 'x'));
    });

    it('is nearly reached from nine tenths on, and the store says so', async () => {
      const small = await make({ clock, capacityBytes: 100_000 });
      const [a, b] = [blockOf('a', 90_000), blockOf('b', 1)];
      await small.putBlock(a.id, a.bytes, alice);
      expect(small.stats().disk.state).to.equal('fine');
      clock.ms += 5;
      await small.putBlock(b.id, b.bytes, alice);
      expect(small.stats().disk).to.include({ state: 'nearly full', sinceMs: clock.ms });
      await small.lookAtDisk();
      expect(small.stats().disk.state).to.equal('nearly full');
    });

    it('is not exceeded by puts at the same time', async () => {
      const small = await make({ clock, capacityBytes: 100_000 });
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, at) => {
          const { id, bytes } = blockOf(`${at}`, 30_000);
          return small.putBlock(id, bytes, alice);
        }),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(3);
      expect(small.stats().bytes).to.equal(90_000);
    });

    it('is used up by small values as by the files that they take', async () => {
      const small = await make({ clock, capacityBytes: 3 * limits.storedValueBytesMin });
      const [a, b, c] = [blockOf('', 0), blockOf('b', 1), blockOf('c', limits.storedValueBytesMin)];
      await small.putBlock(a.id, a.bytes, alice);
      await small.putBlock(b.id, b.bytes, alice);
      await small.putRecord(recordOf('r', 1, 'x'));
      expect(await codeOf(small.putBlock(c.id, c.bytes, alice))).to.equal('NO_SPACE');
      expect(small.stats()).to.include({ bytes: 2 });
      expect(small.usedBytes(alice)).to.equal(1);
      await small.putRecord(recordOf('r', 2, 'a longer one that takes no more of the disk'));
      expect(await codeOf(small.putRecord(recordOf('r', 3, 'x'.repeat(5000))))).to.equal('NO_SPACE');
      await small.releaseBlock(b.id, alice, clock.ms);
      await small.emptyTrash(clock.ms + 1);
      await small.putBlock(c.id, c.bytes, alice);
    });
  });

  it('lists blocks and records in the order of their ids, from any id on', async () => {
    const ids: { id: Id; kind: 'block' | 'record' }[] = [];
    for (let at = 0; at < 12; at += 1) {
      const { id, bytes } = blockOf(`block ${at}`);
      await store.putBlock(id, bytes, alice);
      const record = recordOf(`record ${at}`, at, 'value');
      await store.putRecord(record);
      ids.push({ id, kind: 'block' }, { id: record.id, kind: 'record' });
    }
    ids.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const limit of [0, 1, 23, 24, 25]) {
      expect(await store.listKeys(firstId, limit)).to.deep.equal(ids.slice(0, limit));
    }
    expect(await store.listKeys(ids[5]!.id, 3)).to.deep.equal(ids.slice(5, 8));
    expect(await store.listKeys(lastId, 3)).to.deep.equal([]);
    expect(store.stats()).to.include({ blocks: 12, records: 12 });
  });
}
