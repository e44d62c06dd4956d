/** `snapshots` and `ls`: what there is. */
import { absolutePath, pathComponents, printablePath, rootPath } from '../../base/paths.js';
import { PeerStoreError } from '../../base/errors.js';
import { requireEntry, rootEntry, walkTree } from '../../client/browse.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import { snapshotAndPath, typedPath, workingDirectory } from '../paths.js';
import type { Console } from '../run.js';
import { showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';
import { entryLine } from './entry-line.js';

/** Lists the snapshots, oldest first. */
export async function runSnapshots(args: CommonArguments, console: Console): Promise<void> {
  await withSession(args, console, async (session) => {
    const snapshots = await loadSnapshots(session);
    for (const one of snapshots) {
      const { id, host, tags, files, bytes } = one;
      const time = new Date(one.timeMs).toISOString();
      const paths = one.paths.map(printablePath);
      if (args.json) {
        console.out(JSON.stringify({ id, time, paths, host, tags, bytes, files }));
        continue;
      }
      const labels = tags.length === 0 ? '' : `  [${tags.join(', ')}]`;
      const when = time.slice(0, 19).replace('T', ' ');
      console.out(
        `${id.slice(0, 12)}  ${when}  ${host}  ${showSize(bytes).padStart(9)}  ${paths.join(' ')}${labels}`,
      );
    }
    if (snapshots.length === 0 && !args.quiet && !args.json)
      console.err('no snapshot yet; make one with backup');
  });
}

/** Lists what is in a snapshot, or below a path of it. */
export async function runLs(
  args: CommonArguments & { snapshot: string | undefined },
  console: Console,
): Promise<void> {
  const wanted = snapshotAndPath(args.snapshot);
  await withSession(args, console, async (session) => {
    const snapshot = chooseSnapshot(await loadSnapshots(session), wanted.snapshot);
    const components =
      wanted.path === undefined ? [] : pathComponents(workingDirectory(), typedPath(wanted.path));
    const top =
      components.length === 0
        ? rootEntry(snapshot)
        : await requireEntry(session.reader, snapshot, components);
    const topPath = components.length === 0 ? rootPath : absolutePath(components);
    if (top.type !== 'directory') {
      console.out(entryLine(top, topPath, args.json));
      return;
    }
    for await (const { path, entry, failure } of walkTree(session.reader, top, topPath)) {
      if (failure !== undefined) throw failure;
      if (session.signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'interrupted');
      console.out(entryLine(entry, path, args.json));
    }
  });
}
