import { expect } from 'chai';

import { targets } from './targets/index.js';
import { fuzzWatched } from './watched.js';

/** Enough to come beyond the first changes of the inputs to begin with; `npm run fuzz` goes on from there. */
const executions = 10_000;
const timeMs = 2_000;

describe('fuzz: whatever the bytes are, they are read or refused', function () {
  this.timeout(300_000);
  // Another one each time: what it was is in the name, so that it can be run again.
  const seed = Math.floor(Date.now() / 1000);

  for (const [target, { what }] of Object.entries(targets)) {
    it(`${what} (npm run --silent fuzz -- ${target} --seed ${seed})`, async () => {
      const { finding } = await fuzzWatched({ target, seed, executions, timeMs });
      expect(finding?.what).to.equal(undefined);
    });
  }
});
