/** `find`, `diff` and `stats`: what is in snapshots, and in what they differ. */
import { PeerStoreError } from '../../base/errors.js';
import { absolutePath, pathComponents, printablePath, rootPath } from '../../base/paths.js';
import type { DirectoryEntry } from '../../archive/entry.js';
import type { Snapshot } from '../../archive/snapshot.js';
import { requireEntry, rootEntry } from '../../client/browse.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import { type Change, differencesOf } from '../../client/diff.js';
import { findMatches } from '../../client/find.js';
import type { Session } from '../../client/session.js';
import { statsOf } from '../../client/stats.js';
import { compileGlobs, snapshotAndPath, typedPath, workingDirectory } from '../paths.js';
import type { Console } from '../run.js';
import { showCount, showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';
import { entryLine } from './entry-line.js';

/** Lists what matches a glob, each version once, with the newest snapshot that has it. */
export async function runFind(
  args: CommonArguments & { readonly pattern: string; readonly snapshot: string | undefined },
  console: Console,
): Promise<void> {
  const matches = compileGlobs([args.pattern]);
  await withSession(args, console, async (session) => {
    const snapshots = await chosen(session, args.snapshot);
    let shown: Snapshot | undefined;
    let count = 0;
    for await (const { snapshot, path, entry } of findMatches(session, snapshots, matches)) {
      stopIfAborted(session);
      if (!args.json && shown?.id !== snapshot.id)
        console.out(`snapshot ${snapshot.id.slice(0, 12)} of ${timeOf(snapshot)}, ${snapshot.host}:`);
      shown = snapshot;
      count += 1;
      console.out(entryLine(entry, path, args.json, { snapshot: snapshot.id }));
    }
    if (shown === undefined)
      throw new PeerStoreError(
        'NOT_FOUND',
        `nothing matches "${args.pattern}" in ${showCount(snapshots.length, 'snapshot')}`,
      );
    if (args.json) console.out(JSON.stringify({ matches: count, snapshots: snapshots.length }));
  });
}

const marks: Readonly<Record<Change, string>> = {
  added: '+',
  removed: '-',
  modified: 'M',
  metadata: 'U',
  type: 'T',
};

/** Lists what differs between two snapshots, or two directories of snapshots. */
export async function runDiff(
  args: CommonArguments & { readonly a: string; readonly b: string },
  console: Console,
): Promise<void> {
  const sides = [snapshotAndPath(args.a), snapshotAndPath(args.b)];
  await withSession(args, console, async (session) => {
    const snapshots = await loadSnapshots(session);
    const [before, after] = await Promise.all(
      sides.map(({ snapshot, path }) => directoryAt(session, chooseSnapshot(snapshots, snapshot), path)),
    );
    if (before === undefined || after === undefined) throw new Error('broken rule: there are two sides');
    const counts: Record<Change, number> = { added: 0, removed: 0, modified: 0, metadata: 0, type: 0 };
    let [addedBytes, removedBytes] = [0, 0];
    const from = before.path === after.path ? before.shown : rootPath;
    for await (const found of differencesOf(session.bulkReader, from, before.entry, after.entry)) {
      stopIfAborted(session);
      const { change } = found;
      const path = printablePath(found.path);
      counts[change] += 1;
      if (change !== 'metadata') {
        addedBytes += found.after?.type === 'file' ? found.after.sizeBytes : 0;
        removedBytes += found.before?.type === 'file' ? found.before.sizeBytes : 0;
      }
      console.out(args.json ? JSON.stringify({ path, change }) : `${marks[change]} ${path}`);
    }
    if (args.json) console.out(JSON.stringify({ ...counts, addedBytes, removedBytes }));
    else if (!args.quiet) {
      const { added, removed, modified, metadata, type } = counts;
      console.out(
        `${added} added, ${removed} removed, ${modified + type} changed, ${metadata} with other attributes; ` +
          `${showSize(addedBytes)} came, ${showSize(removedBytes)} went`,
      );
    }
  });
}

/** Says how much snapshots hold, and what they take. */
export async function runStats(
  args: CommonArguments & { readonly snapshot: string | undefined },
  console: Console,
): Promise<void> {
  await withSession(args, console, async (session) => {
    const stats = await statsOf(session, await chosen(session, args.snapshot));
    if (args.json) {
      console.out(JSON.stringify(stats));
      return;
    }
    const { snapshots, files, bytes, chunks, storedBytes } = stats;
    console.out(`${showCount(snapshots, 'snapshot')} of ${showCount(files, 'file')}, ${showSize(bytes)}`);
    const share = bytes === 0 ? '' : `, ${((100 * storedBytes) / bytes).toFixed(1)}% of that`;
    console.out(`stored: ${showCount(chunks, 'chunk')}, ${showSize(storedBytes)} a copy${share}`);
  });
}

async function chosen(session: Session, name: string | undefined): Promise<readonly Snapshot[]> {
  const snapshots = await loadSnapshots(session);
  return name === undefined ? snapshots : [chooseSnapshot(snapshots, name)];
}

/** What is compared: a snapshot's `/`, or a directory in it. */
async function directoryAt(
  session: Session,
  snapshot: Snapshot,
  path: string | undefined,
): Promise<{ readonly entry: DirectoryEntry; readonly shown: Uint8Array; readonly path: string }> {
  if (path === undefined) return { entry: rootEntry(snapshot), shown: rootPath, path: '/' };
  const components = pathComponents(workingDirectory(), typedPath(path));
  const shown = absolutePath(components);
  const entry =
    components.length === 0 ? rootEntry(snapshot) : await requireEntry(session.reader, snapshot, components);
  if (entry.type === 'directory') return { entry, shown, path: printablePath(shown) };
  throw new PeerStoreError('USAGE', `${printablePath(shown)} is no directory; diff compares directories`);
}

function stopIfAborted({ signal }: Session): void {
  if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'interrupted');
}

function timeOf({ timeMs }: Snapshot): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ');
}
