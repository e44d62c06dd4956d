import { expect } from 'chai';

import { concatBytes, utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { World } from '../sim/world.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;

/** A block whose bytes are what the id of a record is made of: both have the same id. */
function blockLike(town: Town): Uint8Array {
  const length = (part: Uint8Array): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(part.length);
    return bytes;
  };
  const parts = [utf8('test'), town.user.key.publicKey, utf8('name')].flatMap((part) => [length(part), part]);
  return concatBytes(utf8('peerstore record id v1'), ...parts);
}

async function withRecord(town: Town, id: Id): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { id: peer, store } of town.world.live)
    if ((await store.getRecord(id)) !== undefined) found.push(peer);
  return found.sort();
}

async function lose(town: Town, peer: SimulatedPeer): Promise<void> {
  peer.crash();
  peer.loseDisk();
  await town.world.clock.runFor(60_000 + 2 * roundMs);
}

/** How many questions of a kind are asked in a minute. */
async function askedInMinute(world: World, ...methods: readonly string[]): Promise<number> {
  let count = 0;
  world.fault = ({ kind, method }) => {
    if (kind === 'request' && methods.includes(method)) count += 1;
    return undefined;
  };
  await world.clock.runFor(60_000);
  world.fault = () => undefined;
  return count;
}

