import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { defaultPolicy } from '../../src/node/node.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { allKeys } from '../../src/ring/key-range.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { Town } from './town.js';

const policy = { ...defaultPolicy, repairAfterMs: 60_000 };
/** In this time a peer looks after its copies, however quiet it was. */
const roundMs = 90_000;
const ann = hashToId(utf8('ann'));

/** Puts new blocks onto the disks of some peers, past the ring. @returns their ids, in order. */
async function put(
  town: Town,
  count: number,
  where: (holders: readonly SimulatedPeer[]) => readonly SimulatedPeer[],
): Promise<readonly Id[]> {
  const ids: Id[] = [];
  while (ids.length < count) {
    const { id, body, holders } = town.block();
    const peers = where(holders);
    for (const { store } of peers) await store.putBlock(id, body, ann, town.world.clock.nowMs());
    if (peers.length > 0) ids.push(id);
  }
  return ids.sort();
}

/** Has a peer fail to read some of its blocks. */
function failReads(peer: SimulatedPeer, isBad: (id: Id) => boolean, code: ErrorCode = 'IO'): void {
  const { store } = peer;
  const get = store.getBlock.bind(store);
  store.getBlock = (id, ...rest) =>
    isBad(id) ? Promise.reject(new PeerStoreError(code, 'the file may not be opened')) : get(id, ...rest);
}

/** How many of some blocks a peer has. */
async function countAt({ store }: SimulatedPeer, ids: readonly Id[]): Promise<number> {
  const items = await Promise.all(ids.map((id) => store.itemOf(id, 'block')));
  return items.filter((item) => item !== undefined).length;
}

/** A peer, and those behind it. */
function orderFrom(town: Town, peer: SimulatedPeer): readonly SimulatedPeer[] {
  return town.world.trueOrder(peer.id).map((ref) => town.at(ref));
}

describe('node: copies that cannot be read where they lie', () => {
  it('do not keep the holders from being given the others', async () => {
    const town = await Town.of(63, 6, { policy });
    const [own] = town.world.live;
    const [, second, third] = orderFrom(town, own!);
    const ids = await put(town, 30, ([owner]) => (owner === own ? [own!] : []));
    failReads(own!, (id) => id === ids[0]);
    await town.world.clock.runFor(3 * roundMs);
    expect(await countAt(second!, ids)).to.equal(29);
    expect(await countAt(third!, ids)).to.equal(29);
  });

  it('are passed on from another holder that can read them', async () => {
    const town = await Town.of(64, 6, { policy });
    const [own] = town.world.live;
    const [, second, third] = orderFrom(town, own!);
    const ids = await put(town, 30, ([owner]) => (owner === own ? [own!, third!] : []));
    failReads(own!, (id) => ids.indexOf(id) < 3);
    await town.world.clock.runFor(3 * roundMs);
    expect(await countAt(second!, ids)).to.equal(30);
    for (const { node } of town.world.live) expect((await node.repairStatus()).keysShort).to.equal(0);
  });

  it('stay behind alone where a peer hands over what it need not have', async () => {
    const town = await Town.of(54, 6, { policy });
    const [peer] = town.world.live;
    const ids = await put(town, 60, (holders) => (holders.includes(peer!) ? [] : [peer!]));
    failReads(peer!, (id) => id === ids[0]);
    await town.world.clock.runFor(5 * roundMs);
    expect((await peer!.store.items(allKeys, 100)).map(({ id }) => id)).to.deep.equal(ids.slice(0, 1));
  });

  it('do not keep a peer from leaving if others have them', async () => {
    const town = await Town.of(55, 6, { policy });
    const [leaving] = town.world.live;
    const ids = await put(town, 40, (holders) => (holders.includes(leaving!) ? holders : []));
    failReads(leaving!, (id) => ids.indexOf(id) < 3);
    let isDrained = false;
    void leaving!.drain().then(() => (isDrained = true));
    await town.world.clock.runFor(5 * roundMs);
    expect(isDrained).to.equal(true);
    let copies = 0;
    for (const peer of town.world.live) copies += await countAt(peer, ids);
    expect(copies).to.equal(3 * 40);
  });

  it('are no fault of those that they are passed on to', async () => {
    const town = await Town.of(57, 6, { policy });
    const [full] = await town.world.grow(1, { policy, capacityBytes: 0 });
    await town.world.untilIdeal();
    const [, second, third, standIn] = orderFrom(town, full!);
    const ids = await put(town, 30, ([owner]) => (owner === full ? [second!, third!] : []));
    failReads(second!, () => true);
    await town.world.clock.runFor(3 * roundMs);
    expect(await countAt(standIn!, ids)).to.equal(30);
  });

  it('are taken from the next one, and say nothing of the room that is here', async () => {
    const town = await Town.of(58, 6, { policy });
    const [own] = town.world.live;
    const [, second, third] = orderFrom(town, own!);
    const ids = await put(town, 30, ([owner]) => (owner === own ? [second!, third!] : []));
    failReads(second!, () => true, 'NO_SPACE');
    await town.world.clock.runFor(3 * roundMs);
    expect(await countAt(own!, ids)).to.equal(30);
  });

  it('nor does one that a holder cannot write keep the others from it', async () => {
    const town = await Town.of(59, 6, { policy });
    const [own] = town.world.live;
    const [, second, third] = orderFrom(town, own!);
    const ids = await put(town, 200, ([owner]) => (owner === own ? [own!, third!] : []));
    const merge = second!.store.mergeBlock.bind(second!.store);
    // As in a directory that belongs to another user.
    second!.store.mergeBlock = (id, ...rest) =>
      ids.indexOf(id) < 5 ? Promise.reject(new PeerStoreError('IO', 'EACCES')) : merge(id, ...rest);
    await town.world.clock.runFor(5 * roundMs);
    expect(await countAt(second!, ids)).to.equal(195);
  });
});
