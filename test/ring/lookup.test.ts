import { expect } from 'chai';
import fc from 'fast-check';

import { PeerStoreError } from '../../src/base/errors.js';
import { FingerTable } from '../../src/ring/fingers.js';
import { hashToId, type Id, idFromNumber, idToNumber } from '../../src/ring/identifier.js';
import { lookup, type LookupOptions } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { lookupStep } from '../../src/ring/routing.js';
import { aloneState, type RingState } from '../../src/ring/state.js';
import { idAt, peerAt } from './fixtures.js';

interface IdealPeer {
  readonly state: RingState;
  readonly fingers: FingerTable;
}

/** An ideal ring of `count` peers at hashed places, with lists of `listLength` and full finger tables. */
function idealRing(count: number, listLength: number): Map<Id, IdealPeer> {
  const refs = Array.from({ length: count }, (_, n) => ({
    ...peerAt(n),
    id: hashToId(Buffer.from(`peer ${n}`)),
  }));
  refs.sort((a, b) => (a.id < b.id ? -1 : 1));
  const owner = (key: Id): PeerRef => refs.find(({ id }) => id >= key) ?? refs[0]!;
  return new Map(
    refs.map((self, at) => {
      const successors = [...refs.slice(at + 1), ...refs.slice(0, at)].slice(0, listLength);
      const state = { self, predecessor: count === 1 ? null : refs.at(at - 1)!, successors };
      const fingers = new FingerTable(self.id);
      for (const power of fingers.fillFromSuccessors(state))
        fingers.set(power, [owner(fingers.start(power))]);
      return [self.id, { state, fingers }];
    }),
  );
}

const asker =
  (ring: Map<Id, IdealPeer>, dead: ReadonlySet<Id> = new Set()) =>
  (peer: PeerRef, key: Id) => {
    const found = ring.get(peer.id);
    if (found === undefined || dead.has(peer.id)) throw new PeerStoreError('UNREACHABLE', 'dead');
    return Promise.resolve(lookupStep(found.state, found.fingers.peers(), key));
  };

const trueHolders = (ring: Map<Id, IdealPeer>, key: Id, dead: ReadonlySet<Id> = new Set()): Id[] => {
  const ids = [...ring.keys()].filter((id) => !dead.has(id)).sort();
  const at = ids.findIndex((id) => id >= key);
  return at < 0 ? ids : [...ids.slice(at), ...ids.slice(0, at)];
};

