import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { idFromBytes, type Id } from '../../src/ring/identifier.js';
import { Tally } from '../sim/figures.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { World } from '../sim/world.js';

const minuteMs = 60_000;
const lowest = '0'.repeat(64) as Id;

const knownBy = (peer: SimulatedPeer): Id[] => peer.node.membership.knownPeers(lowest).map(({ id }) => id);

/** A ring of this many peers that has been quiet for long. */
async function quietRing(seed: number, count: number): Promise<World> {
  const world = new World({ seed });
  await world.grow(count);
  await world.untilIdeal();
  await world.clock.runFor(10 * minuteMs);
  return world;
}

async function hops(world: World): Promise<Tally> {
  const tally = new Tally();
  for (const peer of world.live) {
    for (let time = 0; time < 3; time += 1) {
      const key = idFromBytes(world.random.bytes(32));
      const result = await world.clock.run(peer.node.membership.lookup(key));
      expect(result.peers[0]?.id).to.equal(world.trueOrder(key)[0]?.id);
      tally.add(result.hops);
    }
  }
  return tally;
}

describe('node/acquaintances', () => {
  it('everybody comes to know everybody in a ring that fits the cache, and one hop is enough', async () => {
    const world = await quietRing(1, 24);
    for (const peer of world.live) expect(knownBy(peer)).to.have.length(23);
    expect((await hops(world)).percentile(1)).to.equal(1);
  });

  it('a newcomer knows everybody within seconds', async () => {
    const world = await quietRing(2, 24);
    const newcomer = world.peer();
    await world.clock.run(newcomer.start(world.live.slice(0, 1)));
    await world.clock.runFor(5_000);
    expect(knownBy(newcomer)).to.have.length(24);
  });

  it('the others learn of a newcomer, and forget the dead, in the time of a walk round the ring', async () => {
    const world = await quietRing(3, 24);
    const newcomer = world.peer();
    await world.clock.run(newcomer.start(world.live.slice(0, 1)));
    const gone = world.live[5]!;
    gone.crash();
    await world.clock.runFor(10 * minuteMs);
    for (const peer of world.live.filter((one) => one !== newcomer)) {
      expect(knownBy(peer)).to.include(newcomer.id);
      expect(knownBy(peer)).not.to.include(gone.id);
    }
  });

  it('peers that have gone and peers that have come cost a redirect, and never a wrong answer', async () => {
    const world = await quietRing(4, 40);
    for (const peer of world.live.slice(10, 16)) peer.crash();
    for (let time = 0; time < 6; time += 1) {
      await world.clock.run(world.peer().start(world.live.slice(0, 1)));
    }
    await world.untilIdeal();
    const tally = await hops(world);
    expect(tally.percentile(1)).to.be.at.most(3);
    expect(tally.mean).to.be.below(1.3);
  });

  it('nobody keeps more in mind than there is room for', async () => {
    const world = new World({ seed: 5 });
    for (let at = 0; at < 30; at += 1) {
      await world.clock.run(world.peer({ knownPeers: 20 }).start(world.live.slice(0, 1)));
    }
    await world.untilIdeal();
    await world.clock.runFor(5 * minuteMs);
    for (const peer of world.live) expect(knownBy(peer).length).to.be.within(15, 20);
    expect((await hops(world)).percentile(1)).to.be.at.most(3);
  });

  it('a peer outside the ring names nobody', async () => {
    const world = new World({ seed: 6 });
    const [inside] = await world.grow(1);
    const newcomer = world.peer();
    const start = newcomer.start([inside!]);
    start.catch(() => undefined);
    const { transport } = world.user();
    const failure = await world.clock
      .run(transport.call(newcomer.ref, 'knownPeers', { after: lowest }))
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNSETTLED');
    await world.clock.run(start);
  });
});
