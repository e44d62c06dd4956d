import { randomInt } from 'node:crypto';

import { expect } from 'chai';

import { replayCommand } from './drawn-run.js';
import { chaos } from './scenarios/chaos.js';

/** Another one each time; the title says which. */
const freshSeed = randomInt(2 ** 32);

/** Each has broken a promise once, or was the smallest of its size. */
const runs = [
  { seed: 42, peers: 1, steps: 60 },
  { seed: 14, peers: 2, steps: 100 },
  { seed: 84, peers: 4, steps: 60 },
  { seed: 15, peers: 15, steps: 20 },
  { seed: 4, peers: 21, steps: 20 },
  { seed: freshSeed, peers: 1 + (freshSeed % 20), steps: 30 },
];

describe('sim: chaos', function () {
  this.timeout(300_000);

  for (const options of runs) {
    it(`ends in an ideal ring with every acknowledged value: ${replayCommand('chaos', options)}`, async () => {
      const { violations } = await chaos.run(options);
      expect(violations).to.deep.equal([]);
    });
  }
});
