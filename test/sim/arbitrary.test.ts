import { randomInt } from 'node:crypto';

import { expect } from 'chai';

import { pointerKinds } from './arbitrary-pointers.js';
import { arbitrary } from './scenarios/arbitrary.js';

const freshSeed = randomInt(2 ** 32);

describe('sim: peers that begin with wrong pointers', function () {
  this.timeout(300_000);

  for (const [kind, name] of pointerKinds.entries()) {
    for (const options of [
      { seed: 1, peers: 4 },
      { seed: 2, peers: 20 },
    ]) {
      it(`${name}: become one ideal ring (${JSON.stringify({ ...options, kind })})`, async () => {
        const { violations } = await arbitrary.run({ ...options, kind });
        expect(violations).to.deep.equal([]);
      });
    }
  }

  it('two of them: whoever knows dead peers only comes to know the one before it', async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const { violations } = await arbitrary.run({ seed, peers: 2, kind: 0 });
      expect(violations, `seed ${seed}`).to.deep.equal([]);
    }
  });

  it(`any kind: become one ideal ring (seed ${freshSeed})`, async () => {
    const { violations } = await arbitrary.run({ seed: freshSeed, peers: 12 });
    expect(violations).to.deep.equal([]);
  });
});
