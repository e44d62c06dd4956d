import { expect } from 'chai';

import type { Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { RingState } from '../../src/ring/state.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { listRules } from '../sim/rules.js';
import { World } from '../sim/world.js';

const second = 1_000;
const minute = 60 * second;

/** An ideal ring that has been quiet for a while, and whom anybody in it drops from now on. */
async function ringOf(seed: number, count: number): Promise<{ world: World; dropped: Set<Id> }> {
  const world = new World({ seed });
  await world.grow(count);
  await world.untilIdeal();
  await world.clock.runFor(minute);
  const dropped = new Set<Id>();
  const known = new Map<SimulatedPeer, RingState | undefined>();
  const look = (): void => {
    for (const peer of world.peers) {
      const before = known.get(peer);
      if (before === peer.state) continue;
      known.set(peer, peer.state);
      const named = new Set(peer.state?.successors.map(({ id }) => id));
      const last = peer.state?.successors.at(-1)?.id ?? peer.id;
      // What a longer list pushes out at its end is not dropped.
      for (const { id } of before?.successors ?? []) {
        if (!named.has(id) && between(peer.id, id, last)) dropped.add(id);
      }
    }
  };
  look();
  world.listeners.add(look);
  return { world, dropped };
}

/** A peer and the two beside it on the ring. */
function neighbours(world: World, of: SimulatedPeer): { before: SimulatedPeer; after: SimulatedPeer } {
  const order = world.trueOrder(of.id).map(({ id }) => world.peers.find((peer) => peer.id === id)!);
  return { before: order.at(-1)!, after: order[1 % order.length]! };
}

/** Whether nobody points to a peer any more. */
const isForgotten = (world: World, { id }: SimulatedPeer): boolean =>
  world.live.every(
    ({ state }) =>
      state?.predecessor?.id !== id && state?.successors.every((peer) => peer.id !== id) === true,
  );

describe('node: suspicion', () => {
  for (const count of [3, 8, 20]) {
    it(`while one link of ${count} peers is cut, nobody is dropped and the ring stays ideal`, async () => {
      const { world, dropped } = await ringOf(100 + count, count);
      const one = world.live[0]!;
      world.cut([one], [neighbours(world, one).after]);
      await world.clock.runFor(10 * minute);
      expect([...dropped]).to.deep.equal([]);
      expect(world.whyNotIdeal()).to.equal(undefined);
      expect(world.violations).to.deep.equal([]);
    });

    for (const direction of ['to its successor', 'from its successor'] as const) {
      it(`while the way of one of ${count} peers ${direction} is cut, nobody is dropped`, async () => {
        const { world, dropped } = await ringOf(200 + count, count);
        const one = world.live[0]!;
        const { after } = neighbours(world, one);
        const [from, to] = direction === 'to its successor' ? [one, after] : [after, one];
        world.faults.cutOneWay([from.address], [to.address]);
        await world.clock.runFor(10 * minute);
        expect([...dropped]).to.deep.equal([]);
        expect(world.whyNotIdeal()).to.equal(undefined);
        expect(world.violations).to.deep.equal([]);
      });
    }

    it(`a crashed one of ${count} is forgotten within seconds, and nobody else is dropped`, async () => {
      const { world, dropped } = await ringOf(300 + count, count);
      const gone = world.live[1]!;
      gone.crash();
      await world.clock.runUntil('it is forgotten', () => isForgotten(world, gone), 12 * second);
      await world.untilIdeal(12 * second);
      expect([...dropped]).to.deep.equal([gone.id]);
      expect(world.violations).to.deep.equal([]);
    });

    it(`one of ${count} that falls silent is forgotten within 15 seconds`, async () => {
      const { world, dropped } = await ringOf(400 + count, count);
      const gone = world.live[1]!;
      gone.pause();
      const others = world.live.filter((peer) => peer !== gone);
      const isGone = (): boolean =>
        others.every(
          ({ state }) =>
            state?.predecessor?.id !== gone.id &&
            state?.successors.every(({ id }) => id !== gone.id) === true,
        );
      await world.clock.runUntil('it is forgotten', isGone, 25 * second);
      expect([...dropped]).to.deep.equal([gone.id]);
    });

    for (const pauseMs of [5, 10, 30, 60].map((seconds) => seconds * second)) {
      it(`a pause of ${pauseMs / second} s of one of ${count} leaves one ring, ideal within 10 s of its end`, async () => {
        const { world, dropped } = await ringOf(500 + count + pauseMs, count);
        const paused = world.live[1]!;
        paused.pause();
        await world.clock.runFor(pauseMs);
        paused.resume();
        expect(await world.untilIdeal(10 * second)).to.be.lessThan(10 * second);
        await world.clock.runFor(minute);
        expect(world.whyNotIdeal()).to.equal(undefined);
        dropped.delete(paused.id);
        expect([...dropped], 'who was paused drops nobody').to.deep.equal([]);
        expect(world.violations.filter(({ rule }) => rule === 'atMostOneRing')).to.deep.equal([]);
      });
    }
  }

  it('a slow peer, whose answers take 1.2 s, is not dropped', async () => {
    const { world, dropped } = await ringOf(1, 8);
    world.faults.slow(world.live[3]!.address, 600);
    await world.clock.runFor(10 * minute);
    expect([...dropped]).to.deep.equal([]);
    expect(world.whyNotIdeal()).to.equal(undefined);
    expect(world.violations).to.deep.equal([]);
  });

  it('a third of 20 peers that crash at once are dropped, and nobody else', async () => {
    const { world, dropped } = await ringOf(2, 20);
    const gone = world.live.filter((_, at) => at % 3 === 0);
    for (const peer of gone) peer.crash();
    expect(await world.untilIdeal(30 * second)).to.be.lessThan(20 * second);
    expect([...dropped]).to.have.members(gone.map(({ id }) => id));
    expect(world.violations).to.deep.equal([]);
  });

  it('a peer that half of the others cannot reach keeps to one ring with them, and is back when it can be reached', async () => {
    const { world } = await ringOf(3, 12);
    const [one, ...others] = world.live;
    const { before, after } = neighbours(world, one!);
    const beyond = others.filter((peer, at) => peer === before || (peer !== after && at % 2 === 0));
    world.cut([one!], beyond);
    await world.clock.runFor(10 * minute);
    expect(world.violations).to.deep.equal([]);
    world.heal();
    await world.untilIdeal(30 * second);
    expect(world.violations).to.deep.equal([]);
  });

  it('a list behind a successor that only others reach does not grow old', async () => {
    const { world } = await ringOf(4, 8);
    const one = world.live[0]!;
    const { after } = neighbours(world, one);
    world.cut([one], [after]);
    await world.clock.runFor(minute);
    world.live.find((peer) => peer !== one && peer !== after)!.crash();
    await world.clock.run(world.peer().start([after]));
    await world.untilIdeal(2 * minute);
    expect(world.violations).to.deep.equal([]);
  });

  it('a successor that only others reach, and then nobody, is dropped', async () => {
    const { world } = await ringOf(5, 8);
    const one = world.live[0]!;
    const { after } = neighbours(world, one);
    world.cut([one], [after]);
    await world.clock.runFor(2 * minute);
    after.crash();
    await world.untilIdeal(minute);
    expect(world.violations).to.deep.equal([]);
  });

  it('a peer that reaches nobody accuses nobody of being dead for half a minute', async () => {
    const { world, dropped } = await ringOf(6, 12);
    const [one, ...others] = world.live;
    world.require(listRules);
    world.cut([one!], others);
    await world.clock.runFor(30 * second);
    expect([...dropped].filter((id) => id !== one!.id)).to.deep.equal([]);
    world.heal();
    await world.untilIdeal(minute);
  });
});
