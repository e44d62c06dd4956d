import { randomInt } from 'node:crypto';

import { expect } from 'chai';

import { partitionKinds } from './partition.js';
import { partition } from './scenarios/partition.js';

const freshSeed = randomInt(2 ** 32);

describe('sim: a network that falls apart', function () {
  this.timeout(300_000);

  for (const [kind, name] of partitionKinds.entries()) {
    for (const options of [
      { seed: 1, peers: 9, cutSeconds: 330 },
      { seed: 2, peers: 2, cutSeconds: 1200 },
    ]) {
      it(`${name}: becomes one ring again (${JSON.stringify({ ...options, kind })})`, async () => {
        const { violations, figures } = await partition.run({ ...options, kind });
        expect(violations).to.deep.equal([]);
        expect(figures.groups).to.equal(1);
      });
    }
  }

  it(`two rings of 12 that have met are one in seconds`, async () => {
    const options = { seed: 3, peers: 24, kind: 0, parts: 2, cutSeconds: 130, steps: 5 };
    const { violations, figures } = await partition.run(options);
    expect(violations).to.deep.equal([]);
    expect(figures.rings).to.equal(2);
    expect(figures.mergedAfterMs - figures.foundAfterMs).to.be.lessThan(15_000);
  });

  it(`any kind: becomes one ring again (seed ${freshSeed})`, async () => {
    const { violations } = await partition.run({ seed: freshSeed, peers: 12, cutSeconds: 150 });
    expect(violations).to.deep.equal([]);
  });
});
