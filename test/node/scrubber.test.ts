import { expect } from 'chai';

import { silentLogger } from '../../src/base/log.js';
import { Scrubber, scrubMemory } from '../../src/node/repair/scrubber.js';
import { createMemoryStore } from '../../src/store/memory.js';
import { blockOf } from '../store/store.conformance.js';
import { ManualClock } from '../wire/manual-clock.js';

describe('the scrubber', () => {
  it('says once of what may not be opened, gives nobody the trouble to replace it, and goes on', async () => {
    const clock = new ManualClock();
    const { id } = blockOf('closed');
    const unreadable = [{ id, reason: 'EACCES' }];
    const store = Object.assign(createMemoryStore({ clock }), {
      scrub: () => Promise.resolve({ next: undefined, readBytes: 0, damaged: [], unreadable }),
    });
    const warnings: (object | undefined)[] = [];
    let mended = 0;
    const scrubber = new Scrubber({
      store,
      clock,
      log: { ...silentLogger, warn: (_, details) => void warnings.push(details) },
      memory: scrubMemory(),
      scrubEveryMs: 100_000,
      roundMs: 1_000,
      mend: () => Promise.resolve(void (mended += 1)),
    });
    for (let round = 0; round < 10; round += 1) await scrubber.round();
    expect(scrubber.progress?.endedAtMs).to.equal(clock.nowMs());
    expect(warnings).to.deep.equal([{ values: 1, id, reason: 'EACCES' }]);
    expect(mended).to.equal(0);
  });
});
