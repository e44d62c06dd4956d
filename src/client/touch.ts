/**
 * Touching all that a snapshot needs: asking whether it is there keeps a prune from taking it, and brings it back from the
 * trash.
 */
import PQueue from 'p-queue';

import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { BlockSource } from '../archive/ports.js';
import { ArchiveReader } from '../archive/reader.js';
import type { Id } from '../wire/index.js';
import { startElapsed } from './elapsed.js';
import { blocksOf, type Root, Walked } from './reachable.js';
import type { RemoteBlocks } from './remote-blocks.js';
import type { Session } from './session.js';

/** Blocks that are read and stored again at the same time: each is whole in memory. */
const storedAgainAtOnce = 4;

/**
 * Touches every block that hangs from some roots.
 * @returns how many there are, those that share chunks counted more than once.
 * @throws PeerStoreError MISSING when some are gone; as the ring's reads do.
 */
export async function touchAll(session: Session, roots: readonly Root[]): Promise<number> {
  const { compressor, secrets, blocks } = session;
  // What is to be read may itself lie in the trash.
  const reader = new ArchiveReader({ source: touching(blocks), compressor, secrets, fetchWhole: true });
  const walked = new Walked();
  let touched = 0;
  let missing = 0;
  let batch = new Set<Id>();
  const queue = new PQueue({ concurrency: storedAgainAtOnce });
  const ask = async (): Promise<void> => {
    const ids = [...batch];
    batch = new Set();
    touched += ids.length;
    const present = await blocks.has(ids);
    const absent = ids.filter((_, at) => present[at] !== true);
    const kept = await queue.addAll(absent.map((id) => () => keepAgain(blocks, id)));
    missing += kept.filter((isKept) => !isKept).length;
  };
  for (const root of roots) {
    for await (const id of blocksOf(reader, root, walked)) {
      batch.add(id);
      if (batch.size >= limits.hasBlocksIds) await ask();
    }
  }
  if (batch.size > 0) await ask();
  if (missing > 0)
    throw new PeerStoreError('MISSING', `${missing} of ${touched} blocks are not in the ring any more`);
  return touched;
}

/**
 * Writes a record that comes to refer to blocks which were all touched since a moment, so that no prune takes them
 * (prune.ts): where that is long ago, they are touched anew.
 * @param elapsedMs the time since then
 * @throws PeerStoreError as {@link touchAll} and `write` do.
 */
export async function writeWhileTouched(
  session: Session,
  roots: readonly Root[],
  elapsedMs: () => number,
  write: () => Promise<void>,
): Promise<void> {
  let sinceMs = elapsedMs;
  if (sinceMs() > limits.touchLeaseMs / 2) {
    sinceMs = startElapsed(session.clock);
    await touchAll(session, roots);
  }
  await write();
  // The machine may have slept right before. What lies in the trash by now is brought back.
  if (sinceMs() > limits.touchLeaseMs) await touchAll(session, roots);
}

/**
 * What less than a majority of its holders has is not gone: one of them, or one behind them, may have it, and it is touched
 * there alone. So it is stored anew, which touches it at a majority.
 * @returns whether it is there.
 */
async function keepAgain(blocks: RemoteBlocks, id: Id): Promise<boolean> {
  try {
    await blocks.put(id, await blocks.get(id));
    return true;
  } catch (error) {
    if (!hasCode(error, 'MISSING')) throw error;
    return false;
  }
}

function touching(blocks: RemoteBlocks): BlockSource {
  return {
    get: async (id, range) => {
      await blocks.has([id]);
      return blocks.get(id, range);
    },
  };
}
