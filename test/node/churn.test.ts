import { expect } from 'chai';

import { idFromBytes } from '../../src/ring/identifier.js';
import { seededRandom } from '../../src/base/random.js';
import { PeerCache } from '../../src/ring/peer-cache.js';
import { Finder } from '../../src/wire/lookup.js';
import { listRules } from '../sim/rules.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { World } from '../sim/world.js';

/** Looks random keys up from every peer. @returns how many answers were wrong or missing. */
async function wrongLookups(world: World, keysFromEach: number, passOverDead = false): Promise<number> {
  let wrong = 0;
  const isWanted = ({ id }: { id: string }): boolean =>
    !passOverDead || world.live.some((peer) => peer.id === id);
  for (const peer of world.live) {
    for (let time = 0; time < keysFromEach; time += 1) {
      const key = idFromBytes(world.random.bytes(32));
      const truth = world.trueOrder(key)[0];
      const found = await world.clock.run(
        peer.node.membership.lookup(key).then(
          ({ peers }) => peers.find(isWanted),
          () => undefined,
        ),
      );
      if (found?.id !== truth?.id) wrong += 1;
    }
  }
  return wrong;
}

/** The true neighbours of a peer: those before it and those behind it. */
function neighbours(world: World, peer: SimulatedPeer): { before: SimulatedPeer; after: SimulatedPeer } {
  const order = world.trueOrder(peer.id).map(({ id }) => world.peers.find((one) => one.id === id)!);
  return { before: order.at(-1)!, after: order[1]! };
}

