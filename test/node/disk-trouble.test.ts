import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { defaultPolicy } from '../../src/node/node.js';
import type { Store } from '../../src/store/store.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;

/** Has a peer's disk fail, as a store on disk then behaves. */
function failDisk(peer: SimulatedPeer): void {
  const refused: readonly (keyof Store)[] = ['putBlock', 'touchBlocks', 'mergeBlock', 'putRecord'];
  peer.diskFault = (operation) =>
    refused.includes(operation) ? new PeerStoreError('IO', 'the disk is failing') : undefined;
  const { store } = peer;
  const stats = store.stats.bind(store);
  const disk = { state: 'failing', sinceMs: 7, reason: 'EIO', advice: 'replace it', errors: 1 };
  Object.assign(store, {
    holdsItem: () => Promise.resolve(false),
    stats: () => ({ ...stats(), disk }),
  });
}

async function movedBytes(town: Town): Promise<number> {
  const each = await Promise.all(town.world.live.map(({ node }) => node.repairStatus()));
  return each.reduce((sum, status) => sum + status.movedBytes, 0);
}

describe('node: a peer whose disk fails', () => {
  /** Blocks in a ring, written through their owners. */
  async function fill(town: Town, count: number): Promise<readonly ReturnType<Town['block']>[]> {
    const blocks = Array.from({ length: count }, () => town.block());
    for (const block of blocks) await town.post(block.holders[0]!, block);
    return blocks;
  }

  it('keeps nothing new, which others hold in its stead, and goes on serving what it has', async () => {
    const town = await Town.of(1, 6, { policy: quickly });
    const { world } = town;
    const victim = world.live[2]!;
    const before = await fill(town, 30);
    await world.clock.runFor(roundMs);
    failDisk(victim);
    const after = await fill(town, 30);
    await world.clock.runFor(3 * roundMs);
    expect(after.some(({ holders }) => holders[0] === victim)).to.equal(true);
    for (const { id } of after) {
      const holding = await town.holding(id);
      expect(holding).to.have.length(3);
      expect(holding).not.to.include(victim);
    }
    for (const { id, holders } of before.filter((block) => block.holders.includes(victim))) {
      const { body } = await world.clock.run(town.user.transport.call(victim.ref, 'getBlock', { id }));
      expect(body.length).to.be.greaterThan(0);
      expect(await town.holding(id)).to.have.members(holders);
    }
  });

  it('says so; others stand in for it, so that nothing is short, and nothing is moved for nothing', async () => {
    const town = await Town.of(2, 6, { policy: quickly });
    const { world } = town;
    const victim = world.live[2]!;
    failDisk(victim);
    const blocks = await fill(town, 30);
    await world.clock.runFor(3 * roundMs);
    const status = async (peer: SimulatedPeer) =>
      (await world.clock.run(town.user.transport.call(peer.ref, 'status', {}))).response;
    expect((await status(victim)).disk).to.deep.equal({ state: 'failing', sinceMs: 7 });
    expect((await status(world.live[0]!)).disk).to.deep.equal({ state: 'fine', sinceMs: null });
    for (const { id } of blocks) {
      const holding = (await town.holding(id)).filter((peer) => peer !== victim);
      expect(holding).to.have.length(3);
    }
    for (const peer of world.live)
      expect(await status(peer)).to.deep.include({ keysShort: 0, short: [], owedBytes: 0 });
    const moved = await movedBytes(town);
    await world.clock.runFor(5 * roundMs);
    expect(await movedBytes(town)).to.equal(moved);
  });

  it('is not asked for each of many keys again and again, nor asks for them', async () => {
    const town = await Town.of(4, 6, { policy: quickly });
    const { world } = town;
    const victim = world.live[2]!;
    failDisk(victim);
    await fill(town, 500);
    await world.clock.runFor(3 * roundMs);
    const asked = { keepCopy: 0, getCopy: 0 };
    world.fault = ({ kind, method, from, to }) => {
      if (kind === 'request' && method === 'keepCopy' && to === victim.address) asked.keepCopy += 1;
      if (kind === 'request' && method === 'getCopy' && from === victim.address) asked.getCopy += 1;
      return undefined;
    };
    await world.clock.runFor(60_000);
    expect(asked.getCopy).to.equal(0);
    expect(asked.keepCopy).to.be.at.most(30);
  });

  it('is looked at again and again, for it may have recovered', async () => {
    const town = await Town.of(5, 3);
    let looks = 0;
    Object.assign(town.world.live[0]!.store, {
      lookAtDisk: () => {
        looks += 1;
        return Promise.resolve();
      },
    });
    await town.world.clock.runFor(10 * 60_000);
    expect(looks).to.be.within(8, 12);
  });

  it('can be drained: others have it all, though the copies here cannot be let go of', async () => {
    const town = await Town.of(3, 6, { policy: quickly });
    const { world } = town;
    const victim = world.live[2]!;
    // Nobody else has any of them to make another copy from, and they are whoever's on the ring.
    const blocks = Array.from({ length: 60 }, () => town.block());
    for (const { id, body } of blocks) await victim.store.putBlock(id, body, victim.id);
    failDisk(victim);
    const { diskFault } = victim;
    victim.diskFault = (operation) =>
      operation === 'dropItem' ? new PeerStoreError('IO', 'the disk is failing') : diskFault(operation);
    void victim.node.drain().catch(() => undefined);
    await world.clock.runFor(10 * roundMs);
    for (const { id } of blocks) {
      const others = (await town.holding(id)).filter((peer) => peer !== victim);
      expect(others).to.have.length(3);
    }
  });
});
