import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { seededRandom, systemRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import { PeerCache } from '../../src/ring/peer-cache.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { IdealRing } from './ideal-ring.js';
import { type CachedPeers, PeerCaches } from './peer-caches.js';
import { LookupFigures, type Outcome } from './scenario.js';
import { fail } from './scenarios/fail.js';
import { hostile } from './scenarios/hostile.js';
import { load, placesFor } from './scenarios/load.js';
import { paths } from './scenarios/paths.js';
import { runLookups } from './static-lookups.js';
import { StaticReport } from './static-report.js';

const fixed = 20_260_101;
/** Another one each time; the names of the tests have it, for those who want to see the same again. */
const fresh = systemRandom.below(2 ** 31);
const TB = 1e12;

function expectKept({ violations, figures }: Outcome): void {
  expect(violations).to.deep.equal([]);
  expect(figures.failed).to.equal(0);
}

describe('sim: an ideal ring', () => {
  for (const seed of [fixed, fresh]) {
    for (const peers of [8, 32, 256, 1024]) {
      it(`paths in a ring of ${peers} are no longer than published (seed ${seed})`, async () => {
        expectKept(await paths.run({ seed, peers, steps: 1000 }));
      });
    }

    for (const fraction of [0.1, 0.5]) {
      it(`fail finds every owner with ${100 * fraction}% of the peers dead, as published (seed ${seed})`, async () => {
        // Timeouts differ much from lookup to lookup: with few of them, some seed would break the rule by chance.
        expectKept(await fail.run({ seed, steps: seed === fixed ? 300 : 2500, fraction }));
      });
    }

    it(`load spreads keys as evenly as hashes can (seed ${seed})`, async () => {
      expectKept(await load.run({ seed, peers: 1000, steps: 100_000 }));
    });

    it(`hostile peers bend no more lookups than meet them, and alone no write (seed ${seed})`, async () => {
      const { violations } = await hostile.run({ seed, peers: 100, steps: 100, share: 0.1 });
      expect(violations).to.deep.equal([]);
    });
  }

  it('fail leaves everybody a living successor, as the protocol assumes, where seed 45 would not', async () => {
    expectKept(await fail.run({ seed: 45, steps: 1000, fraction: 0.5 }));
  });

  it('gives the same figures and the same trace for the same seed, and others for another', async () => {
    for (const { run } of [
      { run: (seed: number) => paths.run({ seed, peers: 40, steps: 50 }) },
      { run: (seed: number) => fail.run({ seed, peers: 40, steps: 50, fraction: 0.2 }) },
      { run: (seed: number) => load.run({ seed, peers: 20, steps: 1000 }) },
      { run: (seed: number) => hostile.run({ seed, peers: 40, steps: 20, share: 0.2 }) },
    ]) {
      const [one, again, other] = [await run(5), await run(5), await run(6)];
      expect(one.figures).to.deep.equal(again.figures);
      expect(one.figures.trace).not.to.equal(other.figures.trace);
    }
  });

  it('a drawn cache is as good as one that has heard of everybody', async () => {
    const capacity = 64;
    const ring = new IdealRing(512, limits.successorListLength, seededRandom(fixed));
    const drawn = new PeerCaches(ring, seededRandom(fixed), capacity);
    const meanPath = async (before: CachedPeers['before']): Promise<number> => {
      const report = new StaticReport('paths', { seed: fixed, peers: 512, steps: 400 });
      const figures = new LookupFigures();
      const random = seededRandom(fixed);
      await runLookups({ ring, caches: { before }, random, count: 400, report, figures });
      return figures.figures().pathMean;
    };
    const real = new Map<Id, PeerCache>();
    const cacheOf = ({ id }: PeerRef): PeerCache => {
      let cache = real.get(id);
      if (cache === undefined) {
        cache = new PeerCache({ self: id, capacity, random: seededRandom(real.size) });
        for (const peer of ring.peers) cache.met(peer);
        real.set(id, cache);
      }
      return cache;
    };
    const withDrawn = await meanPath((peer, key, limit) => drawn.before(peer, key, limit));
    const withReal = await meanPath((peer, key, limit) => cacheOf(peer).before(key, limit));
    expect(withDrawn).to.be.closeTo(withReal, 0.2);
  });

  it('load gives places in proportion to the capacity, from one to what a certificate carries', () => {
    const cases = [
      [0, 1],
      [0.06, 1],
      [0.2, 2],
      [1, 8],
      [7.9, 63],
      [8, 64],
      [8.1, 64],
      [100, 64],
    ] as const;
    for (const [capacity, places] of cases) expect(placesFor(capacity * TB, 8)).to.equal(places);
  });
});
