import { expect } from 'chai';

import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { failureOf } from '../wire/helpers.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;

type Kept = ReturnType<Town['block']>;

/** Blocks in a ring, written through their owners. */
async function fill(town: Town, count: number): Promise<Kept[]> {
  const blocks: Kept[] = [];
  for (let at = 0; at < count; at += 1) {
    const block = town.block();
    await town.post(block.holders[0]!, block);
    blocks.push(block);
  }
  await town.world.clock.runFor(1000);
  return blocks;
}

/** The peers whose disks have a block, those included that do not run. */
async function holdersOf(town: Town, id: Id): Promise<string[]> {
  return (await town.holding(id)).map((peer) => peer.id).sort();
}

/** Those who should have it, as the ring is now. */
function rightHolders(town: Town, id: Id): string[] {
  return town.world
    .trueHolders(id, 3)
    .map((ref) => ref.id as string)
    .sort();
}

async function keysShort(town: Town): Promise<number> {
  const each = await Promise.all(town.world.live.map(({ node }) => node.repairStatus()));
  return each.reduce((sum, status) => sum + status.keysShort, 0);
}

async function movedBytes(town: Town): Promise<number> {
  const each = await Promise.all(town.world.live.map(({ node }) => node.repairStatus()));
  return each.reduce((sum, status) => sum + status.movedBytes, 0);
}

async function expectRight(town: Town, blocks: readonly Kept[]): Promise<void> {
  for (const { id } of blocks) {
    const live = new Set(town.world.live.map((peer) => peer.id as string));
    expect((await holdersOf(town, id)).filter((one) => live.has(one))).to.deep.equal(rightHolders(town, id));
  }
}

