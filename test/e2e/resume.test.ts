import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { blocksOf, KiB, MiB, randomFiles } from './support.js';

/** Backups that are killed. */
const seeds = 20;
/** A peer's blocks are counted so often while a backup runs. */
const lookEveryMs = 5;
/** After the last block there is the list of snapshots to be written, which takes about so long. */
const lastStepsMs = 60;

describe('A backup that is killed with -9 at any moment', function () {
  this.timeout(300_000);
  let lab: Lab;
  let peer: Peer;
  let ada: Client;

  before(async () => {
    lab = new Lab();
    [peer] = await lab.ring(1);
    ada = await lab.user('ada', peer);
  });
  after(() => lab.close());

  it(`leaves nothing behind that the next one stumbles over (${seeds} seeds)`, async () => {
    const data = randomFiles(lab.path('data'), 40, 16 * KiB);
    let completed = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = seededRandom(seed);
      // Something new in each, small and large, and something of before that has changed.
      writeFileSync(join(data, `large ${seed % 5}`), random.bytes(3 * MiB));
      randomFiles(join(data, `new ${seed}`), 10, 8 * KiB, seed);
      writeFileSync(join(data, `file ${seed}`), random.bytes(20 * KiB));

      const before = blocksOf(peer).size;
      const backup = await ada.start(['backup', data, '--quiet']);
      const state = { isOver: false };
      void backup.ended.then(() => {
        state.isOver = true;
      });
      const killAfterBlocks = random.below(7);
      while (!state.isOver && blocksOf(peer).size - before < killAfterBlocks) await pause(lookEveryMs);
      await pause(random.below(lastStepsMs));
      backup.kill('SIGKILL');
      const { code, signal, stderr } = await backup.ended;
      expect(signal ?? code, stderr).to.be.oneOf(['SIGKILL', 0]);
      if (code === 0) completed += 1;
    }

    succeeded(await ada.run(['backup', data, '--quiet']));
    const again = await ada.json(['backup', data, '--json']);
    expect(again).to.include({ newBytes: 0, errors: 0 });
    // One that was killed may have written its snapshot, and not come to say so.
    const { stdout } = succeeded(await ada.run(['snapshots', '--json']));
    const listed = stdout.trim().split('\n').length - 1;
    expect(listed).to.be.within(completed + 1, seeds + 2);
    succeeded(await ada.run(['check', '--read-data']));
    const target = lab.path('restored');
    succeeded(await ada.run(['restore', `latest:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  });
});

function pause(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}
