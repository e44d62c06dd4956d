import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { load } from './scenarios/load.js';
import { staticLookups } from './scenarios/static-lookups.js';

const seed = 20_260_101;

/** SIGCOMM 2001, figure 10a, read off the plot: mean path by number of peers. */
const publishedPaths = [
  [8, 1.72],
  [32, 2.49],
  [128, 3.39],
  [512, 4.38],
  [2048, 5.36],
  [8192, 6.35],
] as const;

/** ToN 2003, table II: mean path and timeouts by share of dead peers, 1000 peers, successor lists of 20. */
const publishedFailures = [
  [0, 3.84, 0],
  [0.1, 4.03, 0.6],
  [0.2, 4.22, 1.17],
  [0.3, 4.44, 2.02],
  [0.4, 4.69, 3.23],
  [0.5, 5.09, 5.1],
] as const;

/** ToN 2003: 1st and 99th percentile of keys a peer by virtual nodes, where the mean is 100. */
const publishedLoads = [
  [1, 0, 477],
  [5, 24, 220],
] as const;

describe('an ideal ring', () => {
  for (const [peers, published] of publishedPaths) {
    it(`of ${peers} with fingers alone has no longer paths than the published ${published}`, async () => {
      const options = { seed, peers, lookups: 1000, listLength: 1, deadShare: 0 };
      const { failed, pathMean } = await staticLookups(options);
      expect(failed).to.equal(0);
      expect(pathMean).to.be.below(published);
    });
  }

  for (const [peers, published] of publishedPaths) {
    it(`of ${peers} finds every owner, in shorter paths than the published ${published}`, async () => {
      const options = { seed, peers, lookups: 1000, listLength: limits.successorListLength, deadShare: 0 };
      const { failed, pathMean } = await staticLookups(options);
      expect(failed).to.equal(0);
      expect(pathMean).to.be.below(published);
    });
  }

  for (const [deadShare, path, timeouts] of publishedFailures) {
    it(`with ${100 * deadShare}% of 1000 peers dead finds every living owner, in shorter paths than ${path}`, async () => {
      const options = { seed, peers: 1000, lookups: 2000, listLength: 20, deadShare };
      const { failed, pathMean, timeoutsMean } = await staticLookups(options);
      expect(failed).to.equal(0);
      expect(pathMean).to.be.below(path);
      expect(timeoutsMean).to.be.at.most(timeouts);
    });
  }

  for (const [virtualNodes, p1, p99] of publishedLoads) {
    it(`spreads keys over machines with ${virtualNodes} places each as published`, () => {
      const figures = load(seed, 1000, 100_000, virtualNodes);
      expect(figures.keysMean).to.equal(100);
      expect(figures.keysP1).to.be.closeTo(p1, 10);
      expect(figures.keysP99).to.be.closeTo(p99, 60);
    });
  }

  it('gives the same figures for the same seed', async () => {
    const options = { seed: 5, peers: 100, lookups: 200, listLength: 16, deadShare: 0.2 };
    expect(await staticLookups(options)).to.deep.equal(await staticLookups(options));
  });
});