describe('lookup', () => {
  for (const count of [1, 2, 3, 5, 17, 18, 200]) {
    it(`finds the true owner from every peer of an ideal ring of ${count}`, async () => {
      const ring = idealRing(count, 16);
      for (const [at, { state }] of [...ring.values()].entries()) {
        for (const key of [state.self.id, hashToId(Buffer.from(`key ${at}`))]) {
          const result = await lookup(key, [state.self], { ask: asker(ring) });
          expect(result.peers[0]?.id).to.equal(trueHolders(ring, key)[0]);
          expect(result.hops).to.be.at.most(9);
        }
      }
    });
  }

  it("is certain of the owner of a key that is a peer's own id, and of the ones beside it", async () => {
    const ring = idealRing(24, 16);
    const beside = (id: Id, by: bigint): Id => idFromNumber(idToNumber(id) + by);
    for (const { state: owner } of ring.values()) {
      for (const key of [beside(owner.self.id, -1n), owner.self.id, beside(owner.self.id, 1n)]) {
        for (const { state } of ring.values()) {
          const result = await lookup(key, [state.self], { ask: asker(ring), confirm: true });
          expect(result.peers[0]?.id).to.equal(trueHolders(ring, key)[0]);
        }
      }
    }
  });

  it('names every holder in order where the ring is small', async () => {
    const ring = idealRing(5, 16);
    for (let n = 0; n < 50; n += 1) {
      const key = hashToId(Buffer.from(`key ${n}`));
      for (const { state } of ring.values()) {
        const { peers } = await lookup(key, [state.self], { ask: asker(ring) });
        expect(peers.map(({ id }) => id)).to.deep.equal(trueHolders(ring, key));
      }
    }
  });

  it('walks round dead peers and leaves those it met out of the answer', async () => {
    const ring = idealRing(200, 16);
    const ids = [...ring.keys()];
    const dead = new Set(ids.filter((_, at) => at % 3 === 1));
    for (let n = 0; n < 100; n += 1) {
      const key = hashToId(Buffer.from(`key ${n}`));
      const { peers } = await lookup(key, [ring.get(ids[0]!)!.state.self], { ask: asker(ring, dead) });
      expect(peers.find(({ id }) => !dead.has(id))?.id).to.equal(trueHolders(ring, key, dead)[0]);
    }
  });

  it('ends when every peer is dead', async () => {
    const ring = idealRing(5, 16);
    const all = [...ring.values()].map(({ state }) => state.self);
    const failure = await lookup(idAt(1), all, { ask: asker(ring, new Set(ring.keys())) }).catch(
      (e: unknown) => e,
    );
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNREACHABLE');
  });

  it('ends, and asks nobody twice, whatever the answers say', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 9 }), { minLength: 1 }),
        async (lies) => {
          const asked: Id[] = [];
          const ask = (peer: PeerRef) => {
            asked.push(peer.id);
            return Promise.resolve({ found: false, peers: lies[asked.length % lies.length]!.map(peerAt) });
          };
          await lookup(idAt(30), [peerAt(1)], { ask }).catch(() => undefined);
          expect(new Set(asked).size).to.equal(asked.length);
        },
      ),
    );
  });
});