describe('node: repair', () => {
  it('makes the copies anew that a machine has taken with it, once it was away for long enough', async () => {
    const town = await Town.of(1, 6, { policy: quickly });
    const blocks = await fill(town, 40);
    const lost = town.world.live[2]!;
    const bytes = lost.store.stats().bytes;
    lost.crash();
    await town.world.clock.runFor(30_000);
    expect(await movedBytes(town)).to.equal(0);
    await town.world.clock.runFor(60_000 + roundMs);
    await expectRight(town, blocks);
    expect(await keysShort(town)).to.equal(0);
    expect(await movedBytes(town)).to.equal(bytes);
  });

  it('moves nothing when the machine is back in time, but what was written meanwhile', async () => {
    const town = await Town.of(2, 6, { policy: quickly });
    const blocks = await fill(town, 30);
    const away = town.world.live[1]!;
    away.crash();
    const held = away.store.stats().blocks;
    await town.world.clock.runFor(20_000);
    expect(await keysShort(town)).to.equal(held);
    await town.world.clock.run(away.restart());
    await town.world.clock.runFor(60_000 + roundMs);
    expect(await keysShort(town)).to.equal(0);
    expect(await movedBytes(town)).to.equal(0);
    await expectRight(town, blocks);
  });

  it('pays what a holder missed, and lets stand-ins go', async () => {
    const town = await Town.of(3, 6, { policy: quickly });
    const away = town.world.live[1]!;
    away.crash();
    await town.world.clock.runFor(20_000);
    const blocks: Kept[] = [];
    while (blocks.length < 30) {
      const block = town.block();
      await town.post(block.holders[0]!, block);
      blocks.push(block);
    }
    await town.world.clock.run(away.restart());
    await town.world.untilIdeal();
    await town.world.clock.runFor(2 * roundMs);
    await expectRight(town, blocks);
  });

  it('gives a newcomer its share, and takes no more room than needed', async () => {
    const town = await Town.of(4, 4, { policy: quickly });
    const blocks = await fill(town, 40);
    await town.world.grow(3, { policy: quickly });
    await town.world.untilIdeal();
    await town.world.clock.runFor(3 * roundMs);
    await expectRight(town, blocks);
    expect(await keysShort(town)).to.equal(0);
  });

  it('says how many keys are short in a ring that is too small', async () => {
    const town = await Town.of(5, 2, { policy: quickly });
    await fill(town, 20);
    await town.world.clock.runFor(roundMs);
    expect(await keysShort(town)).to.equal(20);
    await town.world.grow(1, { policy: quickly });
    await town.world.clock.runFor(roundMs);
    expect(await keysShort(town)).to.equal(0);
  });

  it('fills a disk again that was lost', async () => {
    const town = await Town.of(6, 5, { policy: quickly });
    const blocks = await fill(town, 30);
    const unlucky = town.world.live[3]!;
    unlucky.crash();
    unlucky.loseDisk();
    await town.world.clock.run(unlucky.restart());
    await town.world.untilIdeal();
    await town.world.clock.runFor(2 * roundMs);
    await expectRight(town, blocks);
  });

  it('does not bring back what was deleted while a holder was away', async () => {
    const town = await Town.of(7, 5, { policy: quickly });
    const blocks = await fill(town, 20);
    const away = town.world.live[2]!;
    away.crash();
    await town.world.clock.runFor(20_000);
    const liveSetAtMs = town.world.clock.nowMs() + 1;
    await town.world.clock.runFor(10);
    for (const { id } of blocks) {
      const owner = town.at(town.world.trueOrder(id)[0]);
      await town.world.clock.run(
        town.user.transport.call(owner.ref, 'deleteBlock', { id, liveSetAtMs: liveSetAtMs + 1 }),
      );
    }
    await town.world.clock.run(away.restart());
    await town.world.untilIdeal();
    await town.world.clock.runFor(2 * roundMs);
    for (const { id } of blocks) expect(await holdersOf(town, id)).to.deep.equal([]);
  });

  it('brings records to all holders, the newest value', async () => {
    const town = await Town.of(8, 5, { policy: quickly });
    const first = town.record(1, 'first');
    await town.write(first.holders[0]!, first);
    await town.world.clock.runFor(1000);
    const away: SimulatedPeer = first.holders[1]!;
    away.crash();
    await town.world.clock.runFor(20_000);
    const second = town.record(2, 'second');
    await town.write(town.at(town.world.trueOrder(second.id)[0]), second);
    await town.world.clock.run(away.restart());
    await town.world.untilIdeal();
    await town.world.clock.runFor(2 * roundMs);
    for (const ref of town.world.trueHolders(second.id, 3))
      expect((await town.at(ref).store.getRecord(second.id))?.sequence).to.equal(2);
    for (const peer of town.world.live) {
      const isHolder = town.world.trueHolders(second.id, 3).some(({ id }) => id === peer.id);
      if (!isHolder) expect(await peer.store.getRecord(second.id)).to.equal(undefined);
    }
  });

  it('copies first what has one copy left, without waiting', async () => {
    const town = await Town.of(9, 6, { policy: { ...quickly, repairAfterMs: 3_600_000 } });
    const blocks = await fill(town, 40);
    const [one, , other] = town.world.live;
    one!.crash();
    other!.crash();
    await town.world.clock.runFor(roundMs);
    for (const { id } of blocks) {
      const live = await Promise.all(
        town.world.live.map(async ({ store }) => (await store.getBlock(id)) !== undefined),
      );
      expect(live.filter(Boolean).length).to.be.at.least(2);
    }
  });

  it('hands everything over before it leaves for good, also what is written meanwhile', async () => {
    const town = await Town.of(10, 6, { policy: quickly });
    const blocks = await fill(town, 40);
    const record = town.record(1, 'value');
    await town.write(record.holders[0]!, record);
    const leaving = town.world.live[2]!;
    const drained = leaving.drain();
    for (let at = 0; at < 10; at += 1) {
      const block = town.block();
      const [owner] = town.world.trueHolders(block.id, 6).filter(({ id }) => id !== leaving.id);
      await town.world.clock.runFor(200);
      blocks.push(block);
      await town.post(town.at(owner), block);
    }
    await town.world.clock.run(drained);
    expect(leaving.store.stats()).to.include({ blocks: 0, records: 0, bytes: 0 });
    await town.world.untilIdeal();
    await town.world.clock.runFor(2 * roundMs);
    await expectRight(town, blocks);
    expect(await keysShort(town)).to.equal(0);
  });

  it('says when it has compared its keys, and until then that it has not', async () => {
    const town = await Town.of(13, 3, { policy: quickly });
    await fill(town, 20);
    const victim = town.world.live[1]!;
    victim.crash();
    victim.loseDisk();
    await town.world.clock.run(victim.restart());
    const status = async () =>
      (await town.world.clock.run(town.user.transport.call(victim.ref, 'status', {}))).response;
    expect(await status())
      .to.include({ keysShort: 0 })
      .and.not.have.property('lookedAtMs');
    await town.world.clock.runFor(2 * roundMs);
    expect((await status()).lookedAtMs).to.be.a('number');
  });

  it('cannot drain the only peer', async () => {
    const town = await Town.of(11, 1);
    const failure = await failureOf(town.world.clock.run(town.world.live[0]!.node.drain()));
    expect(failure.code).to.equal('UNREACHABLE');
  });

  it('reads everything again, and replaces what is damaged from another holder', async () => {
    const town = await Town.of(12, 5, { policy: { ...quickly, scrubEveryMs: 600_000 } });
    const blocks = await fill(town, 30);
    const rotten = town.world.live[1]!;
    const { id } = blocks.find((block) => block.holders.includes(rotten))!;
    await rotten.rot(id);
    await town.world.clock.runFor(600_000);
    expect(rotten.store.stats().damaged).to.equal(1);
    const found = await rotten.store.getBlock(id);
    expect(hashToId(found!.bytes)).to.equal(id);
    expect(rotten.node.scrubProgress?.endedAtMs).to.be.a('number');
  });
});