describe('node: repair, where something is wrong', () => {
  it('copies a record also where somebody has posted a block of the same id', async () => {
    const town = await Town.of(1, 6, { policy: quickly });
    const { world } = town;
    const record = town.record(1, 'value');
    const block = { id: record.id, body: blockLike(town) };
    expect(hashToId(block.body)).to.equal(record.id);
    await town.post(record.holders[0]!, block, world.user('eve'));
    await town.write(record.holders[0]!, record);
    for (let time = 0; time < 3; time += 1) {
      await lose(town, town.at(world.trueHolders(record.id, 3)[1]));
      const right = world.trueHolders(record.id, 3).map(({ id }) => id as string);
      expect(await withRecord(town, record.id)).to.deep.equal(right.sort());
    }
    const leaving = town.at(world.trueHolders(record.id, 1)[0]);
    await world.clock.run(leaving.drain());
    expect(leaving.store.stats()).to.include({ blocks: 0, records: 0 });
  });

  it('copies what its owner has no room for, to those who stand in for it', async () => {
    const world = new World({ seed: 2 });
    await world.grow(6, { policy: quickly });
    await world.grow(1, { policy: quickly, capacityBytes: 30 });
    await world.untilIdeal();
    const full = world.live[6]!;
    const { transport } = world.user();
    const ids: Id[] = [];
    for (let at = 0; ids.length < 12; at += 1) {
      const body = utf8(`a block of many bytes, number ${at}`);
      const id = hashToId(body);
      if (world.trueOrder(id)[0]!.id !== full.id) continue;
      await world.clock.run(transport.call(full.ref, 'postBlock', { id }, { body }));
      ids.push(id);
    }
    await world.clock.runFor(roundMs);
    for (let time = 0; time < 2; time += 1) {
      const victim = world.peerOf(world.trueOrder(full.id)[1]!.id)!;
      victim.crash();
      victim.loseDisk();
      await world.clock.runFor(60_000 + 2 * roundMs);
      const missing = new Set(ids);
      for (const id of ids) {
        const holding = await Promise.all(world.live.map(({ store }) => store.getBlock(id)));
        if (holding.filter((found) => found !== undefined).length >= 3) missing.delete(id);
      }
      expect([...missing]).to.deep.equal([]);
      expect((await full.node.repairStatus()).keysShort).to.equal(0);
    }
  });

  it('does not let go of copies while those who should have them are away', async () => {
    const town = await Town.of(3, 4, { policy: quickly });
    const { world } = town;
    const [one, two, three, four] = world.live;
    one!.crash();
    two!.crash();
    await world.clock.runFor(30_000);
    for (let at = 0; at < 10; at += 1) {
      const block = town.block();
      await town.post(town.at(world.trueOrder(block.id)[0]), block);
    }
    let isDrained = false;
    void three!.drain().then(() => (isDrained = true));
    await world.clock.runFor(300_000);
    expect(isDrained).to.equal(false);
    expect(three!.store.stats().blocks).to.equal(10);
    await world.clock.run(one!.restart());
    await world.clock.run(two!.restart());
    await world.clock.runFor(3 * roundMs);
    expect(isDrained).to.equal(true);
    for (const peer of [one!, two!, four!]) expect(peer.store.stats().blocks).to.equal(10);
  });

  it('comes to rest where holders have taken two values for one number', async () => {
    const town = await Town.of(4, 6, { policy: quickly });
    const { world } = town;
    const [a, b] = [town.record(1, 'a'), town.record(1, 'b')];
    const stored = ({ id, body }: typeof a) => ({ id, sequence: 1, bytes: body });
    await a.holders[0]!.store.putRecord(stored(a));
    await a.holders[1]!.store.putRecord(stored(a));
    await a.holders[2]!.store.putRecord(stored(b));
    await world.clock.runFor(600_000);
    expect(await askedInMinute(world, 'getRecord', 'postRecord')).to.be.at.most(6);
    await world.clock.run(a.holders[2]!.drain());
    expect(a.holders[2]!.store.stats().records).to.equal(0);
  });

  it('looks after nothing while it does not know where its keys begin', async () => {
    const world = new World({ seed: 6 });
    await world.growInCrowds(30, { policy: quickly });
    const peer = world.live[7]!;
    const before = world.trueOrder(peer.id).at(-1)!;
    world.peers.find(({ id }) => id === before.id)!.crash();
    let compared = 0;
    // Nobody tells it of another predecessor.
    world.fault = ({ from, to, kind, method }) => {
      if (kind === 'request' && from === peer.address && method === 'compareRanges') compared += 1;
      return kind === 'request' && method === 'notify' && to === peer.address ? 'lose' : undefined;
    };
    await world.clock.runFor(20_000);
    expect(peer.state?.predecessor).to.equal(null);
    compared = 0;
    await world.clock.runFor(roundMs);
    expect(compared).to.equal(0);
    world.fault = () => undefined;
    await world.clock.runFor(roundMs);
    expect(peer.state?.predecessor).not.to.equal(null);
    expect((await peer.node.repairStatus()).keysShort).to.equal(0);
  });

  it('takes a block from whoever has it, when another one says so and gives nothing to keep', async () => {
    const town = await Town.of(8, 5, { policy: quickly });
    const { world } = town;
    const { id, body, holders } = town.block();
    const [owner, liar] = holders;
    await town.post(owner!, { id, body });
    await world.clock.runFor(1_000);
    // It has what the others have, and tells of a tombstone that has expired.
    const releasedAtMs = world.clock.nowMs() - limits.tombstoneMs - 1_000;
    const ownerships = [{ owner: hashToId(utf8('ann')), touchedAtMs: releasedAtMs - 1_000, releasedAtMs }];
    liar!.store.blockStates = (ids) =>
      Promise.resolve(ids.map(() => ({ sizeBytes: body.length, ownerships })));
    await owner!.store.dropItem((await owner!.store.itemOf(id, 'block'))!);
    await world.clock.runFor(2 * roundMs);
    expect(await town.holding(id)).to.include(owner);
  });

  it('is not held up by a holder that compares its keys slowly, and makes them up', async () => {
    const town = await Town.of(56, 5, { policy: quickly });
    const { world } = town;
    const owner = world.live[1]!;
    const [, victim, liar] = world.trueOrder(owner.id).map((ref) => town.at(ref));
    const blocks = Array.from({ length: 60 }, () => town.block());
    for (const block of blocks) await town.post(block.holders[0]!, block);
    await world.clock.runFor(1_000);
    const random = seededRandom(7);
    liar!.store.fingerprint = () => Promise.resolve({ count: 1000, held: 1000, sum: random.bytes(16) });
    let isSlow = false;
    world.fault = ({ kind, method, to }) => {
      isSlow = kind === 'request' && method === 'compareRanges' && to === liar!.address;
      return undefined;
    };
    world.faults.delayMs = (_, to) => (isSlow && to === liar!.address ? 20_000 : 5);
    victim!.crash();
    victim!.loseDisk();
    await world.clock.run(victim!.restart());
    await world.untilIdeal();
    await world.clock.runFor(10 * 60_000);
    for (const { id, holders } of blocks)
      if (holders[0] === owner) expect(await town.holding(id)).to.include(victim);
  });

  it('moves nothing in a large ring either when a machine is back in time', async () => {
    const world = new World({ seed: 5 });
    await world.growInCrowds(24, { policy: { ...quickly, repairAfterMs: 3_600_000 } });
    const { transport } = world.user();
    for (let at = 0; at < 100; at += 1) {
      const body = utf8(`block ${at}`);
      const id = hashToId(body);
      await world.clock.run(transport.call(world.trueOrder(id)[0]!, 'postBlock', { id }, { body }));
    }
    await world.clock.runFor(2 * roundMs);
    const moved = async (): Promise<number> => {
      const each = await Promise.all(world.live.map(({ node }) => node.repairStatus()));
      return each.reduce((sum, { movedBytes }) => sum + movedBytes, 0);
    };
    const before = await moved();
    for (const at of [3, 9, 15]) {
      const away = world.live[at]!;
      away.crash();
      await world.clock.runFor(40_000);
      await world.clock.run(away.restart());
      await world.untilIdeal();
      await world.clock.runFor(2 * roundMs);
    }
    expect(await moved()).to.equal(before);
  });

  it('hands over what lies in its trash, too, before it leaves', async () => {
    const town = await Town.of(6, 5, { policy: quickly });
    const { world } = town;
    const block = town.block();
    await town.post(block.holders[0]!, block);
    await world.clock.runFor(1000);
    const liveSetAtMs = world.clock.nowMs();
    await world.clock.run(
      town.user.transport.call(block.holders[0]!.ref, 'deleteBlock', { id: block.id, liveSetAtMs }),
    );
    expect(await block.holders[0]!.store.trashedBytes(block.id)).to.deep.equal(block.body);
    for (const leaving of block.holders.slice(0, 2)) {
      await world.clock.run(leaving.drain());
      expect(leaving.store.stats().bytes).to.equal(0);
      await world.clock.runFor(2 * roundMs);
    }
    const owner = town.at(world.trueOrder(block.id)[0]);
    const { response } = await world.clock.run(
      town.user.transport.call(owner.ref, 'hasBlocks', { ids: [block.id] }),
    );
    expect(response.present).to.deep.equal([true]);
  });
});