describe('lookup: the word of whom', () => {
  /** Peers at small places, each with the pointers it happens to have. */
  const pointers = (entries: Record<number, [number | null, number[]]>) =>
    new Map(
      Object.entries(entries).map(([place, [predecessor, successors]]) => [
        idAt(Number(place)),
        {
          self: peerAt(Number(place)),
          predecessor: predecessor === null ? null : peerAt(predecessor),
          successors: successors.map(peerAt),
        },
      ]),
    );
  const find = async (
    states: ReadonlyMap<Id, RingState>,
    from: number,
    key: number,
    options: Partial<LookupOptions> = {},
    busy: readonly number[] = [],
  ) => {
    const asked: number[] = [];
    const result = await lookup(idAt(key), [peerAt(from)], {
      ask: (peer) => {
        const state = states.get(peer.id);
        asked.push(parseInt(peer.id, 16));
        if (busy.map(idAt).includes(peer.id)) throw new PeerStoreError('BUSY', 'busy');
        if (state === undefined) throw new PeerStoreError('UNREACHABLE', 'dead');
        return Promise.resolve(lookupStep(state, [], idAt(key)));
      },
      ...options,
    });
    return { ...result, places: result.peers.map(({ id }) => parseInt(id, 16)), asked };
  };

  it('finds a newcomer that stands between two entries of the list of the peer asked first', async () => {
    const states = pointers({
      10: [50, [20, 30, 40]],
      20: [10, [30, 40, 50]],
      30: [20, [35, 40, 50]],
      35: [30, [40, 50, 10]],
      40: [35, [50, 10, 20]],
    });
    expect((await find(states, 10, 33)).places[0]).to.equal(35);
    expect((await find(states, 10, 37)).places[0]).to.equal(40);
  });

  it('is certain of a dead owner only when nobody before the key is left to ask', async () => {
    // 30 alone knows that 35 has joined; the owner that 10 names, 40, is dead.
    const states = pointers({
      10: [50, [20, 30, 40, 50]],
      20: [10, [30, 40, 50, 10]],
      30: [20, [35, 40, 50, 10]],
      35: [30, [40, 50, 10, 20]],
      50: [40, [10, 20, 30, 40]],
    });
    expect((await find(states, 10, 33, { confirm: true })).places[0]).to.equal(35);
    expect((await find(states, 10, 37, { confirm: true })).places[0]).to.equal(50);
  });

  it('takes the first living peer behind the dead ones, on both sides of the key', async () => {
    const states = pointers({ 10: [70, [20, 30, 40, 50, 60]], 60: [50, [70, 10, 20, 30, 40]] });
    const { places, failures } = await find(states, 10, 35, { confirm: true });
    expect(places[0]).to.equal(60);
    expect(failures).to.equal(4);
  });

  it('asks with `confirm` whether the owner lives that the peer before it names, and counts no hop for that', async () => {
    const states = pointers({ 10: [30, [20, 30]], 30: [20, [10, 20]] });
    expect((await find(states, 10, 15)).places).to.deep.equal([20, 30, 10]);
    const confirmed = await find(states, 10, 15, { confirm: true });
    expect(confirmed).to.deep.include({ places: [30, 10], hops: 1, failures: 1, asked: [10, 20, 30] });
  });

  it('answers the last living peer itself', async () => {
    const states = pointers({ 10: [30, [20, 30]] });
    expect((await find(states, 10, 15, { confirm: true })).places).to.deep.equal([10]);
    expect((await find(states, 10, 25, { confirm: true })).places).to.deep.equal([10]);
  });

  it('believes an owner that names a nearer one, against a peer that has slept', async () => {
    // 10 was away: the ring goes 70, 15, 20 now, and 20 was told.
    const states = pointers({ 10: [70, [20, 30]], 15: [70, [20, 30]], 20: [15, [30, 70]] });
    expect((await find(states, 10, 12, { confirm: true })).places[0]).to.equal(15);
    expect((await find(states, 10, 17, { confirm: true })).places[0]).to.equal(20);
  });

  it('is not misled by newcomers that believe in the list they were given when they joined', async () => {
    // 50 and 60 joined behind 10 when it was alone; meanwhile the ring is 10 - 30 - 40, and 55 lies between them.
    const ring = new Map<number, RingState>([
      [10, { self: peerAt(10), predecessor: peerAt(60), successors: [30, 40].map(peerAt) }],
      [30, { self: peerAt(30), predecessor: peerAt(10), successors: [40, 10].map(peerAt) }],
      [40, { self: peerAt(40), predecessor: peerAt(30), successors: [10, 30].map(peerAt) }],
      [60, { self: peerAt(60), predecessor: peerAt(10), successors: [10].map(peerAt) }],
    ]);
    const ask = (peer: PeerRef, key: Id) =>
      Promise.resolve(lookupStep(ring.get(parseInt(peer.id, 16))!, [], key));
    const { peers } = await lookup(idAt(20), [peerAt(60)], { confirm: true, ask });
    expect(peers[0]).to.deep.equal(peerAt(30));
  });

  it('keeps an owner that is busy', async () => {
    const states = pointers({ 10: [30, [20, 30]], 20: [10, [30, 10]], 30: [20, [10, 20]] });
    expect((await find(states, 10, 15, { confirm: true }, [20])).places[0]).to.equal(20);
  });

  it('says so when somebody between the last answer and the key cannot tell now, and may know better', async () => {
    // 20 has let somebody in behind itself, perhaps; 40 does not say that it is responsible.
    const states = pointers({ 10: [50, [20, 30, 40, 50]], 40: [30, [50, 10, 20]] });
    const failure = await find(states, 10, 25, { confirm: true }, [20]).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNSETTLED');
    // The owner lives, and what stood between it and the last answer is dead: nobody is certain.
    const alone = pointers({ 10: [50, [20, 40, 50]], 40: [20, [50, 10, 20]] });
    const unsure = await find(alone, 10, 25, { confirm: true }, [40]).catch((error: unknown) => error);
    expect(unsure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNSETTLED');
    // What lies before the last answer does not matter, nor what the owner itself is certain of.
    const behind = pointers({ 20: [10, [40, 50, 10]], 40: [20, [50, 10, 20]] });
    expect((await find(behind, 20, 25, { confirm: true }, [10])).places[0]).to.equal(40);
    const certain = pointers({ 10: [50, [20, 40, 50]], 40: [20, [50, 10, 20]] });
    expect((await find(certain, 10, 25, { confirm: true }, [20])).places[0]).to.equal(40);
  });

  it('neither asks nor names the peer that is excepted', async () => {
    const states = pointers({ 10: [30, [20, 30]], 20: [10, [30, 10]], 30: [20, [10, 20]] });
    const { places, asked } = await find(states, 10, 20, { except: idAt(20), confirm: true });
    expect(places).to.deep.equal([30, 10]);
    expect(asked).not.to.include(20);
  });

  it('does not count the asker as a hop', async () => {
    const states = pointers({ 10: [30, [20, 30]], 20: [10, [30, 10]], 30: [20, [10, 20]] });
    const local = (peer: PeerRef, key: Id) =>
      peer.id === idAt(10) ? lookupStep(states.get(peer.id)!, [], key) : undefined;
    expect(await find(states, 10, 5, { local })).to.deep.include({ hops: 0, asked: [] });
    expect(await find(states, 10, 25, { local })).to.deep.include({ hops: 1, asked: [30] });
  });
});

describe('a lookup step', () => {
  it('answers itself when the peer is alone', () => {
    expect(lookupStep(aloneState(peerAt(4)), [], idAt(9))).to.deep.equal({ found: true, peers: [peerAt(4)] });
  });

  it('answers itself while the first newcomer has only notified it', () => {
    const state = { self: peerAt(4), predecessor: peerAt(9), successors: [] };
    for (const key of [2, 4, 7, 12]) {
      expect(lookupStep(state, [], idAt(key))).to.deep.equal({ found: true, peers: [peerAt(4)] });
    }
  });

  it('names closer peers, best first, each once, and its predecessor, when its list does not reach the key', () => {
    const state = { self: peerAt(10), predecessor: peerAt(5), successors: [peerAt(12), peerAt(14)] };
    const step = lookupStep(state, [peerAt(40), peerAt(20), peerAt(14), peerAt(60), peerAt(40)], idAt(50));
    expect(step).to.deep.equal({
      found: false,
      peers: [40, 20, 14, 12].map(peerAt),
      predecessor: peerAt(5),
    });
  });

  const state = { self: peerAt(10), predecessor: peerAt(5), successors: [12, 14, 16, 18].map(peerAt) };
  for (const [key, names] of [
    [6, [10, 12, 14, 16, 18]],
    [10, [10, 12, 14, 16, 18]],
    [11, [12, 14, 16, 18]],
    [12, [12, 14, 16, 18]],
  ] as const) {
    it(`is certain of ${key}, between its neighbours`, () => {
      expect(lookupStep(state, [peerAt(11)], idAt(key))).to.deep.equal({
        found: true,
        peers: names.map(peerAt),
        predecessor: peerAt(5),
      });
    });
  }

  for (const [key, closer, after] of [
    [13, [12], [14, 16, 18]],
    [14, [12], [14, 16, 18]],
    [15, [14, 12], [16, 18]],
    [18, [16, 14, 12], [18]],
    [19, [18, 16, 14, 12], undefined],
    [5, [18, 16, 14, 12], undefined],
  ] as const) {
    it(`gives no more than hints about ${key}`, () => {
      expect(lookupStep(state, [], idAt(key))).to.deep.equal({
        found: false,
        peers: closer.map(peerAt),
        ...(after === undefined ? {} : { after: after.map(peerAt) }),
        predecessor: peerAt(5),
      });
    });
  }

  it('names everybody once round when its list is the whole ring', () => {
    const whole = { self: peerAt(10), predecessor: peerAt(40), successors: [20, 30, 40].map(peerAt) };
    expect(lookupStep(whole, [], idAt(25))).to.deep.include({ after: [30, 40, 10, 20].map(peerAt) });
    expect(lookupStep(whole, [], idAt(15)).peers).to.deep.equal([20, 30, 40, 10].map(peerAt));
  });
});
