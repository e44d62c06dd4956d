import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;
const minuteMs = 60_000;
const ann = hashToId(utf8('ann'));

/** Puts blocks into the trash of some peers, past the ring. @returns their ids. */
async function discard(
  town: Town,
  count: number,
  where: (holders: readonly SimulatedPeer[]) => readonly SimulatedPeer[],
): Promise<readonly Id[]> {
  const ids: Id[] = [];
  const atMs = town.world.clock.nowMs();
  while (ids.length < count) {
    const { id, body, holders } = town.block();
    const peers = where(holders);
    for (const { store } of peers) {
      await store.putBlock(id, body, ann, atMs);
      await store.releaseBlock(id, ann, atMs + 1);
    }
    if (peers.length > 0) ids.push(id);
  }
  return ids;
}

/** How many of the peers that run have the bytes of a block in their trash. */
async function inTrash({ world }: Town, id: Id): Promise<number> {
  const found = await Promise.all(world.live.map(({ store }) => store.trashedBytes(id)));
  return found.filter((bytes) => bytes !== undefined).length;
}

async function isDrainedWithin(town: Town, leaving: SimulatedPeer, ms: number): Promise<boolean> {
  let isDrained = false;
  void leaving.drain().then(() => (isDrained = true));
  await town.world.clock.runFor(ms);
  return isDrained;
}

describe('node: trash that is handed on', () => {
  it('comes to the trash of those whose turn it is', async () => {
    const town = await Town.of(44, 4, { policy: quickly });
    const { world } = town;
    const blocks = Array.from({ length: 20 }, () => town.block());
    for (const block of blocks) await town.post(block.holders[0]!, block);
    await world.clock.runFor(1_000);
    for (const { id, holders } of blocks) {
      const request = { id, liveSetAtMs: world.clock.nowMs() };
      await world.clock.run(town.user.transport.call(holders[0]!.ref, 'deleteBlock', request));
    }
    await world.grow(6, { policy: quickly });
    await world.untilIdeal();
    await world.clock.runFor(3 * roundMs);
    for (const { id } of blocks) {
      expect(await town.holding(id)).to.deep.equal([]);
      const [owner] = world.trueOrder(id);
      const { response } = await world.clock.run(
        town.user.transport.call(owner!, 'hasBlocks', { ids: [id] }),
      );
      expect(response.present).to.deep.equal([true]);
      expect(await town.holding(id)).to.have.length.of.at.least(2);
    }
  });

  it('goes to others where a holder has no room for it, so that a peer that leaves need not wait', async () => {
    const town = await Town.of(53, 5, { policy: quickly });
    const [full] = await town.world.grow(1, { policy: quickly, capacityBytes: 0 });
    await town.world.untilIdeal();
    const [leaving] = town.world.live;
    const ids = await discard(town, 20, (holders) =>
      holders.includes(leaving!) && holders.includes(full!) ? holders.filter((peer) => peer !== full) : [],
    );
    await town.world.clock.runFor(roundMs);
    expect(await isDrainedWithin(town, leaving!, 20 * minuteMs)).to.equal(true);
    for (const id of ids) expect(await inTrash(town, id)).to.equal(3);
  });

  it('is left to a majority where nobody else has room', async () => {
    const town = await Town.of(54, 3, { policy: quickly });
    const full = await town.world.grow(2, { policy: quickly, capacityBytes: 0 });
    await town.world.untilIdeal();
    const [leaving] = town.world.live;
    const ids = await discard(town, 20, (holders) =>
      holders.filter((peer) => full.includes(peer)).length === 1 ? [leaving!] : [],
    );
    await town.world.clock.runFor(roundMs);
    expect(await isDrainedWithin(town, leaving!, 20 * minuteMs)).to.equal(true);
    for (const id of ids) expect(await inTrash(town, id)).to.equal(2);
  });

  it('stays where it is while it cannot be read, and nobody else has it', async () => {
    const town = await Town.of(55, 6, { policy: quickly });
    const [leaving] = town.world.live;
    const ids = await discard(town, 5, () => [leaving!]);
    const { store } = leaving!;
    const read = store.trashedBytes.bind(store);
    store.trashedBytes = () => Promise.resolve(undefined);
    expect(await isDrainedWithin(town, leaving!, 10 * minuteMs)).to.equal(false);
    store.trashedBytes = read;
    await town.world.clock.runFor(3 * roundMs);
    for (const id of ids) expect(await inTrash(town, id)).to.equal(3);
  });

  it('does not keep a peer from looking after its own keys', async () => {
    const town = await Town.of(31, 6, { policy: quickly });
    const { world } = town;
    const peer = world.live[1]!;
    await discard(town, 400, (holders) => (holders.includes(peer) ? [] : [peer, ...holders]));
    const longestMs = town.slowDown(peer);
    await world.clock.runFor(30 * minuteMs);
    expect(longestMs()).to.be.at.most(limits.repairSliceMs + 60_000);
    expect((await peer.store.fingerprint(allKeys)).count).to.be.lessThan(300);
  });
});
