import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { World } from '../sim/world.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;
const minuteMs = 60_000;

async function movedBytes({ live }: World): Promise<number> {
  const each = await Promise.all(live.map(({ node }) => node.repairStatus()));
  return each.reduce((sum, status) => sum + status.movedBytes, 0);
}

/** Posts blocks of a kilobyte whose holders are as they should be. @returns how many bytes they have. */
async function post(
  world: World,
  count: number,
  isWanted: (holders: readonly SimulatedPeer[]) => boolean,
): Promise<number> {
  const { transport } = world.user();
  let bytes = 0;
  for (let at = 0, posted = 0; posted < count; at += 1) {
    const body = utf8(`block ${at} ${'x'.repeat(1000)}`);
    const id = hashToId(body);
    const refs = world.trueHolders(id, 3);
    if (!isWanted(refs.map((ref) => world.peerOf(ref.id)!))) continue;
    await world.clock.run(transport.call(refs[0]!, 'postBlock', { id }, { body }));
    posted += 1;
    bytes += body.length;
  }
  return bytes;
}

describe('node: copies that are handed on', () => {
  it('are not sent to a holder that has no room for them', async () => {
    const world = new World({ seed: 2 });
    await world.grow(5, { policy: quickly });
    await world.grow(1, { policy: quickly, capacityBytes: 30 });
    await world.untilIdeal();
    const full = world.live[5]!;
    await post(world, 20, (holders) => holders[0] !== full && holders.includes(full));
    await world.clock.runFor(20 * minuteMs);
    const before = await movedBytes(world);
    await world.clock.runFor(10 * minuteMs);
    expect((await movedBytes(world)) - before).to.equal(0);
  });

  it('are given to a holder that keeps none of them ever more seldom', async () => {
    const world = new World({ seed: 43 });
    await world.grow(6, { policy: quickly });
    await world.untilIdeal();
    const liar = world.live[2]!;
    const bytes = await post(world, 40, (holders) => holders.includes(liar));
    await world.clock.runFor(5_000);
    for (const item of await liar.store.items(allKeys, 1000)) await liar.store.dropItem(item);
    liar.store.mergeBlock = (_id, _state, body) =>
      Promise.resolve(body === undefined ? 'needs bytes' : 'merged');
    await world.clock.runFor(60 * minuteMs);
    // At once, once more, and then after 1, 2, 4, 8 and 16 minutes; what it asks for itself is its own affair.
    const { movedBytes: byItself } = await liar.node.repairStatus();
    expect((await movedBytes(world)) - byItself).to.be.at.most(7 * bytes);
  });

  it('do not keep a peer from looking after its own keys', async () => {
    const town = await Town.of(31, 6, { policy: quickly });
    const { world } = town;
    const peer = world.live[1]!;
    const owner = hashToId(utf8('ann'));
    for (let surplus = 0; surplus < 600;) {
      const block = town.block();
      if (block.holders.includes(peer)) continue;
      await peer.store.putBlock(block.id, block.body, owner, world.clock.nowMs());
      surplus += 1;
    }
    for (let own = 0; own < 10;) {
      const block = town.block();
      if (block.holders[0] !== peer) continue;
      await town.post(peer, block);
      own += 1;
    }
    const longestMs = town.slowDown(peer);
    await world.clock.runFor(30 * minuteMs);
    expect(longestMs()).to.be.at.most(limits.repairSliceMs + 60_000);
    expect((await peer.store.fingerprint(allKeys)).held).to.be.lessThan(600);
  });

  it('stay where they are while machines are away, however long a drain takes', async () => {
    const town = await Town.of(3, 4, { policy: defaultPolicy });
    const { world } = town;
    const ids: Id[] = [];
    for (let at = 0; at < 10; at += 1) {
      const block = town.block();
      await town.post(town.at(world.trueOrder(block.id)[0]), block);
      ids.push(block.id);
    }
    await world.clock.runFor(2_000);
    const [one, two, leaving] = world.live;
    world.fault = ({ kind, method }) =>
      kind === 'request' && ['keepCopy', 'heldItems', 'getCopy'].includes(method) ? 'break' : undefined;
    let isDrained = false;
    void leaving!.drain().then(() => (isDrained = true));
    await world.clock.runFor(11 * minuteMs);
    one!.crash();
    two!.crash();
    await world.clock.runFor(20_000);
    world.fault = () => undefined;
    await world.clock.runFor(100_000);
    expect(isDrained).to.equal(false);
    for (const peer of [one!, two!]) await world.clock.run(peer.restart());
    await world.clock.runFor(3 * roundMs);
    expect(isDrained).to.equal(true);
    for (const id of ids) expect(await town.holding(id)).to.have.length(3);
  });

  it('are not asked for again and again where they are tombstones that have expired', async () => {
    const town = await Town.of(11, 5, { policy: quickly });
    const { world } = town;
    const releasedAtMs = world.clock.nowMs() - limits.tombstoneMs + 2_000;
    const owner = hashToId(utf8('ann'));
    for (let at = 0; at < 20; at += 1) {
      const { id, holders } = town.block();
      const ownerships = [{ owner, touchedAtMs: releasedAtMs - 1_000, releasedAtMs }];
      for (const holder of holders.slice(1))
        await holder.store.mergeBlock(id, { sizeBytes: 1000, ownerships });
    }
    await world.clock.runFor(10_000);
    let asked = 0;
    world.fault = ({ kind, method }) => {
      if (kind === 'request' && method === 'getCopy') asked += 1;
      return undefined;
    };
    await world.clock.runFor(10 * minuteMs);
    expect(asked).to.be.at.most(20 * 12);
    for (const { node } of world.live) expect((await node.repairStatus()).keysShort).to.equal(0);
  });

  it('are not made anew for a machine of its own zone that is away for a moment', async () => {
    const world = new World({ seed: 21 });
    const policy = { ...defaultPolicy, repairAfterMs: 60 * minuteMs };
    // In the order of the ring.
    for (const [at, zone] of ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'c'].entries()) {
      const peer = world.peer({ id: `${at + 1}`.padEnd(64, '0') as Id, zone, policy });
      await world.clock.run(peer.start(world.live.slice(0, 1)));
    }
    await world.untilIdeal();
    await post(world, 40, () => true);
    await world.clock.runFor(3 * roundMs);
    const before = await movedBytes(world);
    for (const at of [0, 3, 6]) {
      const away = world.live[at]!;
      away.crash();
      await world.clock.runFor(40_000);
      await world.clock.run(away.restart());
      await world.untilIdeal();
      await world.clock.runFor(3 * roundMs);
    }
    expect(await movedBytes(world)).to.equal(before);
  });

  it('are given to a newcomer that keeps none of them ever more seldom', async () => {
    const town = await Town.of(55, 5, { policy: quickly });
    const { world } = town;
    for (let at = 0; at < 30; at += 1) {
      const block = town.block();
      await town.post(block.holders[0]!, block);
    }
    const newcomer = world.peer({ policy: quickly });
    let sent = 0;
    newcomer.store.mergeBlock = (_id, _state, body) => {
      if (body !== undefined) sent += 1;
      return Promise.resolve(body === undefined ? 'needs bytes' : 'merged');
    };
    await world.clock.run(newcomer.start(world.live.slice(0, 1)));
    await world.untilIdeal();
    // What it asks for itself is its own affair.
    world.fault = ({ kind, method, from }) =>
      kind === 'request' && method === 'getCopy' && from === newcomer.address ? 'break' : undefined;
    await world.clock.runFor(60 * minuteMs);
    // At once, once more, and then after 1, 2, 4, 8 and 16 minutes, by the owner and by one that need not have it.
    expect(sent).to.be.within(30, 2 * 7 * 30);
  });
});
