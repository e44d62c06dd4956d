import { expect } from 'chai';

import { measureMemory } from '../bench/memory.js';

describe('A large file', function () {
  this.timeout(300_000);

  it('goes in and out with the client and its peer below 300 MB', async () => {
    const { backupPeakBytes, getfilePeakBytes, peerPeakBytes } = await measureMemory(256, 1);
    expect(backupPeakBytes).to.be.below(300e6);
    expect(getfilePeakBytes).to.be.below(300e6);
    expect(Math.max(...peerPeakBytes)).to.be.below(300e6);
  });
});
