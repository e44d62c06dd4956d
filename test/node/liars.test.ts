/** What one peer that lies, or that nobody can call, can do to the others. */
import { expect } from 'chai';

import type { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { stretchOf } from '../../src/ring/density.js';
import { hashToId, type Id, idPlusPowerOfTwo } from '../../src/ring/identifier.js';
import { PeerCache } from '../../src/ring/peer-cache.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { Finder } from '../../src/wire/lookup.js';
import type { Transport } from '../../src/wire/transport.js';
import { IdealRing } from '../sim/ideal-ring.js';
import { World } from '../sim/world.js';

const key = (n: number): Id => hashToId(Buffer.from(`key ${n}`));

describe('node: one liar', () => {
  it('does not empty a cache by a list that comes back to itself', async () => {
    const ring = new IdealRing(400, 16, seededRandom(1));
    const me = ring.at(200);
    const [liar, friend] = [ring.at(17), ring.at(18)];
    const cache = new PeerCache({ capacity: limits.knownPeers, random: seededRandom(2), self: me.id });
    for (const peer of ring.peers) cache.met(peer);
    const before = cache.size;
    const response = { found: true, peers: [friend, liar] };
    const transport = {
      call: () => Promise.resolve({ response, body: new Uint8Array() }),
    } as unknown as Transport;
    const reference = () => stretchOf(me.id, ring.state(me.id).successors);
    const finder = new Finder({ transport, cache, reference });
    for (let n = 0; n < 5; n += 1) await finder.find(key(n), [liar]);
    expect(cache.size).to.equal(before);
  });

  it('does not say of peers that others have named where they are', () => {
    const ring = new IdealRing(400, 16, seededRandom(1));
    const cache = new PeerCache({ capacity: limits.knownPeers, random: seededRandom(2) });
    for (let at = 0; at < 400; at += 100) cache.heard(ring.peers.slice(at, at + 100), ring.at(at + 399).id);
    const moved = ring.peers.map((peer) => ({ ...peer, address: 'nowhere:1' }));
    cache.heard(moved, ring.at(17).id);
    const believed = cache.after(ring.at(0).id, 400).filter(({ address }) => address === 'nowhere:1');
    expect(believed).to.deep.equal([]);
    cache.heard([moved[50]!], ring.at(399).id);
    expect(cache.after(ring.at(49).id, 1), 'who named it may').to.deep.equal([moved[50]]);
  });

  it('changes nothing of what a small ring knows of its members', async () => {
    const world = new World({ seed: 5 });
    await world.grow(6);
    await world.untilIdeal();
    const victim = world.live[3]!;
    const honest = world.live.map(({ ref }) => ref);
    const liar: PeerRef = {
      id: idPlusPowerOfTwo(victim.id, 0),
      machine: hashToId(Buffer.from('liar')),
      address: '10.66.66.66:1',
    };
    const transport = world.network.transport(
      { kind: 'peer', ids: [liar.id], machine: liar.machine },
      liar.address,
    );
    // Right behind the victim: its first successor, with false addresses and machines of all others.
    const others = world.trueOrder(victim.id).slice(1);
    const bent = others.map((peer) => ({ ...peer, machine: victim.machine, address: '10.77.0.1:1' }));
    await transport.listen(liar.address, ({ method }) => {
      const state = { self: liar, predecessor: victim.ref, successors: [...bent, victim.ref] };
      const response = method === 'successorList' ? state : {};
      return Promise.resolve({ response }) as never;
    });
    await world.clock.run(transport.call(victim.ref, 'announce', { peer: liar }));
    await world.clock.runFor(60_000);
    expect(victim.state?.successors[0]?.id).to.equal(liar.id);
    for (const peer of world.live) {
      const known = peer.state!.successors.filter(({ id }) => id !== liar.id);
      for (const one of known) expect(honest).to.deep.include(one);
      expect(known).to.have.length(5);
    }
  });

  it('takes nobody but itself out of a list by saying goodbye', async () => {
    const world = new World({ seed: 7 });
    await world.growInCrowds(24);
    const victim = world.live[0]!;
    const before = victim.state!;
    const [liar] = before.successors;
    const transport = world.network.transport({ kind: 'peer', ids: [liar!.id], machine: liar!.machine });
    await world.clock.run(transport.call(victim.ref, 'leave', { peer: liar! }));
    await world.clock.runFor(1);
    expect(victim.state!.predecessor).to.deep.equal(before.predecessor);
    expect(victim.state!.successors).to.have.length.at.least(before.successors.length - 1);
    await world.untilIdeal();
  });
});

describe('node: a goodbye', () => {
  for (const count of [2, 4, 8, 24]) {
    it(`leaves nothing to find out in a ring of ${count}`, async () => {
      for (let seed = 1; seed <= 8; seed += 1) {
        const world = new World({ seed });
        await world.grow(count);
        await world.untilIdeal();
        const dead: string[] = [];
        world.observers.push({ judged: (_, { verdict, peer }) => verdict === 'dead' && dead.push(peer.id) });
        await world.clock.run(world.live[count - 1]!.stop());
        await world.clock.runFor(30_000);
        expect(dead, `seed ${seed}`).to.deep.equal([]);
        expect(world.whyNotIdeal()).to.equal(undefined);
      }
    });
  }
});

describe('node: a peer that can call and cannot be called', () => {
  for (const how of ['break', 'lose'] as const) {
    it(`is not let in, and told why (${how})`, async () => {
      const world = new World({ seed: 16 });
      await world.grow(5);
      await world.untilIdeal();
      const deaf = world.peer();
      world.fault = ({ kind, to }) => (kind === 'request' && to === deaf.address ? how : undefined);
      const failure = await world.clock.run(deaf.start([world.live[0]!])).catch((error: unknown) => error);
      expect(String(failure)).to.include(`nobody answers at ${deaf.address}`);
      for (const peer of world.live.filter((one) => one !== deaf))
        expect(peer.state!.successors.some(({ id }) => id === deaf.id)).to.equal(false);
    });
  }

  it('holds up no more than so many workers of whom it introduces itself to', async () => {
    const world = new World({ seed: 18 });
    await world.grow(1);
    const [member] = world.live;
    world.fault = ({ kind, method }) => (kind === 'request' && method === 'ping' ? 'lose' : undefined);
    const codes = await world.clock.run(
      Promise.all(
        Array.from({ length: 2 * limits.callBacks }, (_, n) => {
          const id = key(n);
          const transport = world.network.transport({ kind: 'peer', ids: [id], machine: id });
          const peer = { id, machine: id, address: `10.9.9.${n}:1` };
          return transport.call(member!.ref, 'introduce', { peer }).then(
            () => 'in',
            (error: unknown) => (error as PeerStoreError).code,
          );
        }),
      ),
    );
    const count = (code: string): number => codes.filter((one) => one === code).length;
    expect([count('UNREACHABLE'), count('BUSY')]).to.deep.equal([limits.callBacks, limits.callBacks]);
  });

  it('does not take the keys of those who can once nobody reaches it any more', async () => {
    const world = new World({ seed: 17 });
    await world.grow(24);
    await world.untilIdeal();
    const deaf = world.live[5]!;
    const successor = world.peerOf(world.trueOrder(deaf.id)[1]!.id)!;
    world.fault = ({ kind, to }) => (kind === 'request' && to === deaf.address ? 'break' : undefined);
    await world.clock.runFor(120_000);
    let named = 0;
    for (let second = 0; second < 120; second += 1) {
      await world.clock.runFor(1_000);
      if (successor.state?.predecessor?.id === deaf.id) named += 1;
    }
    expect(named).to.equal(0);
  });
});
