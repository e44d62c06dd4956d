import { expect } from 'chai';
import fc from 'fast-check';

import { PeerStoreError } from '../../src/base/errors.js';
import { FingerTable } from '../../src/ring/fingers.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { lookup } from '../../src/ring/lookup.js';
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
      for (const power of fingers.fillFromSuccessors(state)) fingers.set(power, owner(fingers.start(power)));
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

  it('names closer peers, best first, each once, when its list does not reach the key', () => {
    const state = { self: peerAt(10), predecessor: peerAt(5), successors: [peerAt(12), peerAt(14)] };
    const step = lookupStep(state, [peerAt(40), peerAt(20), peerAt(14), peerAt(60), peerAt(40)], idAt(50));
    expect(step).to.deep.equal({ found: false, peers: [40, 20, 14, 12].map(peerAt) });
  });
});
