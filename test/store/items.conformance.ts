/** What every store lists, drops and finds out about its own values. */
import { expect } from 'chai';

import { type Id, idPlusPowerOfTwo } from '../../src/ring/identifier.js';
import { allKeys, isInRange, type KeyRange } from '../../src/ring/key-range.js';
import { fingerprintOf } from '../../src/store/fingerprints.js';
import type { BlockState, KeyItem, Store } from '../../src/store/store.js';
import { bury, itemOf, owned } from './exchange.conformance.js';
import {
  alice,
  blockOf,
  bob,
  codeOf,
  firstId,
  HandClock,
  type MakeStore,
  recordOf,
} from './store.conformance.js';

/** Turns a byte of a value over where a store keeps it. */
export type Garble = (store: Store, key: Pick<KeyItem, 'id' | 'kind'>) => Promise<void>;

/** The suite. `make` gives a new, empty store each time; who made it ends it. */
export function knowsItsItems(make: MakeStore, garble: Garble): void {
  let clock: HandClock;
  let store: Store;
  const block = blockOf('one block of some bytes');
  const record = recordOf('a', 5, 'five');

  beforeEach(async () => {
    clock = new HandClock();
    store = await make({ clock });
  });

  describe('items', () => {
    const ids: Id[] = [];

    beforeEach(async () => {
      ids.splice(0);
      await bury(store, clock, block);
      const gone: BlockState = { sizeBytes: 6, ownerships: [owned(bob, 1, clock.ms)] };
      for (let at = 0; at < 40; at += 1) {
        const { id, bytes } = blockOf(`block ${at}`);
        await store.putBlock(id, bytes, alice);
        if (at % 4 === 0) await store.releaseBlock(id, alice, clock.ms);
        if (at % 8 === 0) await store.mergeBlock(blockOf(`gone ${at}`).id, gone);
      }
      for (let at = 0; at < 10; at += 1) await store.putRecord(recordOf(`record ${at}`, at, 'value'));
      ids.push(...(await store.items(allKeys, 1000)).map(({ id }) => id));
    });

    it('are blocks held, in the trash and gone, and records, in the order of their ids', async () => {
      expect(ids).to.have.length(1 + 40 + 5 + 10);
      expect(ids).to.deep.equal([...ids].sort());
      expect(await itemOf(store, recordOf('record 1', 0, '').id)).to.include({ kind: 'record' });
      expect(await itemOf(store, block.id)).to.include({ kind: 'block' });
      for (const limit of [0, 1, 55, 56, 57]) {
        expect((await store.items(allKeys, limit)).map(({ id }) => id)).to.deep.equal(ids.slice(0, limit));
      }
      const range = { first: ids[5]!, last: ids[9]! };
      expect((await store.items(range, 100)).map(({ id }) => id)).to.deep.equal(ids.slice(5, 10));
      expect((await store.items(range, 2)).map(({ id }) => id)).to.deep.equal(ids.slice(5, 7));
    });

    it('come to the fingerprint of their range', async () => {
      const near = (id: Id): readonly Id[] => [id, idPlusPowerOfTwo(id, 0), idPlusPowerOfTwo(id, 248)];
      const bounds = [
        allKeys.first,
        ...ids.slice(0, 8).flatMap(near),
        ...ids.slice(-8).flatMap(near),
        allKeys.last,
      ];
      bounds.sort();
      const keys = await store.listKeys(firstId, 1000);
      for (const first of bounds) {
        for (const last of bounds.filter((one) => one >= first)) {
          const range: KeyRange = { first, last };
          const items = await store.items(range, 1000);
          const counted = items.map(({ digest }) => ({ digest, isHeld: false }));
          const held = keys.filter(({ id }) => isInRange(id, range)).length;
          expect(await store.fingerprint(range)).to.deep.equal({ ...fingerprintOf(counted), held });
        }
      }
    });

    it('are the same wherever the same is known, and others where it is not', async () => {
      const copy = await make({ clock });
      clock.ms += 1000;
      const items = await store.items(allKeys, 1000);
      for (const { id, kind } of items) {
        if (kind === 'record') await copy.putRecord((await store.getRecord(id))!);
        else {
          const [state] = await store.blockStates([id]);
          await copy.mergeBlock(id, state!, (await store.getBlock(id))?.bytes);
        }
      }
      expect(await copy.items(allKeys, 1000)).to.deep.equal(items);
      expect(await copy.fingerprint(allKeys)).to.deep.equal(await store.fingerprint(allKeys));
      await copy.touchBlocks([blockOf('block 1').id], alice);
      expect(await copy.fingerprint(allKeys)).not.to.deep.equal(await store.fingerprint(allKeys));
      await copy.putRecord(recordOf('record 1', 2, 'value'));
      expect((await itemOf(copy, recordOf('record 1', 0, '').id)).digest).not.to.deep.equal(
        (await itemOf(store, recordOf('record 1', 0, '').id)).digest,
      );
    });

    it('are told apart by their kind where a block and a record share an id, and held when they have the same digest', async () => {
      const { id } = blockOf('block 1');
      await store.putRecord({ ...recordOf('record of a block', 1, 'value'), id });
      const items = await store.items({ first: id, last: id }, 10);
      expect(items.map(({ kind }) => kind)).to.have.members(['block', 'record']);
      for (const item of items) {
        expect(await store.itemOf(id, item.kind)).to.deep.equal(item);
        expect(await store.holdsItem(item)).to.equal(true);
        expect(await store.holdsItem({ ...item, digest: new Uint8Array(16) })).to.equal(false);
        expect(await store.holdsItem({ ...item, kind: item.kind === 'block' ? 'record' : 'block' })).to.equal(
          false,
        );
      }
      // What nobody owns any more has no bytes that anybody needs.
      for (const other of [blockOf('block 4').id, block.id])
        expect(await store.holdsItem((await store.itemOf(other, 'block'))!)).to.equal(true);
      const { id: recordOnly } = recordOf('record 1', 0, '');
      expect(await store.itemOf(recordOnly, 'block')).to.equal(undefined);
      expect(await store.itemOf(alice, 'record')).to.equal(undefined);
    });

    it('are not dropped while their bytes lie in the trash', async () => {
      const { id } = blockOf('block 4');
      const item = await itemOf(store, id);
      expect(await store.dropItem(item)).to.equal(false);
      expect((await store.blockInfo(id))?.trashedAtMs).to.equal(clock.ms);
      await store.emptyTrash(clock.ms + 1);
      expect(await itemOf(store, id)).to.deep.equal(item);
      expect(await store.dropItem(item)).to.equal(true);
      expect(await store.blockStates([id])).to.deep.equal([undefined]);
    });

    it('are dropped without a trace, unless they have another digest by now', async () => {
      const held = blockOf('block 1').id;
      for (const id of [held, blockOf('block 4').id, block.id, recordOf('record 1', 0, '').id]) {
        const item = await itemOf(store, id);
        const fingerprint = await store.fingerprint(allKeys);
        expect(await store.dropItem({ ...item, digest: new Uint8Array(16) })).to.equal(false);
        expect(await store.fingerprint(allKeys)).to.deep.equal(fingerprint);
        expect(await store.dropItem(item, { andTrash: true })).to.equal(true);
        expect(await store.dropItem(item)).to.equal(true);
        expect(await store.items({ first: id, last: id }, 10)).to.deep.equal([]);
        expect(await store.blockStates([id])).to.deep.equal([undefined]);
      }
      expect(await store.getBlock(held)).to.equal(undefined);
      expect(await store.getRecord(recordOf('record 1', 0, '').id)).to.equal(undefined);
      expect(store.stats()).to.include({ blocks: 29, records: 9 });
      expect(await store.fingerprint(allKeys)).to.include({ count: 52 });
      await store.emptyTrash(clock.ms + 1);
      expect(store.stats().bytes).to.equal(
        [...Array(40).keys()].reduce(
          (sum, at) => sum + (at % 4 === 0 || at === 1 ? 0 : `block ${at}`.length),
          9 * 5,
        ),
      );
    });
  });

  describe('a block that is damaged', () => {
    for (const [what, options] of [
      ['', {}],
      [', also where a part of it is asked for', { range: { offset: 0, length: 1 } }],
    ] as const) {
      it(`is given as it is until it is checked, and then set aside${what}`, async () => {
        await store.putBlock(block.id, block.bytes, alice);
        await garble(store, { id: block.id, kind: 'block' });
        expect((await store.getBlock(block.id, options))?.sizeBytes).to.equal(block.bytes.length);
        expect(store.stats()).to.include({ blocks: 1, damaged: 0 });
        expect(await codeOf(store.getBlock(block.id, { ...options, isChecked: true }))).to.equal('DAMAGED');
        expect(store.stats()).to.include({ blocks: 0, bytes: 0, damaged: 1 });
        expect(await store.getBlock(block.id, options)).to.equal(undefined);
        await store.putBlock(block.id, block.bytes, alice);
        expect((await store.getBlock(block.id, { isChecked: true }))?.bytes).to.deep.equal(block.bytes);
        expect(store.stats()).to.include({ damaged: 1, mended: 1 });
      });
    }
  });

  describe('a scrub', () => {
    beforeEach(async () => {
      for (let at = 0; at < 10; at += 1) {
        const { id, bytes } = blockOf(`block ${at}`, 1000);
        await store.putBlock(id, bytes, alice);
      }
      await store.putRecord(record);
    });

    it('reads everything once, however small its steps are', async () => {
      for (const [budgetBytes, steps] of [
        [1, 11],
        [1000, 11],
        [10_000, 2],
        [20_000, 1],
      ] as const) {
        let from: Id | undefined = firstId;
        let readBytes = 0;
        let count = 0;
        for (; from !== undefined; count += 1) {
          const result = await store.scrub(from, budgetBytes);
          expect(result.damaged).to.deep.equal([]);
          readBytes += result.readBytes;
          from = result.next;
        }
        expect(readBytes).to.equal(10_004);
        expect(count).to.be.oneOf([steps, steps - 1]);
      }
    });

    it('goes on where it is told to, and leaves the trash alone', async () => {
      const ids = (await store.listKeys(firstId, 20)).map(({ id }) => id);
      const [step] = [await store.scrub(ids[3]!, 1)];
      expect(step.next).to.equal(ids[4]);
      await store.putBlock(block.id, block.bytes, alice);
      await store.releaseBlock(block.id, alice, clock.ms);
      expect((await store.scrub(firstId, 100_000)).readBytes).to.equal(10_004);
      expect(await store.scrub(firstId, 0)).to.deep.equal({
        next: ids[0],
        readBytes: 0,
        damaged: [],
        unreadable: [],
      });
    });

    it('finds what is damaged, sets it aside, and goes on', async () => {
      const ids = [blockOf('block 3', 1000).id, blockOf('block 7', 1000).id].sort();
      for (const id of ids) await garble(store, { id, kind: 'block' });
      await garble(store, { id: record.id, kind: 'record' });
      const { next, damaged } = await store.scrub(firstId, 100_000);
      expect(next).to.equal(undefined);
      expect(damaged).to.deep.equal([...ids, record.id].sort());
      expect(store.stats()).to.include({ blocks: 8, records: 0, damaged: 3 });
      expect(await store.getBlock(ids[0]!)).to.equal(undefined);
      expect(await store.getRecord(record.id)).to.equal(undefined);
      expect(await store.fingerprint(allKeys)).to.include({ count: 8 });
      expect((await store.scrub(firstId, 100_000)).damaged).to.deep.equal([]);
    });
  });
}
