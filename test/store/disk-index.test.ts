import { join } from 'node:path';

import { expect } from 'chai';

import { silentLogger } from '../../src/base/log.js';
import { newEntry } from '../../src/store/block-entry.js';
import { DiskHealth } from '../../src/store/disk-health.js';
import { DiskIndex } from '../../src/store/disk-index.js';
import { IndexDirectory } from '../../src/store/disk-index-file.js';
import { machineDisk } from '../../src/store/disk-system.js';
import { hashToId } from '../../src/ring/identifier.js';
import { Scratch } from './disk-helpers.js';
import { HandClock } from './store.conformance.js';

describe('the index on disk', () => {
  const scratch = new Scratch();
  afterEach(() => scratch.clear());

  it('takes a change in the very moment in which the one before is on disk', async () => {
    const directory = new IndexDirectory(join(await scratch.directory(), 'index'));
    await directory.prepare();
    const index = await DiskIndex.open(directory, {
      system: machineDisk,
      health: new DiskHealth(new HandClock(), silentLogger, null),
    });
    try {
      for (let at = 0; at < 3; at += 1) {
        const id = hashToId(Uint8Array.of(at));
        await index.commit([{ id, after: newEntry(at, 1) }]);
        expect(index.get(id)?.sizeBytes).to.equal(at);
      }
    } finally {
      await index.close();
    }
  });
});
