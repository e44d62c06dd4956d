/**
 * What the crash test kills: puts blocks and records without end and prints the id of each that was acknowledged.
 * Arguments: the data path, and a number that makes its values differ from those of other rounds.
 */
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';
import { hashToId } from '../../src/ring/identifier.js';
import { openDiskStore } from '../../src/store/disk.js';

const [path = '', round = ''] = process.argv.slice(2);
const owner = hashToId(Buffer.from('owner'));
const store = await openDiskStore({ path, clock: systemClock, random: systemRandom, log: silentLogger });

async function work(worker: number): Promise<void> {
  for (let at = 0; ; at += 1) {
    const bytes = Buffer.alloc(1 + systemRandom.below(200_000), `${round} ${worker} ${at}`);
    const id = hashToId(bytes);
    await store.putBlock(id, bytes, owner);
    process.stdout.write(`block ${id} ${bytes.length}\n`);
    // Every other block goes to the trash, half of these come back, and the record of the worker moves on.
    if (at % 2 === 0) {
      await store.releaseBlock(id, owner, systemClock.nowMs());
      process.stdout.write(`trash ${id} 0\n`);
      if (at % 4 === 0) {
        await store.touchBlocks([id], owner);
        process.stdout.write(`block ${id} ${bytes.length}\n`);
      }
    }
    const record = hashToId(Buffer.from(`record ${worker}`));
    const sequence = Number(round) * 1_000_000 + at;
    await store.putRecord({ id: record, sequence, bytes: Buffer.from(`value ${sequence}`) });
    process.stdout.write(`record ${record} ${sequence}\n`);
  }
}

await Promise.all(Array.from({ length: 6 }, (_, worker) => work(worker)));
