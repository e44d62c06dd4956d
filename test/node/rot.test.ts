/** A copy that has rotted where nobody has looked yet: whoever is given it notices, and whoever has it hears of it. */
import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { World } from '../sim/world.js';
import { Town } from './town.js';

const quickly = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;
/** In this time a peer with few values has read them all again; then it does not for weeks. */
const scrubMs = 600_000;

async function lose({ store }: SimulatedPeer, id: Id): Promise<void> {
  await store.dropItem((await store.itemOf(id, 'block'))!);
}

async function hasWhole({ store }: SimulatedPeer, id: Id): Promise<boolean> {
  const found = await store.getBlock(id);
  return found !== undefined && hashToId(found.bytes) === id;
}

/** A block in a ring, with its holders, the responsible one first; nobody reads it again by himself. */
async function stored(seed: number) {
  const town = await Town.of(seed, 5, { policy: quickly });
  const block = town.block();
  await town.post(block.holders[0]!, block);
  await town.world.clock.runFor(scrubMs);
  return { ...block, world: town.world };
}

async function expectWhole(holders: readonly SimulatedPeer[], id: Id): Promise<void> {
  for (const holder of holders) expect(await hasWhole(holder, id), holder.address).to.equal(true);
}

describe('node: a copy that has rotted', () => {
  it('is not taken from its holder, which hears of it; another one gives the right bytes', async () => {
    const { world, id, holders } = await stored(1);
    const [owner, rotten] = holders;
    await rotten!.rot(id);
    await lose(owner!, id);
    await world.clock.runFor(2 * roundMs);
    expect(rotten!.store.stats()).to.include({ damaged: 1, mended: 1 });
    await expectWhole(holders, id);
  });

  it('is not accepted from whoever gives it, who sets it aside and mends it', async () => {
    const { world, id, holders } = await stored(2);
    const [rotten, , unlucky] = holders;
    await rotten!.rot(id);
    await lose(unlucky!, id);
    await world.clock.runFor(2 * roundMs);
    expect(rotten!.store.stats()).to.include({ damaged: 1, mended: 1 });
    await expectWhole(holders, id);
  });

  it('is not passed on by a peer that has no room for it, and its holder hears of it', async () => {
    const world = new World({ seed: 3 });
    await world.grow(5, { policy: quickly });
    await world.grow(1, { policy: quickly, capacityBytes: 30 });
    await world.untilIdeal();
    const full = world.live[5]!;
    let body = utf8('');
    for (let at = 0; world.trueOrder(hashToId(body))[0]!.id !== full.id; at += 1)
      body = utf8(`a block of many bytes, number ${at}`);
    const id = hashToId(body);
    await world.clock.run(world.user().transport.call(full.ref, 'postBlock', { id }, { body }));
    await world.clock.runFor(scrubMs);
    const holders = world.trueHolders(id, 4).map((ref) => world.peerOf(ref.id)!);
    const [, rotten, unlucky, standIn] = holders;
    // Whoever stands in for the one without room would give its own copy.
    world.fault = ({ kind, method, from }) =>
      kind === 'request' && method === 'heldItems' && from === standIn!.address ? 'break' : undefined;
    await rotten!.rot(id);
    await lose(unlucky!, id);
    await world.clock.runFor(2 * roundMs);
    expect(rotten!.store.stats()).to.include({ damaged: 1, mended: 1 });
    await expectWhole(holders.slice(1), id);
  });

  it('is asked for twice of a holder that gives wrong bytes whatever it is told, and then of another one', async () => {
    const { world, id, holders } = await stored(4);
    const [owner, liar] = holders;
    const wrong = utf8('not this block');
    liar!.store.getBlock = () => Promise.resolve({ bytes: wrong, sizeBytes: wrong.length });
    let asked = 0;
    world.fault = ({ kind, method, to }) => {
      if (kind === 'request' && method === 'getCopy' && to === liar!.address) asked += 1;
      return undefined;
    };
    await lose(owner!, id);
    await world.clock.runFor(2 * roundMs);
    expect(await hasWhole(owner!, id)).to.equal(true);
    // First what it knows of the block, then its bytes.
    expect(asked).to.equal(1 + 2);
  });
});
