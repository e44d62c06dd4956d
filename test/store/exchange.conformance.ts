/** What every store tells other holders, and takes over from them. */
import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import type { Id } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import type { Ownership } from '../../src/store/ownership.js';
import type { BlockState, KeyItem, Store } from '../../src/store/store.js';
import { alice, blockOf, bob, codeOf, firstId, HandClock, type MakeStore } from './store.conformance.js';

export function owned(owner: Id, touchedAtMs: number, releasedAtMs = 0): Ownership {
  return { owner, touchedAtMs, releasedAtMs };
}

/** The one item of a range of one key. */
export async function itemOf(store: Store, id: Id): Promise<KeyItem> {
  const items = await store.items({ first: id, last: id }, 10);
  expect(items).to.have.length(1);
  return items[0]!;
}

/** Puts a block, releases it, and empties the trash; a minute each. */
export async function bury(
  store: Store,
  clock: HandClock,
  { id, bytes }: ReturnType<typeof blockOf>,
): Promise<void> {
  await store.putBlock(id, bytes, alice);
  clock.ms += 60_000;
  await store.releaseBlock(id, alice, clock.ms);
  clock.ms += 60_000;
  expect(await store.emptyTrash(clock.ms)).to.equal(bytes.length);
}

/** The suite. `make` gives a new, empty store each time; who made it ends it. */
export function exchangesWithOthers(make: MakeStore): void {
  let clock: HandClock;
  let store: Store;
  let now: number;
  const day = 86_400_000;
  const firstMs = new HandClock().ms;
  const midnight = firstMs - (firstMs % day) + day;
  const block = blockOf('one block of some bytes');
  const other = blockOf('another block');
  const size = block.bytes.length;
  const stateOf = (...ownerships: readonly Ownership[]): BlockState => ({ sizeBytes: size, ownerships });
  const known = async (): Promise<BlockState | undefined> => (await store.blockStates([block.id]))[0];

  beforeEach(async () => {
    clock = new HandClock();
    now = clock.ms;
    store = await make({ clock });
  });

  const buryIt = (): Promise<void> => bury(store, clock, block);

  describe('the time of a touch', () => {
    for (const [what, saidMs, noted] of [
      ['is taken as it was said', firstMs - 5000, firstMs - 5000],
      ['may be ahead as far as a clock may be', firstMs + limits.clockSkewMs, firstMs + limits.clockSkewMs],
      ['is that of the end of the day when it is further ahead', firstMs + 2 * day, midnight],
    ] as const) {
      it(what, async () => {
        await store.putBlock(block.id, block.bytes, alice, saidMs);
        await store.touchBlocks([block.id], bob, saidMs);
        expect((await known())?.ownerships).to.deep.equal([owned(alice, noted), owned(bob, noted)]);
      });
    }

    it('comes after the release that it undoes, whatever the clocks say', async () => {
      await store.putBlock(block.id, block.bytes, alice);
      await store.releaseBlock(block.id, alice, now + 10);
      expect(await store.touchBlocks([block.id], alice, now - 1000)).to.deep.equal([true]);
      expect((await known())?.ownerships).to.deep.equal([owned(alice, now + 11, now + 10)]);
      expect(await store.getBlock(block.id)).not.to.equal(undefined);
    });
  });

  it('does not believe a live set from further ahead than a clock may be', async () => {
    await store.putBlock(block.id, block.bytes, alice);
    expect(await store.releaseBlock(block.id, alice, Number.MAX_SAFE_INTEGER)).to.equal(true);
    expect((await known())?.ownerships).to.deep.equal([owned(alice, now, now)]);
  });

  it('can be released a day after a touch from years ahead, noted while the own clock was wrong', async () => {
    clock.ms += 1000 * day;
    await store.putBlock(block.id, block.bytes, alice);
    clock.ms = now;
    expect(await store.releaseBlock(block.id, alice, clock.ms)).to.equal(false);
    expect((await known())?.ownerships).to.deep.equal([owned(alice, midnight)]);
    clock.ms += day;
    expect(await store.releaseBlock(block.id, alice, clock.ms)).to.equal(true);
    expect(await store.getBlock(block.id)).to.equal(undefined);
  });

  it('notes the later one of two releases, and leaves the block where it lies', async () => {
    await store.putBlock(block.id, block.bytes, alice);
    await store.releaseBlock(block.id, alice, now);
    clock.ms += 5;
    expect(await store.releaseBlock(block.id, alice, now + 5)).to.equal(true);
    expect(await store.releaseBlock(block.id, alice, now + 3)).to.equal(true);
    expect((await known())?.ownerships).to.deep.equal([owned(alice, now, now + 5)]);
    expect((await store.blockInfo(block.id))?.trashedAtMs).to.equal(now);
  });

  describe('a tombstone', () => {
    beforeEach(buryIt);

    it('is all that stays of a block whose time in the trash is over', async () => {
      expect(await known()).to.deep.equal(stateOf(owned(alice, now, now + 60_000)));
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.listKeys(firstId, 10)).to.deep.equal([]);
      expect(store.stats()).to.include({ blocks: 0, bytes: 0 });
      expect(store.usedBytes(alice)).to.equal(0);
      expect(await store.emptyTrash(clock.ms + 1)).to.equal(0);
    });

    it('is not held, and a touch does not change it', async () => {
      const before = await itemOf(store, block.id);
      expect(await store.touchBlocks([block.id], bob)).to.deep.equal([false]);
      expect(await itemOf(store, block.id)).to.deep.equal(before);
    });

    it('becomes a block again when its bytes are put', async () => {
      expect(await store.putBlock(block.id, block.bytes, bob)).to.deep.equal({ isNew: true });
      expect(await store.blockInfo(block.id)).to.deep.equal({
        id: block.id,
        sizeBytes: size,
        owners: [bob],
        storedAtMs: clock.ms,
        touchedAtMs: clock.ms,
      });
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(size);
      expect(store.stats()).to.include({ blocks: 1, bytes: size });
    });

    it('is forgotten when the last release is longer ago than tombstones live', async () => {
      await store.putBlock(other.id, other.bytes, alice);
      clock.ms = now + 60_000 + limits.tombstoneMs;
      await store.emptyTrash(clock.ms);
      expect(await known()).not.to.equal(undefined);
      clock.ms += 1;
      expect(await store.emptyTrash(clock.ms)).to.equal(0);
      expect(await known()).to.equal(undefined);
      expect(await store.items(allKeys, 10)).to.have.length(1);
    });

    it('that one holder has forgotten stays forgotten when another one tells it, until that one forgets it, too', async () => {
      const otherClock = new HandClock(clock.ms);
      const copy = await make({ clock: otherClock });
      const state = (await known())!;
      await copy.mergeBlock(block.id, state);
      // The clock of the other one is a minute behind.
      otherClock.ms = now + limits.tombstoneMs + 60_000;
      clock.ms = otherClock.ms + 60_000;
      await store.emptyTrash(0);
      await copy.emptyTrash(0);
      expect(await copy.blockStates([block.id])).to.deep.equal([state]);
      expect(await store.mergeBlock(block.id, state)).to.equal('merged');
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect(await known()).to.equal(undefined);
      expect(store.stats().bytes).to.equal(0);
      otherClock.ms += 1;
      await copy.emptyTrash(0);
      expect(await copy.fingerprint(allKeys)).to.deep.equal(await store.fingerprint(allKeys));
      expect(await store.fingerprint(allKeys)).to.include({ count: 0 });
    });

    it('that is old still says to a holder that has the block that it was released', async () => {
      clock.ms += 2 * limits.tombstoneMs;
      const away = await make({ clock });
      await away.putBlock(block.id, block.bytes, alice, now);
      await away.mergeBlock(block.id, (await known())!);
      expect(await away.getBlock(block.id)).to.equal(undefined);
    });

    it('takes room from the capacity only when its bytes come back', async () => {
      const small = await make({ clock, capacityBytes: 2 * limits.storedValueBytesMin - 1 });
      expect(await small.mergeBlock(block.id, stateOf(owned(alice, 1, now)))).to.equal('merged');
      const [filler] = [blockOf('z', 6)];
      await small.putBlock(filler.id, filler.bytes, alice);
      expect(await codeOf(small.putBlock(block.id, block.bytes, bob))).to.equal('NO_SPACE');
      const merge = small.mergeBlock(block.id, stateOf(owned(alice, now + 1)), block.bytes);
      expect(await codeOf(merge)).to.equal('NO_SPACE');
      expect(await small.blockStates([block.id])).to.deep.equal([stateOf(owned(alice, 1, now))]);
    });
  });

  describe('what another holder knows', () => {
    it('of a block that is not here needs the bytes, and changes nothing without them', async () => {
      const state = stateOf(owned(alice, now), owned(bob, 1, 2));
      expect(await store.mergeBlock(block.id, state)).to.equal('needs bytes');
      expect(await known()).to.equal(undefined);
      expect(await store.items(allKeys, 10)).to.deep.equal([]);
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect(await known()).to.deep.equal(state);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [alice], storedAtMs: now });
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(size);
      expect(store.stats()).to.include({ blocks: 1, bytes: size });
    });

    it('of a block that nobody is known to own needs the bytes, too', async () => {
      expect(await store.mergeBlock(block.id, stateOf())).to.equal('needs bytes');
      expect(await store.mergeBlock(block.id, stateOf(), block.bytes)).to.equal('merged');
      expect(await known()).to.deep.equal(stateOf());
      expect(store.stats().blocks).to.equal(1);
    });

    it('of a block that all have released leaves a tombstone where nothing was', async () => {
      const state = stateOf(owned(alice, 1, now));
      expect(await store.mergeBlock(block.id, state)).to.equal('merged');
      expect(await known()).to.deep.equal(state);
      expect(await store.blockInfo(block.id)).to.equal(undefined);
      expect(store.stats()).to.include({ blocks: 0, bytes: 0 });
    });

    it('of a block that all have released puts the bytes into the trash, where they are not here', async () => {
      const state = stateOf(owned(alice, 1, now - 60_000));
      expect(await store.mergeBlock(block.id, state)).to.equal('merged');
      const before = await itemOf(store, block.id);
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect(await itemOf(store, block.id)).to.deep.equal(before);
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.listKeys(firstId, 10)).to.deep.equal([]);
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [], trashedAtMs: now });
      expect(await store.trashedBytes(block.id)).to.deep.equal(block.bytes);
      expect(store.stats()).to.include({ blocks: 0, bytes: size });
      clock.ms += 5;
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect((await store.blockInfo(block.id))?.trashedAtMs).to.equal(now);
      expect(await store.touchBlocks([block.id], bob)).to.deep.equal([true]);
      expect((await store.getBlock(block.id))?.bytes).to.deep.equal(block.bytes);
      expect(await store.trashedBytes(block.id)).to.equal(undefined);
    });

    it('of a block that all have released is not taken over with bytes for which there is no room', async () => {
      const small = await make({ clock, capacityBytes: limits.storedValueBytesMin - 1 });
      const state = stateOf(owned(alice, 1, now));
      expect(await codeOf(small.mergeBlock(block.id, state, block.bytes))).to.equal('NO_SPACE');
      expect(await small.blockStates([block.id])).to.deep.equal([undefined]);
      expect(await small.trashedBytes(block.id)).to.equal(undefined);
    });

    it('of more owners than a block may have is refused as such, and the disk has nothing to do with it', async () => {
      const owners = Array.from(
        { length: limits.ownersPerBlock },
        (_, at) => blockOf(`owner ${at}`).id,
      ).sort();
      const state = stateOf(...owners.map((owner) => owned(owner, now)));
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect(await codeOf(store.mergeBlock(block.id, stateOf(owned(alice, now))))).to.equal('PROTOCOL');
      expect(await codeOf(store.putBlock(block.id, block.bytes, alice))).to.equal('PROTOCOL');
      expect(await codeOf(store.touchBlocks([block.id], alice))).to.equal('PROTOCOL');
      expect(await known()).to.deep.equal(state);
      expect(store.stats().disk.state).to.equal('fine');
    });

    it('takes a block to the trash that its last owner released there', async () => {
      await store.putBlock(block.id, block.bytes, alice);
      clock.ms += 5;
      expect(await store.mergeBlock(block.id, stateOf(owned(alice, 1, now)))).to.equal('merged');
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [], trashedAtMs: clock.ms });
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect(await store.emptyTrash(clock.ms + 1)).to.equal(size);
    });

    it('takes a block out of the trash that somebody owns there', async () => {
      await store.putBlock(block.id, block.bytes, alice);
      await store.releaseBlock(block.id, alice, now);
      expect(await store.mergeBlock(block.id, stateOf(owned(bob, 1)))).to.equal('merged');
      expect((await store.blockInfo(block.id))?.owners).to.deep.equal([bob]);
      expect((await store.getBlock(block.id))?.sizeBytes).to.equal(size);
    });

    it('brings a tombstone back only with the bytes', async () => {
      await buryIt();
      const state = stateOf(owned(alice, now + 60_001));
      expect(await store.mergeBlock(block.id, state)).to.equal('needs bytes');
      expect(await known()).to.deep.equal(stateOf(owned(alice, now, now + 60_000)));
      expect(await store.mergeBlock(block.id, state, block.bytes)).to.equal('merged');
      expect(await known()).to.deep.equal(stateOf(owned(alice, now + 60_001, now + 60_000)));
      expect(await store.blockInfo(block.id)).to.deep.include({ owners: [alice], storedAtMs: clock.ms });
    });

    it('does not bring back what was released since', async () => {
      await buryIt();
      const old = stateOf(owned(alice, now));
      expect(await store.mergeBlock(block.id, old)).to.equal('merged');
      expect(await store.mergeBlock(block.id, old, block.bytes)).to.equal('merged');
      expect(await store.getBlock(block.id)).to.equal(undefined);
      expect((await store.blockInfo(block.id))?.owners).to.deep.equal([]);
    });

    it('is believed no further ahead than a clock may be, and an owner stays one', async () => {
      const latest = midnight + limits.clockSkewMs;
      const state = stateOf(owned(alice, latest + 20, latest + 10), owned(bob, 1, latest + 10));
      await store.mergeBlock(block.id, state, block.bytes);
      expect((await known())?.ownerships).to.deep.equal([
        owned(alice, midnight, midnight - day),
        owned(bob, 1, midnight - day),
      ]);
      expect((await store.blockInfo(block.id))?.owners).to.deep.equal([alice]);
    });

    for (const [what, code, state, bytes] of [
      ['with bytes of another block', 'DAMAGED', stateOf(owned(alice, 1)), other.bytes],
      [
        'with another size than the bytes',
        'DAMAGED',
        { ...stateOf(owned(alice, 1)), sizeBytes: 1 },
        block.bytes,
      ],
      [
        'of a block larger than a block may be',
        'PROTOCOL',
        { ...stateOf(owned(alice, 1, 2)), sizeBytes: limits.blockBytes + 1 },
        undefined,
      ],
      ['with a time that is none', 'PROTOCOL', stateOf(owned(alice, 0.5, -1)), undefined],
    ] as const) {
      it(`is refused ${what}`, async () => {
        expect(await codeOf(store.mergeBlock(block.id, state, bytes))).to.equal(code);
        expect(await known()).to.equal(undefined);
      });
    }
  });
}
