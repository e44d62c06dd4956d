/** How fast the disk store is by itself: 1 MiB blocks and small ones, every put on disk before it counts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { openDiskStore } from '../../src/store/disk.js';

const MiB = 1024 * 1024;
const concurrency = 8;
const owner = hashToId(Buffer.from('owner'));

interface Block {
  readonly id: Id;
  readonly bytes: Uint8Array;
}

/** Measures puts and gets of the disk store in a temporary directory. */
export async function run(): Promise<Record<string, unknown>> {
  const path = await mkdtemp(join(tmpdir(), 'peerstore-bench-'));
  const store = await openDiskStore({ path, clock: systemClock, random: systemRandom, log: silentLogger });
  try {
    const large = makeBlocks(1024, MiB);
    const small = makeBlocks(8192, 4096);
    const put = await secondsOf(large, ({ id, bytes }) => store.putBlock(id, bytes, owner));
    const get = await secondsOf(large, ({ id }) => store.getBlock(id, { isChecked: true }));
    const part = await secondsOf(large, ({ id }) =>
      store.getBlock(id, { range: { offset: 4096, length: 4096 } }),
    );
    const putSmall = await secondsOf(small, ({ id, bytes }) => store.putBlock(id, bytes, owner));
    const touch = await secondsOf([small.slice(0, 1024)], (blocks) =>
      store.touchBlocks(
        blocks.map(({ id }) => id),
        owner,
      ),
    );
    const round = (value: number): number => Math.round(value * 10) / 10;
    return {
      'put 1 MiB, 8 at a time, synced, MiB/s': round(large.length / put),
      'get 1 MiB, 8 at a time, verified, MiB/s': round(large.length / get),
      'get 4 KiB of 1 MiB, a second': Math.round(large.length / part),
      'put 4 KiB, 8 at a time, synced, a second': Math.round(small.length / putSmall),
      'touch 1,024 ids, ms': round(touch * 1000),
    };
  } finally {
    await store.close();
    await rm(path, { recursive: true });
  }
}

/** Blocks that differ in a few bytes: making them must not cost more than storing them. */
function makeBlocks(count: number, sizeBytes: number): readonly Block[] {
  const ground = systemRandom.bytes(sizeBytes);
  return Array.from({ length: count }, (_, at) => {
    const bytes = Buffer.from(ground);
    bytes.writeUInt32BE(at);
    return { id: hashToId(bytes), bytes };
  });
}

/** Does work for all items, some at a time. @returns seconds */
async function secondsOf<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return (performance.now() - begunMs) / 1000;
}
