import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { loadCompressor } from '../../src/archive/compress.js';
import { loadSnapshots } from '../../src/client/catalog.js';
import { headRecordId } from '../../src/client/head-record.js';
import { profileRecord } from '../../src/client/profile.js';
import { prune } from '../../src/client/prune.js';
import type { SeenRecords } from '../../src/client/seen-records.js';
import type { Session } from '../../src/client/session.js';
import type { Id } from '../../src/ring/identifier.js';
import { failureOf } from '../wire/helpers.js';
import { World } from '../sim/world.js';
import { sessionIn, testDevice } from './memory-ring.js';
import { addSmallSnapshot } from './small-snapshot.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A ring of seven, of which the three that hold one record are away: fewer than half. */
describe('while all holders of a list are away', function () {
  this.timeout(300_000);

  before(async () => {
    await loadCompressor();
  });

  async function start(seed: number) {
    const world = new World({ seed });
    await world.grow(7);
    await world.untilIdeal();
    const holdersOf = (key: Id): string =>
      world
        .trueHolders(key, 3)
        .map(({ id }) => id)
        .sort()
        .join();
    const user = Array.from({ length: 100 }, (_, at) => at + 1).find((one) => {
      const { keys } = testDevice(one, 1);
      const list = holdersOf(headRecordId(keys.device.publicKey));
      const others = [profileRecord(keys), headRecordId(testDevice(one, 2).keys.device.publicKey)];
      return others.every((key) => holdersOf(key) !== list);
    })!;
    const session = (device: number, entries = world.peers, seen?: SeenRecords): Promise<Session> =>
      sessionIn(world, testDevice(user, device), {
        entries: entries.map(({ address }) => ({ address })),
        random: seededRandom(seed + device),
        ...(seen === undefined ? {} : { seen }),
      });
    const split = (key: Id) => {
      const holders = new Set(world.trueHolders(key, 3).map(({ id }) => id));
      const away = world.peers.filter(({ id }) => holders.has(id));
      const here = world.peers.filter(({ id }) => !holders.has(id));
      return { away, here };
    };
    return { world, session, split };
  }

  it('a prune of a device that has not seen the list gives nothing up', async () => {
    const { world, session, split } = await start(71);
    const first = await session(1);
    await world.clock.run(addSmallSnapshot(first, 1));
    await world.clock.run(addSmallSnapshot(await session(2), 2));
    await world.clock.runFor(8 * hourMs);
    const { away, here } = split(headRecordId(first.keys.device.publicKey));
    expect([away.length, here.length]).to.deep.equal([3, 4]);
    world.cut(away, here);
    await world.clock.runFor(20 * minuteMs);
    const failure = await failureOf(world.clock.run(prune(await session(2, here), { dryRun: false })));
    expect(failure.code).to.equal('MISSING');
    expect(failure.message).to.contain('--without-device');
    world.heal();
    await world.untilIdeal(10 * minuteMs);
    await world.clock.runFor(limits.majorityHoldMs);
    const summary = await world.clock.run(prune(await session(2), { dryRun: true }));
    expect([summary.snapshots, summary.freed.blocks]).to.deep.equal([2, 0]);
  });

  it('a device that has seen its list does not begin it anew', async () => {
    const { world, session, split } = await start(72);
    const first = await session(1);
    const ids: Id[] = [];
    for (const seed of [1, 2]) ids.push((await world.clock.run(addSmallSnapshot(first, seed))).id);
    await world.clock.runFor(hourMs);
    const { away, here } = split(headRecordId(first.keys.device.publicKey));
    world.cut(away, here);
    await world.clock.runFor(20 * minuteMs);
    const beside = await session(1, here, first.seen);
    const failure = await failureOf(world.clock.run(addSmallSnapshot(beside, 3)));
    expect(failure.code).to.equal('UNSETTLED');
    expect(failure.message).to.contain('older list');
    world.heal();
    await world.untilIdeal(10 * minuteMs);
    const later = await session(1, world.peers, first.seen);
    ids.push((await world.clock.run(addSmallSnapshot(later, 4))).id);
    const snapshots = await world.clock.run(loadSnapshots(later));
    expect(snapshots.map(({ id }) => id)).to.deep.equal(ids);
  });
});
