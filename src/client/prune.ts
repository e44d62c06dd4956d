/**
 * Prune: gives up the user's blocks that no snapshot needs. Nobody has to stand still meanwhile.
 *
 * What is needed is found first, and that it is known for certain (live-set.ts). Then the ring is asked, arc by arc, what it
 * has of the user's, and what is not needed is given up as of the moment before the snapshots were listed, less the lease
 * (`limits.touchLeaseMs`): a block that anybody touched since stays. A backup touches all that it uses, no longer than half
 * a lease before it writes its record. So if it touched a block too early to be spared, its snapshot was there when the
 * snapshots were listed. Should a clock have jumped, even so: what snapshots need that came meanwhile is touched in the
 * end, which brings it back from the trash.
 */
import PQueue from 'p-queue';

import type { BloomFilter } from '../base/bloom-filter.js';
import { bytesEqual, toHex } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { idToBytes } from '../wire/index.js';
import { type Catalogs, loadCatalogs } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { type CertainCatalogs, doubt, loadForCertain, neededBy } from './live-set.js';
import { changeOwnCatalog, writerOf } from './own-catalog.js';
import { rootOf, rootsOfHead } from './reachable.js';
import type { OwnBlock } from './remote-ownership.js';
import type { Session } from './session.js';
import { touchAll } from './touch.js';

export interface PruneOptions {
  /** Only finds out what would be given up. */
  readonly dryRun: boolean;
  /**
   * What was touched within this time is spared: for tests, in which nothing else is under way. By default, and never less
   * beside others, `limits.touchLeaseMs`.
   */
  readonly spareMs?: number;
  /** Devices whose lists are lost, by name or key: what only their snapshots need is given up. */
  readonly withoutDevices?: readonly string[];
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
 * @throws PeerStoreError UNSETTLED when part of the ring may be cut off, MISSING or DAMAGED when it cannot be told what is
 *   needed: then nothing was given up; NOT_FOUND or USAGE when no such device is lost; as the ring's reads and writes do.
 */
export async function prune(session: Session, options: PruneOptions): Promise<PruneSummary> {
  const elapsedMs = startElapsed(session.clock);
  const catalogs = await loadForCertain(session, options.withoutDevices ?? []);
  const needed = await neededBy(session, catalogs);
  const counts = { needed: counter(), freed: counter(), spared: counter() };
  const given = await Promise.allSettled([giveUp(session, options, { catalogs, needed, elapsedMs, counts })]);
  // Also after a failure: what was given up until then may be needed by now.
  const kept = await Promise.allSettled(options.dryRun ? [] : [keepNewcomers(session, catalogs)]);
  for (const result of [...given, ...kept]) if (result.status === 'rejected') throw result.reason;
  if (!options.dryRun) await forgetForGood(session, catalogs);
  return {
    snapshots: catalogs.snapshots.length,
    needed: counts.needed.amount(),
    freed: counts.freed.amount(),
    spared: counts.spared.amount(),
  };
}

/** What was found out, and what comes of it. */
interface Work {
  readonly catalogs: CertainCatalogs;
  readonly needed: BloomFilter;
  /** The time since before the catalogs were read. */
  readonly elapsedMs: () => number;
  readonly counts: Readonly<Record<'needed' | 'freed' | 'spared', ReturnType<typeof counter>>>;
}

async function giveUp(
  session: Session,
  { dryRun, spareMs = limits.touchLeaseMs, progress }: PruneOptions,
  { catalogs, needed, elapsedMs, counts }: Work,
): Promise<void> {
  const hasLists = catalogs.heads.some(({ head }) =>
    rootsOfHead(head).some(({ content }) => content.references.length > 0),
  );
  const queue = new PQueue({ concurrency: releasesAtOnce });
  for await (const { blocks, nowMs } of session.ownership.list()) {
    if (!hasLists && blocks.length > 0) {
      throw doubt(
        'none of your devices has a list of snapshots, though the peers keep blocks of yours: start those that are ' +
          'missing; if no backup was ever finished, finish one first',
      );
    }
    // No peer is believed that its clock is ahead of this machine's: it would have others give up what was just touched.
    const startedMs = Math.floor(Math.min(nowMs, session.clock.nowMs()) - elapsedMs());
    const liveSetAtMs = Math.max(0, startedMs - spareMs);
    const free = async (block: OwnBlock): Promise<void> => {
      const isFreed = dryRun || (await session.ownership.release(block.id, liveSetAtMs));
      (isFreed ? counts.freed : counts.spared).add(block);
    };
    try {
      await queue.addAll(
        blocks.map((block) => async () => {
          if (needed.has(idToBytes(block.id))) counts.needed.add(block);
          else if (block.touchedAtMs > liveSetAtMs) counts.spared.add(block);
          else await free(block);
        }),
      );
    } finally {
      // After a failure, nothing goes on being given up behind what is done next.
      queue.clear();
      await queue.onIdle();
    }
    const bytes = blocks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    progress?.({ blocks: blocks.length, bytes });
  }
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

/**
 * Brings back what is needed of that which came, or was brought back, since the catalogs were read: snapshots and lists.
 * @throws PeerStoreError MISSING or DAMAGED when some of it cannot be read.
 */
async function keepNewcomers(session: Session, before: Catalogs): Promise<void> {
  const { snapshots, heads, unreadable } = await loadCatalogs(session);
  const known = new Set(before.snapshots.map(({ id }) => id));
  const sequences = new Map(before.heads.map(({ device, sequence }) => [toHex(device), sequence]));
  const newHeads = heads.filter(({ device, sequence }) => sequence !== (sequences.get(toHex(device)) ?? 0));
  const roots = [
    ...newHeads.flatMap(({ head }) => rootsOfHead(head)),
    ...snapshots.filter(({ id }) => !known.has(id)).map(rootOf),
  ];
  if (roots.length > 0) await touchAll(session, roots);
  // Not before the others have been kept.
  const gone = new Set(before.unreadable.map(({ device }) => toHex(device)));
  const lost = unreadable.find(({ device }) => !gone.has(toHex(device)));
  if (lost !== undefined) {
    throw new PeerStoreError(
      lost.error.code,
      `a list of snapshots came meanwhile and cannot be read, so what it needs may lie in the trash (${lost.error.message}): ` +
        'run prune again while the peers still keep their trash, or check',
      { cause: lost.error },
    );
  }
}

/** Takes out of the own lists what was forgotten so long ago that nobody can bring it back. */
async function forgetForGood(
  session: Session,
  { snapshots, forgotten, decisions, unreadable, peersShowMs }: CertainCatalogs,
): Promise<void> {
  const { device } = session.keys;
  if (unreadable.some((one) => bytesEqual(one.device, device.publicKey))) return;
  // A clock that is ahead, here or there, does not make it long ago.
  const untilMs = Math.min(session.clock.nowMs(), peersShowMs) - limits.forgottenKeptMs;
  const gone = new Set(forgotten.filter(({ atMs }) => atMs < untilMs).map(({ snapshot }) => snapshot.id));
  const listed = new Set([...snapshots, ...forgotten.map(({ snapshot }) => snapshot)].map(({ id }) => id));
  // A decision counts for as long as any device lists its snapshot; of a list that cannot be read nobody knows.
  const settled = new Set(unreadable.length > 0 ? [] : [...decisions.keys()].filter((id) => !listed.has(id)));
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
