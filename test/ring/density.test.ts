import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { chanceOfRatio, isTooSparse, stretchOf } from '../../src/ring/density.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { IdealRing } from '../sim/ideal-ring.js';
import { idAt, peerAt } from './fixtures.js';

const ring = new IdealRing(4000, 16, seededRandom(11));
const listOf = (peer: PeerRef) => stretchOf(peer.id, ring.state(peer.id).successors);

describe('ring/density', () => {
  it('knows the chance of a single gap', () => {
    // Two single gaps: the first is the longer one in half of all cases, and t times as long in one of 1 + t.
    expect(chanceOfRatio(1, 1, 1)).to.be.closeTo(0.5, 1e-12);
    expect(chanceOfRatio(3, 1, 1)).to.be.closeTo(0.25, 1e-12);
    expect(chanceOfRatio(0, 16, 16)).to.equal(1);
    expect(chanceOfRatio(1, 16, 16)).to.be.closeTo(0.5, 1e-12);
  });

  it('agrees with rings of hashed places', () => {
    for (const ratio of [1.5, 2, 3]) {
      let larger = 0;
      for (const [at, peer] of ring.peers.entries()) {
        const far = ring.peers[(at + 2000) % ring.peers.length]!;
        if (listOf(peer).turns > ratio * listOf(far).turns) larger += 1;
      }
      expect(larger / ring.peers.length).to.be.closeTo(chanceOfRatio(ratio, 16, 16), 0.02);
    }
  });

  it('finds hardly any honest list too sparse, and most of those that name every sixth peer', () => {
    let [honest, hiding] = [0, 0];
    for (const [at, peer] of ring.peers.entries()) {
      const reference = listOf(ring.peers[(at + 2000) % ring.peers.length]!);
      if (isTooSparse(listOf(peer), reference)) honest += 1;
      const friends = Array.from(
        { length: 16 },
        (_, n) => ring.peers[(at + 6 * (n + 1)) % ring.peers.length]!,
      );
      if (isTooSparse(stretchOf(peer.id, friends), reference)) hiding += 1;
    }
    expect(honest / ring.peers.length).to.be.below(0.004);
    expect(hiding / ring.peers.length).to.be.above(0.9);
  });

  it('says nothing where there is nothing to compare', () => {
    const some = { peers: 16, turns: 0.9 };
    expect(isTooSparse({ peers: 0, turns: 0 }, some)).to.equal(false);
    expect(isTooSparse(some, { peers: 0, turns: 0 })).to.equal(false);
    expect(isTooSparse({ peers: 1, turns: 0.5 }, { peers: 2, turns: 0.1 })).to.equal(false);
  });

  it('measures across the ends of the identifiers', () => {
    const last = 'f'.repeat(64) as Id;
    const half = `8${'0'.repeat(63)}` as Id;
    expect(stretchOf(last, [{ ...peerAt(0), id: half }]).turns).to.be.closeTo(0.5, 1e-9);
    expect(stretchOf(idAt(0), [])).to.deep.equal({ peers: 0, turns: 0 });
  });
});
