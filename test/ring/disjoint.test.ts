import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import { lookup, lookupDisjoint } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { type LookupStep, lookupStep } from '../../src/ring/routing.js';
import { IdealRing } from '../sim/ideal-ring.js';
import { idAt, peerAt } from './fixtures.js';

const count = 400;
const ring = new IdealRing(count, 16, seededRandom(3));
const refOf = new Map(ring.peers.map((peer) => [peer.id, peer]));

/** Some peers that the asker has met, and a key. */
function question(random: Random): { key: Id; start: readonly PeerRef[] } {
  const start = Array.from({ length: 24 }, () => ring.peers[random.below(count)]!);
  return { key: hashToId(random.bytes(32)), start: [...new Set(start)] };
}

const truth = (peer: PeerRef, key: Id): LookupStep =>
  lookupStep(ring.state(peer.id), ring.fingers(peer.id), key);

/** What a peer says that wants the key to be its friends': the first of them from the key on is responsible. */
function lie(friends: readonly PeerRef[], key: Id): LookupStep {
  const sorted = [...friends].sort((a, b) => (a.id < b.id ? -1 : 1));
  const at = sorted.findIndex(({ id }) => id >= key);
  const peers = at <= 0 ? sorted : [...sorted.slice(at), ...sorted.slice(0, at)];
  return { found: true, peers: peers.slice(0, 16) };
}

describe('ring/lookup: two disjoint paths', () => {
  it('agree in an honest ring, and no peer is asked by both', async () => {
    const random = seededRandom(1);
    for (let round = 0; round < 200; round += 1) {
      const { key, start } = question(random);
      const asked: Id[] = [];
      const { peers, hops } = await lookupDisjoint(key, start, {
        ask: (peer) => {
          asked.push(peer.id);
          return Promise.resolve(truth(peer, key));
        },
      });
      expect(peers[0]?.id).to.equal(ring.owner(key)?.id);
      expect(new Set(asked).size).to.equal(asked.length);
      expect(hops).to.equal(asked.length);
    }
  });

  for (const share of [0.1, 0.2]) {
    it(`are bent much less often than one, when ${100 * share}% of all peers lie`, async () => {
      const random = seededRandom(2);
      const liars = new Set(ring.peers.filter(() => random.below(1000) < 1000 * share).map(({ id }) => id));
      const friends = [...liars].map((id) => refOf.get(id)!);
      const rounds = 600;
      let [one, two] = [0, 0];
      for (let round = 0; round < rounds; round += 1) {
        const { key, start } = question(random);
        const ask = (peer: PeerRef) =>
          Promise.resolve(liars.has(peer.id) ? lie(friends, key) : truth(peer, key));
        const owner = ring.owner(key)!.id;
        if ((await lookup(key, start, { ask })).peers[0]?.id !== owner) one += 1;
        if ((await lookupDisjoint(key, start, { ask })).peers[0]?.id !== owner) two += 1;
      }
      expect(one / rounds).to.be.above(0.8 * share);
      expect(two / rounds).to.be.below(0.6 * (one / rounds));
    });
  }

  it('do not take a peer that somebody has made up, however near it is', async () => {
    const random = seededRandom(4);
    for (let round = 0; round < 100; round += 1) {
      const { key, start } = question(random);
      const liar = [...start].sort((a, b) => (between(b.id, a.id, key) ? -1 : 1))[0]!;
      const result = await lookupDisjoint(key, start, {
        ask: (peer) => {
          if (!refOf.has(peer.id))
            throw new PeerStoreError('NOT_ADMITTED', 'it does not prove that it is the one');
          if (peer.id !== liar.id) return Promise.resolve(truth(peer, key));
          return Promise.resolve({ found: true, peers: [{ ...liar, id: key }] });
        },
      });
      expect(result.peers[0]?.id).to.equal(ring.owner(key)?.id);
    }
  });

  it('lead to the key when one of them has no end', async () => {
    const random = seededRandom(5);
    const { key, start } = question(random);
    const nearest = [...start].sort((a, b) => (between(b.id, a.id, key) ? -1 : 1));
    const result = await lookupDisjoint(key, [nearest[0]!, nearest[1]!], {
      ask: (peer) => {
        if (peer.id === nearest[0]!.id) throw new PeerStoreError('UNREACHABLE', 'dead');
        return Promise.resolve(truth(peer, key));
      },
    });
    expect(result.peers[0]?.id).to.equal(ring.owner(key)?.id);
    expect(result.failures).to.equal(1);
  });

  it('fail together only', async () => {
    const failure = await lookupDisjoint(idAt(1), [peerAt(2), peerAt(3)], {
      ask: () => Promise.reject(new PeerStoreError('UNREACHABLE', 'dead')),
    }).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNREACHABLE');
    const alone = await lookupDisjoint(idAt(1), [peerAt(2)], {
      ask: (peer) => Promise.resolve({ found: true, peers: [peer] }),
    });
    expect(alone.peers).to.deep.equal([peerAt(2)]);
  });

  it('end when whoever asks gives up', async () => {
    const abort = new AbortController();
    const failure = await lookupDisjoint(idAt(1), [peerAt(2), peerAt(3)], {
      signal: abort.signal,
      ask: () => {
        abort.abort();
        return Promise.resolve({ found: false, peers: [peerAt(4), peerAt(5)] });
      },
    }).catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'CANCELLED');
  });
});
