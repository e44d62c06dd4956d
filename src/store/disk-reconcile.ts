/**
 * Brings the index and the files together when a store opens, and counts what is held.
 *
 * The files are the truth about what is there, the index about whose it is and whether it is in the trash. A crash
 * leaves few differences: a file whose entry was not committed yet, or a move to or from the trash that only one side
 * knows of. Listing the directories finds them without reading a single block, and finds what a person removed while
 * the peer was down; a file the index does not know is taken in when its bytes have its name. With an empty index that
 * is how all of it is made again. A tombstone has no file; nor does what the trash was emptied of in the middle of a
 * crash, which becomes one. Sizes and bytes of known files are not looked at: reading them is, and the scrub.
 */
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id, parseId } from '../ring/identifier.js';
import { type BlockEntry, hasBytes, isHeld, newEntry, removedEntry } from './block-entry.js';
import type { BlockFiles } from './disk-blocks.js';
import { type DiskFiles, setAsideWords, Shelf } from './disk-files.js';
import type { DiskIndex, IndexChange } from './disk-index.js';
import type { StoreTotals } from './totals.js';

export interface ReconcileParts {
  readonly files: DiskFiles;
  readonly blocks: BlockFiles;
  readonly index: DiskIndex;
  readonly totals: StoreTotals;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What was found to differ, for the log. */
interface Findings {
  takenIn: number;
  dropped: number;
  moved: number;
  damaged: number;
}

/**
 * Makes index, files and totals agree.
 * @throws IndexUnreadable, and the system's errors.
 */
export async function reconcile(parts: ReconcileParts): Promise<void> {
  const findings: Findings = { takenIn: 0, dropped: 0, moved: 0, damaged: 0 };
  for (const prefix of Shelf.prefixes) await reconcilePrefix(parts, prefix, findings);
  const { blocks, bytes } = parts.totals.stats();
  const differs = Object.values(findings).some((count: number) => count > 0);
  parts.log[differs ? 'warn' : 'info']('the blocks are counted', { blocks, bytes, ...findings });
}

/** A block as its directories and the index show it. */
interface Found {
  entry?: BlockEntry;
  isHeldFile?: boolean;
  isTrashFile?: boolean;
}

async function reconcilePrefix(parts: ReconcileParts, prefix: string, findings: Findings): Promise<void> {
  const { blocks, index, totals } = parts;
  const found = new Map<Id, Found>();
  for (const id of await blocks.held.list(prefix)) found.set(id, { isHeldFile: true });
  for (const id of await blocks.trashed.list(prefix)) found.set(id, { ...found.get(id), isTrashFile: true });
  for (const { id, entry } of index.entries(parseId(prefix.padEnd(64, '0')), prefix)) {
    found.set(id, { ...found.get(id), entry });
  }

  const all = [...found];
  for (let at = 0; at < all.length; at += limits.indexCommitChanges) {
    const some = all.slice(at, at + limits.indexCommitChanges);
    const changes = await Promise.all(some.map(([id, one]) => settle(parts, id, one, findings)));
    await index.commit(changes.filter((change) => change !== undefined));
  }
  // Not from what was found: what is counted is what is in the index now.
  for (const { id, entry } of index.entries(parseId(prefix.padEnd(64, '0')), prefix)) {
    totals.changeBlock(id, undefined, entry);
  }
}

/** Puts one block right. @returns the change that the index needs. */
async function settle(
  { blocks, ...parts }: ReconcileParts,
  id: Id,
  { entry, isHeldFile = false, isTrashFile = false }: Found,
  findings: Findings,
): Promise<IndexChange | undefined> {
  if (isHeldFile && isTrashFile) await blocks.remove(id, blocks.trashed);
  const isThere = isHeldFile || isTrashFile;
  if (!hasBytes(entry)) {
    const shelf = isHeldFile ? blocks.held : blocks.trashed;
    return isThere ? takeIn({ blocks, ...parts }, id, entry, shelf, findings) : undefined;
  }
  if (!isThere && isHeld(entry)) {
    findings.dropped += 1;
    parts.log.warn('the file of a block is missing; the block is dropped', { id });
    return { id, after: undefined };
  }
  // The file goes before the entry follows: this is how a crash while the trash is emptied looks.
  if (!isThere) return { id, after: removedEntry(entry, parts.clock.nowMs()) };
  if (isHeld(entry) === isHeldFile) return undefined;
  await (isHeld(entry) ? blocks.moveFromTrash(id) : blocks.moveToTrash(id));
  findings.moved += 1;
  return undefined;
}

/** Notes a file that the index knows nothing of, or only the tombstone. */
async function takeIn(
  { files, blocks, clock, totals, log }: ReconcileParts,
  id: Id,
  tombstone: BlockEntry | undefined,
  shelf: Shelf,
  findings: Findings,
): Promise<IndexChange | undefined> {
  // The bytes last: many wait here for their turn at the files, and none of them may hold a block while it waits.
  const file = await blocks.stat(id, shelf);
  const bytes = await files.read(shelf.pathOf(id), 0, limits.blockBytes + 1);
  if (file === undefined) return undefined;
  if (bytes === undefined || bytes.length > limits.blockBytes || hashToId(bytes) !== id) {
    const found = await blocks.setAside(id, shelf);
    totals.countDamaged(id, 'block');
    findings.damaged += 1;
    log.warn(`a file among the blocks does not have the bytes of its name: it ${setAsideWords[found]}`, {
      id,
    });
    return undefined;
  }
  findings.takenIn += 1;
  // Nobody owns what has a tombstone: its owners let go of it, and may still ask for it.
  const isTrash = shelf === blocks.trashed || tombstone !== undefined;
  if (isTrash && shelf === blocks.held) await blocks.moveToTrash(id);
  // In the trash its time begins anew: better a late end than an early one.
  const trashedAtMs = isTrash ? clock.nowMs() : null;
  const ownerships = tombstone?.ownerships ?? [];
  return { id, after: { ...newEntry(bytes.length, file.changedAtMs), ownerships, trashedAtMs } };
}
