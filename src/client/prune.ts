/**
 * Prune: gives up the user's blocks that no snapshot needs. Nobody has to stand still meanwhile.
 *
 * What is needed is found first, then the ring is asked, arc by arc, what it has of the user's, and what is not needed is
 * given up as of the moment before the snapshots were listed, less the lease (`limits.touchLeaseMs`): a block that anybody
 * touched since stays. A backup touches all that it uses, no longer than half a lease before it writes its record. So if it
 * touched a block too early to be spared, its snapshot was there when the snapshots were listed. Should a clock have
 * jumped, even so: what snapshots need that came meanwhile is touched in the end, which brings it back from the trash.
 */
import PQueue from 'p-queue';

import { BloomFilter } from '../base/bloom-filter.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { idToBytes } from '../wire/index.js';
import { type Catalogs, loadCatalogs } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { changeOwnCatalog, writerOf } from './own-catalog.js';
import { blocksOf, type Root, rootOf, rootsOfHead, Walked } from './reachable.js';
import type { OwnBlock } from './remote-ownership.js';
import type { Session } from './session.js';
import { touchAll } from './touch.js';

export interface PruneOptions {
  /** Only finds out what would be given up. */
  readonly dryRun: boolean;
  /** What was touched within this time is spared; less than `limits.touchLeaseMs` only while no backup is under way. */
  readonly spareMs: number;
  /** Called with what was looked at since the last call. */
  readonly progress?: (done: Amount) => void;
}

/** Blocks, and their bytes, one copy each. */
export interface Amount {
  readonly blocks: number;
  readonly bytes: number;
}

export interface PruneSummary {
  /** Snapshots that are kept. */
  readonly snapshots: number;
  readonly needed: Amount;
  /** Not needed, and given up: their bytes lie in the trash for a while. */
  readonly freed: Amount;
  /** Not needed, but touched lately. */
  readonly spared: Amount;
}

/** Blocks that are given up at the same time. */
const releasesAtOnce = 16;

/**
 * Gives up what no snapshot needs.
 * @throws PeerStoreError MISSING or DAMAGED when it cannot be told what is needed: then nothing was given up; as the
 *   ring's reads and writes do.
 */
export async function prune(session: Session, options: PruneOptions): Promise<PruneSummary> {
  const elapsedMs = startElapsed(session.clock);
  const catalogs = await loadCatalogs(session);
  const needed = await neededBy(session, catalogs);
  const counts = { needed: counter(), freed: counter(), spared: counter() };
  const queue = new PQueue({ concurrency: releasesAtOnce });
  for await (const { blocks, nowMs } of session.ownership.list()) {
    // No peer is believed that its clock is ahead of this machine's: it would have others give up what was just touched.
    const startedMs = Math.floor(Math.min(nowMs, session.clock.nowMs()) - elapsedMs());
    const liveSetAtMs = Math.max(0, startedMs - options.spareMs);
    const free = async (block: OwnBlock): Promise<void> => {
      const isFreed = options.dryRun || (await session.ownership.release(block.id, liveSetAtMs));
      (isFreed ? counts.freed : counts.spared).add(block);
    };
    await queue.addAll(
      blocks.map((block) => async () => {
        if (needed.has(idToBytes(block.id))) counts.needed.add(block);
        else if (block.touchedAtMs > liveSetAtMs) counts.spared.add(block);
        else await free(block);
      }),
    );
    const bytes = blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    options.progress?.({ blocks: blocks.length, bytes });
  }
  if (!options.dryRun) {
    await keepNewcomers(session, catalogs);
    await forgetForGood(session, catalogs);
  }
  return {
    snapshots: catalogs.snapshots.length,
    needed: counts.needed.amount(),
    freed: counts.freed.amount(),
    spared: counts.spared.amount(),
  };
}

function counter() {
  let [blocks, bytes] = [0, 0];
  return {
    add: ({ sizeBytes }: OwnBlock): void => {
      blocks += 1;
      bytes += sizeBytes;
    },
    amount: (): Amount => ({ blocks, bytes }),
  };
}

/** The blocks that snapshots and lists need, and perhaps a few others. @throws PeerStoreError MISSING, DAMAGED */
async function neededBy(session: Session, { snapshots, heads, unreadable }: Catalogs): Promise<BloomFilter> {
  const [damaged] = unreadable;
  if (damaged !== undefined) {
    throw new PeerStoreError(
      damaged.error.code,
      'nothing was given up, as the snapshots of one device cannot be listed, and so nobody knows what they need ' +
        `(${damaged.error.message}): peerstore-client check says more`,
      { cause: damaged.error },
    );
  }
  const needed = new BloomFilter(limits.pruneFilterBytes);
  const walked = new Walked();
  const add = async (root: Root): Promise<void> => {
    for await (const id of blocksOf(session.bulkReader, root, walked)) needed.add(idToBytes(id));
  };
  for (const head of heads) for (const root of rootsOfHead(head)) await add(root);
  for (const snapshot of snapshots) {
    try {
      await add(rootOf(snapshot));
    } catch (error) {
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      throw new PeerStoreError(
        error.code,
        `nothing was given up, as it cannot be told what snapshot ${snapshot.id.slice(0, 12)} needs ` +
          `(${error.message}): forget it, or see with peerstore-client check what is missing`,
        { cause: error },
      );
    }
  }
  return needed;
}

/** Brings back what snapshots need that came, or were brought back, since the catalogs were read. */
async function keepNewcomers(session: Session, before: Catalogs): Promise<void> {
  const known = new Set(before.snapshots.map(({ id }) => id));
  const { snapshots } = await loadCatalogs(session);
  const newcomers = snapshots.filter(({ id }) => !known.has(id));
  if (newcomers.length > 0) await touchAll(session, newcomers.map(rootOf));
}

/** Takes out of the own lists what was forgotten so long ago that nobody can bring it back. */
async function forgetForGood(session: Session, { snapshots, forgotten, decisions }: Catalogs): Promise<void> {
  const untilMs = session.clock.nowMs() - limits.forgottenKeptMs;
  const gone = new Set(forgotten.filter(({ atMs }) => atMs < untilMs).map(({ snapshot }) => snapshot.id));
  const listed = new Set([...snapshots, ...forgotten.map(({ snapshot }) => snapshot)].map(({ id }) => id));
  // A decision counts for as long as any device lists its snapshot.
  const settled = new Set([...decisions.keys()].filter((id) => !listed.has(id)));
  if (gone.size + settled.size === 0) return;
  await changeOwnCatalog(session, writerOf(session), (before) => {
    const after = {
      snapshots: before.snapshots.filter(({ id }) => !gone.has(id)),
      decisions: before.decisions.filter(({ snapshot }) => !settled.has(snapshot)),
    };
    const isSame =
      after.snapshots.length === before.snapshots.length &&
      after.decisions.length === before.decisions.length;
    return isSame ? undefined : after;
  });
}
