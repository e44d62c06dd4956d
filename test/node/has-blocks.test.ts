import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { failureOf } from '../wire/helpers.js';
import { Town } from './town.js';

const minuteMs = 60_000;

/** Asks the owner of a block, as a user. */
async function isPresent(town: Town, id: Id): Promise<boolean> {
  const owner = town.world.trueOrder(id)[0]!;
  const { response } = await town.world.clock.run(
    town.user.transport.call(owner, 'hasBlocks', { ids: [id] }),
  );
  return response.present[0]!;
}

/** Counts the questions between peers which blocks are there. */
function countQuestions({ world }: Town): { asked: number } {
  const count = { asked: 0 };
  world.fault = ({ kind, method, from }) => {
    if (kind === 'request' && method === 'hasBlocks' && world.peers.some(({ address }) => address === from))
      count.asked += 1;
    return undefined;
  };
  return count;
}

describe('node: which blocks are kept', () => {
  it('what a majority holds is present, also when a newcomer stands in front of it or a holder is silent', async () => {
    const town = await Town.of(19, 6);
    const block = town.block();
    await town.post(block.holders[0]!, block);
    await town.world.clock.runFor(1000);
    const present = async (): Promise<readonly boolean[]> => {
      const owner = town.at(town.world.trueOrder(block.id)[0]);
      const { response } = await town.world.clock.run(
        town.user.transport.call(owner.ref, 'hasBlocks', { ids: [block.id] }),
      );
      return response.present;
    };
    expect(await present()).to.deep.equal([true]);
    // Right at the key: it becomes the first holder, and has nothing.
    const newcomer = town.world.peer({ id: block.id });
    await town.world.clock.run(newcomer.start(town.world.live.slice(0, 1)));
    await town.world.untilIdeal();
    expect(await present()).to.deep.equal([true]);
    const failure = await failureOf(
      town.world.clock.run(town.user.transport.call(newcomer.ref, 'getBlock', { id: block.id })),
    );
    expect(failure.code).to.equal('NOT_FOUND');
    newcomer.crash();
    await town.world.untilIdeal();
    block.holders[1]!.pause();
    const sinceMs = town.world.clock.monotonicMs();
    expect(await present()).to.deep.equal([true]);
    expect(town.world.clock.monotonicMs() - sinceMs).to.be.lessThan(1000);
  });

  it('nobody has what a minority holds', async () => {
    const town = await Town.of(20, 5);
    const block = town.block();
    await block.holders[2]!.store.putBlock(block.id, block.body, town.user.identity.userId);
    const { response } = await town.world.clock.run(
      town.user.transport.call(block.holders[0]!.ref, 'hasBlocks', { ids: [block.id] }),
    );
    expect(response.present).to.deep.equal([false]);
  });

  it('what stands in for holders without room is present, without a word in the ring', async () => {
    const town = await Town.of(60, 6);
    await town.world.grow(4, { capacityBytes: 0 });
    await town.world.untilIdeal();
    const isFull = (peer: SimulatedPeer): boolean => town.world.peers.indexOf(peer) >= 6;
    const blocks: ReturnType<Town['block']>[] = [];
    for (const full of [2, 3]) {
      while (blocks.length < 5 * (full - 1)) {
        const block = town.block();
        if (block.holders.filter(isFull).length !== full) continue;
        await town.post(block.holders[0]!, block);
        blocks.push(block);
      }
    }
    await town.world.clock.runFor(20 * minuteMs);
    for (const { id } of blocks) {
      expect(await town.holding(id)).to.have.length(3);
      expect(await isPresent(town, id)).to.equal(true);
    }
  });

  it('what lies with one holder and one behind them is present', async () => {
    const town = await Town.of(21, 6);
    const { id, body, holders } = town.block();
    const [, , , , behind] = town.world.trueHolders(id, 5).map((ref) => town.at(ref));
    const owner = hashToId(utf8('ann'));
    for (const peer of [holders[1]!, behind!])
      await peer.store.putBlock(id, body, owner, town.world.clock.nowMs());
    expect(await isPresent(town, id)).to.equal(true);
    for (const peer of [holders[1]!, behind!])
      expect((await peer.store.blockStates([id]))[0]!.ownerships.map((one) => one.owner)).to.include(
        town.user.identity.userId,
      );
  });

  it('new blocks cost no question more than there are holders', async () => {
    const town = await Town.of(22, 8);
    const count = countQuestions(town);
    expect(await isPresent(town, town.block().id)).to.equal(false);
    expect(count.asked).to.equal(2);
  });

  it('those behind the holders are waited for for seconds, and may fail', async () => {
    const town = await Town.of(23, 6);
    const { id, body, holders } = town.block();
    await holders[0]!.store.putBlock(id, body, town.user.identity.userId);
    const [silent, broken] = town.world
      .trueHolders(id, 5)
      .slice(3)
      .map((ref) => town.at(ref));
    silent!.pause();
    broken!.diskFault = (operation) =>
      operation === 'touchBlocks' ? new PeerStoreError('IO', 'the disk is failing') : undefined;
    const sinceMs = town.world.clock.monotonicMs();
    expect(await isPresent(town, id)).to.equal(false);
    expect(town.world.clock.monotonicMs() - sinceMs).to.be.lessThan(4000);
  });
});
