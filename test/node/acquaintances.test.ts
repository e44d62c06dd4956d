import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { Acquaintances } from '../../src/node/acquaintances.js';
import { Pointers } from '../../src/node/pointers.js';
import { idFromBytes, type Id } from '../../src/ring/identifier.js';
import type { LookupResult } from '../../src/ring/lookup.js';
import { PeerCache } from '../../src/ring/peer-cache.js';
import { Finder } from '../../src/wire/lookup.js';
import type { Transport } from '../../src/wire/transport.js';
import { Tally } from '../sim/figures.js';
import { IdealRing } from '../sim/ideal-ring.js';
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

/** A place right behind another one. */
const between = (id: Id, at: number): Id => `${id.slice(0, 62)}${(16 + at).toString(16)}` as Id;

describe('node/acquaintances', () => {
  it('everybody comes to know everybody in a ring that fits the cache, and one hop is enough', async () => {
    const world = await quietRing(1, 24);
    for (const peer of world.live) expect(knownBy(peer)).to.have.length(23);
    expect((await hops(world)).percentile(1)).to.equal(1);
  });

  it('a newcomer knows everybody after its first round', async () => {
    const world = new World({ seed: 2 });
    await world.grow(80);
    await world.untilIdeal();
    const newcomer = world.peer();
    await world.clock.run(newcomer.start(world.live.slice(0, 1)));
    await world.clock.runFor(3_000);
    // Its list, and the two stretches that a round looks at, are hardly more than half of them.
    expect(knownBy(newcomer).length).to.be.at.least(78);
  });

  it('a walk round the ring takes as many rounds as lists cover it, and shows who has come and who is gone', async () => {
    const count = 321;
    const ring = new IdealRing(count, 16, seededRandom(1));
    const self = ring.at(0);
    const pointers = new Pointers(self, () => undefined);
    pointers.become(ring.state(self.id));
    pointers.enter();
    const cache = new PeerCache({ self: self.id, capacity: 1000, random: seededRandom(2) });
    // Nobody gives pages, and each key is found at once.
    const transport = {
      call: () => Promise.reject(new PeerStoreError('BUSY', 'no pages')),
    } as unknown as Transport;
    const finder = new Finder({ transport, cache, reference: () => undefined });
    const find = (key: Id): Promise<LookupResult> => {
      const before = ring.at(ring.placeOf(key) - 1);
      const peers = ring.state(before.id).successors;
      cache.followed(before.id, peers);
      return Promise.resolve({ peers, answeredBy: before, hops: 1, failures: 0 });
    };
    const acquaintances = new Acquaintances({ self, finder, cache, pointers, find });
    const gone = ring.peers.slice(100, 110).map((peer, at) => ({ ...peer, id: between(peer.id, at) }));
    cache.heard(gone, ring.at(5).id);
    for (let round = 0; round < Math.ceil(count / 32); round += 1) {
      await acquaintances.round(new AbortController().signal);
    }
    expect(cache.size).to.equal(count - 1);
    expect(gone.some(({ id }) => cache.has(id))).to.equal(false);
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
