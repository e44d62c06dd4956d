import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { Town } from './town.js';

const policy = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;

/** A ring of peers with room, and of some without. */
async function townOf(seed: number, roomy: number, full: number): Promise<Town> {
  const town = await Town.of(seed, roomy, { policy });
  await town.world.grow(full, { policy, capacityBytes: 0 });
  await town.world.untilIdeal();
  return town;
}

async function fill(town: Town, count: number): Promise<readonly Id[]> {
  const ids: Id[] = [];
  while (ids.length < count) {
    const block = town.block();
    await town.post(block.holders[0]!, block);
    ids.push(block.id);
  }
  await town.world.clock.runFor(1_000);
  return ids;
}

async function lose(town: Town, peer: SimulatedPeer): Promise<void> {
  peer.crash();
  peer.loseDisk();
  await town.world.clock.runFor(policy.repairAfterMs + 3 * roundMs);
}

async function expectThreeCopies(town: Town, ids: readonly Id[]): Promise<void> {
  for (const id of ids) expect(await town.holding(id)).to.have.length(3);
  for (const { node } of town.world.live) expect((await node.repairStatus()).keysShort).to.equal(0);
}

describe('node: those who stand in for holders without room', () => {
  it('are given the copies that were lost with a machine', async () => {
    const town = await townOf(51, 5, 3);
    const ids = await fill(town, 40);
    await town.world.clock.runFor(3 * roundMs);
    await expectThreeCopies(town, ids);
    const [first, second] = town.world.live;
    for (const lost of [first!, second!]) {
      await lose(town, lost);
      await expectThreeCopies(town, ids);
    }
  });

  it('are given them in place of a holder whose disk takes nothing, until it does', async () => {
    const town = await townOf(52, 6, 0);
    const ids = await fill(town, 40);
    const [lost, broken] = town.world.live;
    broken!.diskFault = (operation) =>
      operation === 'mergeBlock' || operation === 'putBlock'
        ? new PeerStoreError('IO', 'the disk takes nothing')
        : undefined;
    await lose(town, lost!);
    await expectThreeCopies(town, ids);
    broken!.diskFault = () => undefined;
    await town.world.clock.runFor(10 * 60_000);
    for (const id of ids) {
      const right = town.world.trueHolders(id, 3).map((ref) => ref.id);
      expect((await town.holding(id)).map((peer) => peer.id)).to.have.members(right);
    }
  });

  it('are handed what a peer has that leaves', async () => {
    const town = await townOf(53, 5, 2);
    const ids = await fill(town, 40);
    await town.world.clock.runFor(roundMs);
    const [leaving] = town.world.live;
    await town.world.clock.run(leaving!.drain());
    await town.world.clock.runFor(3 * roundMs);
    await expectThreeCopies(town, ids);
  });

  it('keep what they took when they have no room any more, and it counts', async () => {
    const town = await townOf(62, 7, 1);
    const ids = await fill(town, 60);
    await town.world.clock.runFor(roundMs);
    await expectThreeCopies(town, ids);
    const [full] = town.world.peers.slice(-1);
    const [, , , standIn] = town.world.trueOrder(full!.id).map((ref) => town.at(ref));
    standIn!.diskFault = (operation) =>
      operation === 'mergeBlock' || operation === 'putBlock'
        ? new PeerStoreError('NO_SPACE', 'the disk is full')
        : undefined;
    const more = await fill(town, 60);
    for (let time = 0; time < 6; time += 1) {
      await town.world.clock.runFor(3 * 60_000);
      await expectThreeCopies(town, [...ids, ...more]);
    }
    standIn!.diskFault = () => undefined;
    await town.world.clock.runFor(20 * 60_000);
    await expectThreeCopies(town, [...ids, ...more]);
  });

  it('let go of a copy when as many have it that are nearer', async () => {
    const town = await townOf(65, 7, 1);
    const { world } = town;
    const [full] = world.peers.slice(-1);
    const block = (() => {
      for (;;) {
        const one = town.block();
        if (one.holders[1] === full) return one;
      }
    })();
    const order = world.trueOrder(block.id).map((ref) => town.at(ref));
    const [first, , third, fourth, , sixth] = order;
    for (const peer of [first!, third!, fourth!, order[4]!, sixth!])
      await peer.store.putBlock(block.id, block.body, hashToId(utf8('ann')), world.clock.nowMs());
    await world.clock.runFor(3 * roundMs);
    expect(await town.holding(block.id)).to.have.members([first, third, fourth]);
  });

  it('spare a holder whose disk is full, when only the bytes show it, from being sent much', async () => {
    const town = await townOf(59, 6, 0);
    const full = town.world.live[2]!;
    const merge = full.store.mergeBlock.bind(full.store);
    const noSpace = (): Promise<never> => Promise.reject(new PeerStoreError('NO_SPACE', 'ENOSPC'));
    full.store.putBlock = noSpace;
    full.store.mergeBlock = (id, state, body) => (body === undefined ? merge(id, state) : noSpace());
    await fill(town, 60);
    await town.world.clock.runFor(3 * roundMs);
    const others = town.world.live.filter((peer) => peer !== full);
    const movedBytes = async (): Promise<number> => {
      const each = await Promise.all(others.map(({ node }) => node.repairStatus()));
      return each.reduce((sum, status) => sum + status.movedBytes, 0);
    };
    const before = await movedBytes();
    await town.world.clock.runFor(60 * 60_000);
    // By each of the others, one block in five minutes.
    expect((await movedBytes()) - before).to.be.within(1, 5 * 13 * utf8('block 60').length);
  });
});
