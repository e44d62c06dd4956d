import { expect } from 'chai';

import { systemRandom } from '../../src/base/random.js';
import type { Outcome } from './scenario.js';
import { fail } from './scenarios/fail.js';
import { load, placesFor } from './scenarios/load.js';
import { paths } from './scenarios/paths.js';

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

    for (const fraction of [0, 0.1, 0.3, 0.5]) {
      it(`fail finds every owner with ${100 * fraction}% of the peers dead, as published (seed ${seed})`, async () => {
        expectKept(await fail.run({ seed, steps: 500, fraction }));
      });
    }

    it(`load spreads keys as evenly as hashes can (seed ${seed})`, async () => {
      expectKept(await load.run({ seed, peers: 1000, steps: 100_000 }));
    });
  }

  it('gives the same figures and the same trace for the same seed, and others for another', async () => {
    for (const { run } of [
      { run: (seed: number) => paths.run({ seed, peers: 40, steps: 50 }) },
      { run: (seed: number) => fail.run({ seed, peers: 40, steps: 50, fraction: 0.2 }) },
      { run: (seed: number) => load.run({ seed, peers: 20, steps: 1000 }) },
    ]) {
      const [one, again, other] = [await run(5), await run(5), await run(6)];
      expect(one.figures).to.deep.equal(again.figures);
      expect(one.figures.trace).not.to.equal(other.figures.trace);
    }
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
