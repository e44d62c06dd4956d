import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { allKeys, keyAfter } from '../../src/ring/key-range.js';
import { codeOf } from '../archive/support.js';
import type { SimulatedUser } from '../sim/world.js';
import { Town } from './town.js';

const hourMs = 3_600_000;

describe('node: what a user has in the ring', () => {
  /** Goes once round, asking the true owner of each place. */
  async function all(town: Town, user: SimulatedUser): Promise<{ ids: Id[]; questions: number }> {
    const ids: Id[] = [];
    let questions = 0;
    for (let first: Id | undefined = allKeys.first; first !== undefined;) {
      const [owner] = town.world.trueHolders(first, 1);
      const { response } = await town.world.clock.run(user.transport.call(owner!, 'ownBlocks', { first }));
      questions += 1;
      expect(response.nowMs).to.be.greaterThan(0);
      ids.push(...response.blocks.map(({ id }) => id));
      first = keyAfter(response.upTo);
    }
    return { ids, questions };
  }

  it('is named once, in order, and nothing of others', async () => {
    const town = await Town.of(41, 6);
    const other = town.world.user();
    const [mine, theirs] = [Array.from({ length: 30 }, () => town.block()), [town.block(), town.block()]];
    for (const block of mine) await town.post(block.holders[0]!, block);
    for (const block of theirs) await town.post(block.holders[0]!, block, other);
    const [shared] = mine;
    await town.post(shared!.holders[0]!, shared!, other);
    const { ids, questions } = await all(town, town.user);
    expect(ids).to.deep.equal(mine.map(({ id }) => id).sort());
    expect(questions).to.equal(7);
    expect((await all(town, other)).ids).to.have.members([shared!, ...theirs].map(({ id }) => id));
    expect((await all(town, town.world.user())).ids).to.deep.equal([]);
  });

  it('was touched lately at the other holders, too, when the clock of the peer that was asked is behind', async () => {
    const town = await Town.of(44, 3);
    const { clock } = town.world;
    const block = town.block();
    const [slow, ...others] = block.holders;
    await clock.runFor(10 * hourMs);
    slow!.quartz.aheadMs = -9 * hourMs;
    await town.post(slow!, block);
    await clock.runFor(1_000);
    const touchedMs = async (): Promise<number[]> =>
      Promise.all(others.map(async ({ store }) => (await store.blockInfo(block.id))!.touchedAtMs));
    for (const atMs of await touchedMs())
      expect(atMs).to.be.at.least(clock.nowMs() - limits.touchBehindMs - 60_000);
    await clock.runFor(hourMs);
    await clock.run(town.user.transport.call(slow!.ref, 'hasBlocks', { ids: [block.id] }));
    for (const atMs of await touchedMs())
      expect(atMs).to.be.at.least(clock.nowMs() - limits.touchBehindMs - 60_000);
    // And so, when the holders have compared what they know, at the slow one.
    await clock.runFor(2 * 60_000);
    const { touchedAtMs } = (await slow!.store.blockInfo(block.id))!;
    expect(touchedAtMs).to.be.at.least(clock.nowMs() - limits.touchBehindMs - 3 * 60_000);
  });

  it('is told page by page', async () => {
    const town = await Town.of(42, 1);
    const [peer] = town.world.peers;
    const count = 2 * limits.ownBlocks + 3;
    for (let at = 0; at < count; at += 1) {
      const bytes = utf8(`small ${at}`);
      await peer!.store.putBlock(hashToId(bytes), bytes, hashToId(town.user.key.publicKey));
    }
    const { ids, questions } = await all(town, town.user);
    expect(ids).to.have.length(count);
    expect(new Set(ids).size).to.equal(count);
    // At most one more than there are full pages, on each side of its place.
    expect(questions).to.be.within(3, 4);
  });

  it('is not told by a peer that is not responsible for it, nor without what has been given up', async () => {
    const town = await Town.of(43, 5);
    const block = town.block();
    await town.post(block.holders[0]!, block);
    const ask = (at: number): Promise<unknown> =>
      town.world.clock.run(
        town.user.transport.call(block.holders[at]!.ref, 'ownBlocks', { first: block.id }),
      );
    expect(await codeOf(ask(1))).to.equal('NOT_RESPONSIBLE');
    await town.world.clock.runFor(1_000);
    const request = { id: block.id, liveSetAtMs: town.world.clock.nowMs() };
    await town.world.clock.run(town.user.transport.call(block.holders[0]!.ref, 'deleteBlock', request));
    expect((await all(town, town.user)).ids).to.deep.equal([]);
  });
});
