import { expect } from 'chai';

import { chaos } from './scenarios/chaos.js';

/** Another one each time; the title says which. */
const freshSeed = Math.floor(Date.now() / 1000);

describe('sim: chaos', () => {
  for (const seed of [4, 11, 28, 37, freshSeed]) {
    it(`ends in an ideal ring with every acknowledged value (seed ${seed})`, async () => {
      const { violations } = await chaos.run({ seed, peers: 14, steps: 60 });
      expect(violations).to.deep.equal([]);
    });
  }

  it('is the same run for the same seed', async () => {
    const [one, again] = [
      await chaos.run({ seed: 5, peers: 8, steps: 30 }),
      await chaos.run({ seed: 5, peers: 8, steps: 30 }),
    ];
    expect(one.figures).to.deep.equal(again.figures);
  });
});