describe('node: peers that come and go', () => {
  it('lookups from every peer agree with the truth, and users find the same', async () => {
    const world = new World({ seed: 1 });
    await world.grow(30);
    await world.untilIdeal();
    await world.clock.runFor(30_000);
    expect(await wrongLookups(world, 20)).to.equal(0);
    const { transport } = world.user();
    const cache = new PeerCache({ capacity: 100, random: seededRandom(1) });
    const finder = new Finder({ transport, cache, reference: () => undefined });
    for (const peer of world.live) {
      const key = idFromBytes(world.random.bytes(32));
      const { peers } = await world.clock.run(finder.find(key, [peer.ref]));
      expect(peers[0]?.id).to.equal(world.trueOrder(key)[0]?.id);
      const holders = peers.slice(0, 3).map(({ id }) => id);
      expect(holders).to.deep.equal(world.trueHolders(key, 3).map(({ id }) => id));
    }
    expect(world.violations).to.deep.equal([]);
  });

  for (const count of [2, 3, 5, 12]) {
    it(`the crash of one of ${count} closes within seconds`, async () => {
      const world = new World({ seed: 10 + count });
      const peers = await world.grow(count);
      await world.untilIdeal();
      peers[world.random.below(count)]!.crash();
      expect(await world.untilIdeal()).to.be.lessThan(15_000);
      expect(await wrongLookups(world, 5)).to.equal(0);
      expect(world.violations).to.deep.equal([]);
    });
  }

  it('the crash of half the peers at once leaves one ring, which closes by itself', async () => {
    const world = new World({ seed: 20 });
    const peers = await world.grow(16);
    await world.untilIdeal();
    for (const peer of peers.slice(0, 8)) peer.crash();
    await world.untilIdeal();
    expect(await wrongLookups(world, 5)).to.equal(0);
    expect(world.violations).to.deep.equal([]);
  });

  it('neighbours that fall silent together are dropped together', async () => {
    const world = new World({ seed: 21 });
    await world.grow(12);
    await world.untilIdeal();
    const [key] = world.live;
    const row = world.trueOrder(key!.id).slice(1, 5);
    const silent = world.live.filter(({ id }) => row.some((peer) => peer.id === id));
    world.cut(
      silent,
      world.live.filter((peer) => !silent.includes(peer)),
    );
    for (const peer of silent) peer.crash();
    // One question, three pings and one round more: not that for each of the four.
    expect(await world.untilIdeal()).to.be.lessThan(30_000);
  });

  it('lookups while peers crash and join name the owner first among the living, nearly always', async () => {
    const world = new World({ seed: 22 });
    await world.grow(20);
    await world.untilIdeal();
    let wrong = 0;
    for (let round = 0; round < 6; round += 1) {
      world.live[world.random.below(world.live.length)]!.crash();
      const joining = world.peer().start(world.live.slice(0, 1));
      wrong += await wrongLookups(world, 1, true);
      await world.clock.run(joining);
      await world.clock.runFor(10_000);
    }
    expect(wrong, 'of 120').to.be.lessThan(12);
    await world.untilIdeal();
    expect(await wrongLookups(world, 5)).to.equal(0);
    expect(world.violations).to.deep.equal([]);
  });

  for (const moment of ['at once', 'after it was dropped'] as const) {
    for (const place of ['at its address', 'at another address'] as const) {
      it(`a peer that crashed and starts again ${moment}, ${place}, is taken in again`, async () => {
        for (const count of [2, 3, 6]) {
          const world = new World({ seed: 30 + count });
          const peers = await world.grow(count);
          await world.untilIdeal();
          await world.clock.runFor(10_000);
          const peer = peers[1]!;
          peer.crash();
          if (moment !== 'at once') await world.clock.runFor(30_000);
          await world.clock.run(peer.restart(place === 'at its address' ? {} : { address: '10.9.9.9:9999' }));
          await world.untilIdeal();
          expect(world.violations, `${count} peers`).to.deep.equal([]);
        }
      });
    }
  }

  it('a restarting peer shows nobody its empty pointers', async () => {
    const world = new World({ seed: 40 });
    const peers = await world.grow(6);
    await world.untilIdeal();
    await world.clock.runFor(10_000);
    const peer = peers[2]!;
    const { before } = neighbours(world, peer);
    peer.crash();
    // It listens again, but nobody answers its way in for a while.
    world.fault = ({ kind, from, method }) =>
      kind === 'request' && from === peer.address && method !== 'ping' ? 'lose' : undefined;
    const restarted = peer.restart();
    await world.clock.runFor(5_000);
    expect(before.node.membership.state.successors.length).to.be.at.least(4);
    world.heal();
    await world.clock.run(restarted);
    await world.untilIdeal();
    expect(world.violations).to.deep.equal([]);
  });

  it('peers that all start again at once become one ring again', async () => {
    const world = new World({ seed: 41, rules: listRules });
    const peers = await world.grow(5);
    await world.untilIdeal();
    await world.clock.runFor(20_000);
    for (const peer of peers) peer.crash();
    await world.clock.runFor(1_000);
    await world.clock.run(Promise.all(peers.map((peer) => peer.restart())));
    await world.untilIdeal(300_000);
    expect(world.violations).to.deep.equal([]);
  });

  it('a ring of one starts again, alone', async () => {
    const world = new World({ seed: 42 });
    const [peer] = await world.grow(1);
    await world.clock.runFor(10_000);
    peer!.crash();
    await world.clock.run(peer!.restart());
    await world.untilIdeal();
    expect(await wrongLookups(world, 3)).to.equal(0);
  });

  it('a peer that crashes as soon as it is in the ring finds back to it, and never takes itself for the whole of it', async () => {
    const world = new World({ seed: 44 });
    await world.grow(4);
    await world.untilIdeal();
    const newcomer = world.peer();
    await world.clock.run(newcomer.start(world.live.slice(0, 1)));
    newcomer.crash();
    await world.clock.runFor(20_000);
    await world.clock.run(newcomer.restart());
    expect(newcomer.state?.successors).to.have.length(4);
    await world.untilIdeal();
  });

  it('a peer whose entries lead nowhere says so and is gone from the network', async () => {
    const world = new World({ seed: 43 });
    const [alive] = await world.grow(1);
    const nobody = world.peer();
    const newcomer = world.peer();
    const failure = await world.clock.run(newcomer.start([nobody]).catch((error: unknown) => error));
    expect(failure).to.have.property('code', 'UNREACHABLE');
    newcomer.crash();
    await world.clock.run(newcomer.start([alive!]));
    await world.untilIdeal();
  });

  for (const count of [2, 3, 8]) {
    it(`a peer that leaves a ring of ${count} in good order leaves no gap`, async () => {
      const world = new World({ seed: 50 + count });
      const peers = await world.grow(count);
      await world.untilIdeal();
      const leaver = peers[1]!;
      const { before, after } = neighbours(world, leaver);
      await world.clock.run(leaver.stop());
      await world.clock.runFor(50);
      const next = count === 2 ? undefined : after.id;
      expect(before.node.membership.state.successors[0]?.id).to.equal(next);
      expect(after.node.membership.state.predecessor?.id).to.equal(count === 2 ? undefined : before.id);
      await world.untilIdeal();
      expect(world.violations).to.deep.equal([]);
    });
  }

  it('peers that stopped one after the other find each other again, whoever starts first', async () => {
    const world = new World({ seed: 54, rules: listRules });
    const peers = await world.grow(3);
    await world.untilIdeal();
    await world.clock.runFor(10_000);
    for (const peer of peers) await world.clock.run(peer.stop());
    for (const peer of [...peers].reverse()) await world.clock.run(peer.restart());
    await world.untilIdeal(300_000);
  });

  it('a stop does not wait for silent peers', async () => {
    const world = new World({ seed: 55 });
    const peers = await world.grow(4);
    await world.untilIdeal();
    for (const peer of peers.slice(1)) peer.pause();
    await world.clock.runFor(3_000);
    const sinceMs = world.clock.monotonicMs();
    await world.clock.run(peers[0]!.stop());
    expect(world.clock.monotonicMs() - sinceMs).to.be.lessThan(5_000);
  });

  it('a peer that pauses for a few seconds is not dropped', async () => {
    const world = new World({ seed: 60 });
    const peers = await world.grow(5);
    await world.untilIdeal();
    const slow = peers[2]!;
    const { before, after } = neighbours(world, slow);
    slow.pause();
    await world.clock.runFor(4_000);
    slow.resume();
    for (let second = 0; second < 20; second += 1) {
      await world.clock.runFor(1_000);
      expect(before.node.membership.state.successors[0]?.id).to.equal(slow.id);
      expect(after.node.membership.state.predecessor?.id).to.equal(slow.id);
    }
  });

  it('a peer that pauses for a minute is dropped, and taken in again when it goes on', async () => {
    const world = new World({ seed: 61 });
    const peers = await world.grow(5);
    await world.untilIdeal();
    const slow = peers[2]!;
    const { before } = neighbours(world, slow);
    slow.pause();
    await world.clock.runFor(60_000);
    expect(before.node.membership.state.successors.map(({ id }) => id)).not.to.contain(slow.id);
    slow.resume();
    await world.untilIdeal();
  });

  for (const [one, other] of [
    [1, 1],
    [1, 4],
    [3, 3],
    [6, 14],
  ] as const) {
    it(`a ring cut into ${one} and ${other} becomes one again by itself`, async () => {
      const world = new World({ seed: 70 + one + other, rules: listRules });
      const peers = await world.grow(one + other);
      await world.untilIdeal();
      await world.clock.runFor(30_000);
      world.cut(peers.slice(0, one), peers.slice(one));
      await world.clock.runFor(300_000);
      world.heal();
      await world.untilIdeal(600_000);
      expect(await wrongLookups(world, 3)).to.equal(0);
      expect(world.violations).to.deep.equal([]);
    });
  }
});
