import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { type Logger, silentLogger } from '../../src/base/log.js';
import { defaultPolicy } from '../../src/node/node.js';
import { Trash } from '../../src/node/trash.js';
import { createMemoryStore } from '../../src/store/memory.js';
import type { Store } from '../../src/store/store.js';
import { owned } from '../store/exchange.conformance.js';
import { alice, blockOf } from '../store/store.conformance.js';
import { World } from '../sim/world.js';
import { ManualClock } from '../wire/manual-clock.js';
import { Town } from './town.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const trashMs = 7 * dayMs;

/** A clock of which the wall time can be set. */
class WallClock extends ManualClock {
  aheadMs = 0;
  override nowMs(): number {
    return super.nowMs() + this.aheadMs;
  }
}

describe('the trash of a peer', () => {
  const block = blockOf('a block');
  let clock: WallClock;
  let store: Store;
  let warnings: string[];
  let trash: Trash;

  /** Puts a block in the trash. */
  async function throwAway({ id, bytes } = block): Promise<void> {
    await store.putBlock(id, bytes, alice);
    await store.releaseBlock(id, alice, clock.nowMs());
  }

  /** As after a start. */
  function started(): Trash {
    const log: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    return new Trash({ store, clock, log, trashMs });
  }

  /** Empties the trash every hour. */
  async function runFor(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += hourMs) {
      clock.advance(hourMs);
      await trash.empty();
    }
  }

  const isThere = async ({ id } = block): Promise<boolean> => (await store.blockInfo(id)) !== undefined;

  beforeEach(() => {
    clock = new WallClock();
    store = createMemoryStore({ clock });
    warnings = [];
    trash = started();
  });

  it('keeps what lies there until its time is over, and no longer', async () => {
    await throwAway();
    await runFor(trashMs);
    expect(await isThere()).to.equal(true);
    await runFor(hourMs);
    expect(await isThere()).to.equal(false);
    expect(warnings).to.deep.equal([]);
  });

  it('loses nothing to a clock that is a year ahead for some hours, and says so', async () => {
    await throwAway();
    await runFor(dayMs);
    clock.aheadMs = 365 * dayMs;
    await runFor(limits.clockDoubtMs);
    expect(await isThere()).to.equal(true);
    expect(warnings).to.have.length(1);
    clock.aheadMs = 0;
    await runFor(5 * dayMs);
    expect(await isThere()).to.equal(true);
    await runFor(dayMs);
    expect(await isThere()).to.equal(false);
  });

  it('believes a clock that stays where it has jumped to', async () => {
    await throwAway();
    await runFor(dayMs);
    clock.aheadMs = 30 * dayMs;
    await runFor(limits.clockDoubtMs);
    expect(await isThere()).to.equal(true);
    await runFor(hourMs);
    expect(await isThere()).to.equal(false);
  });

  it('is not kept for longer by a machine that sleeps at night', async () => {
    await throwAway();
    for (let day = 0; day < 7; day += 1) {
      await runFor(16 * hourMs);
      clock.aheadMs += 8 * hourMs;
    }
    await runFor(2 * hourMs);
    expect(await isThere()).to.equal(false);
    expect(warnings).to.deep.equal([]);
  });

  it('keeps for its time what went there while the clock was ahead', async () => {
    clock.aheadMs = 365 * dayMs;
    trash = started();
    await throwAway();
    await runFor(hourMs);
    clock.aheadMs = 0;
    await runFor(limits.clockDoubtMs + hourMs);
    await runFor(trashMs - hourMs);
    expect(await isThere()).to.equal(true);
    await runFor(3 * hourMs);
    expect(await isThere()).to.equal(false);
  });

  it('keeps what lies there while the clock is far behind, as before it was set at all', async () => {
    await throwAway();
    clock.aheadMs = -clock.nowMs();
    trash = started();
    await runFor(2 * hourMs);
    clock.aheadMs = 0;
    await runFor(limits.clockDoubtMs + hourMs);
    expect((await store.blockInfo(block.id))?.trashedAtMs).to.equal(new ManualClock().nowMs());
  });

  for (const [what, offMs, isEmptied] of [
    ['at once when the store was in use a day ago', dayMs, true],
    ['after some hours when it was not in use for long: the clock may be ahead', 30 * dayMs, false],
  ] as const) {
    it(`is emptied after a start ${what}`, async () => {
      await throwAway();
      clock.advance(trashMs);
      await store.putBlock(blockOf('other').id, blockOf('other').bytes, alice);
      clock.advance(offMs);
      trash = started();
      clock.advance(minuteMs);
      await trash.empty();
      expect(await isThere()).to.equal(!isEmptied);
      await runFor(limits.clockDoubtMs);
      expect(await isThere()).to.equal(false);
    });
  }

  it('is emptied soon after each start, so that no peer has to run for an hour', async () => {
    const world = new World({ seed: 1 });
    await world.grow(1, { policy: { ...defaultPolicy, trashMs: minuteMs } });
    const peer = world.live[0]!;
    await peer.store.putBlock(block.id, block.bytes, alice);
    await peer.store.releaseBlock(block.id, alice, world.clock.nowMs());
    await world.clock.runFor(10 * minuteMs);
    expect(await peer.store.blockInfo(block.id)).to.equal(undefined);
  });

  it('is emptied while a peer drains, so that an expired tombstone does not keep it for ever', async () => {
    const town = await Town.of(2, 4);
    const { world } = town;
    const leaving = world.live[1]!;
    // Of that long ago that others soon do not take it over any more.
    const nowMs = world.clock.nowMs();
    const ownerships = [owned(alice, 1, nowMs - limits.tombstoneMs + minuteMs)];
    world.fault = ({ method }) => (method === 'keepCopy' ? 'lose' : undefined);
    await leaving.store.mergeBlock(block.id, { sizeBytes: 1, ownerships });
    let isDrained = false;
    void leaving.drain().then(() => (isDrained = true));
    await world.clock.runFor(minuteMs / 2);
    expect(isDrained).to.equal(false);
    await world.clock.runFor(minuteMs);
    world.fault = () => undefined;
    await world.clock.runFor(10 * minuteMs);
    expect(isDrained).to.equal(true);
  });
});
