/** `snapshots` and `ls`: what there is. */
import { absolutePath, pathComponents, printablePath, rootPath } from '../../base/paths.js';
import { PeerStoreError } from '../../base/errors.js';
import { requireEntry, rootEntry, walkTree } from '../../client/browse.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import type { Entry } from '../../archive/entry.js';
import { snapshotAndPath, typedPath, workingDirectory } from '../paths.js';
import type { Console } from '../run.js';
import { showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

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
      show(top, topPath, args.json, console);
      return;
    }
    for await (const { path, entry, failure } of walkTree(session.reader, top, topPath)) {
      if (failure !== undefined) throw failure;
      if (session.signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'interrupted');
      show(entry, path, args.json, console);
    }
  });
}

function show(entry: Entry, path: Uint8Array, json: boolean, console: Console): void {
  const shown = printablePath(path);
  const sizeBytes = entry.type === 'file' ? entry.sizeBytes : 0;
  const target = entry.type === 'symlink' ? printablePath(entry.target) : undefined;
  const time = timeOf(entry.mtimeNs);
  if (json) {
    const { type, mode, uid, gid } = entry;
    console.out(
      JSON.stringify({
        path: shown,
        type,
        size: sizeBytes,
        mode: mode.toString(8).padStart(4, '0'),
        uid,
        gid,
        mtime: time,
        ...(target === undefined ? {} : { target }),
      }),
    );
    return;
  }
  const size = entry.type === 'file' ? showSize(sizeBytes) : '';
  const mode = modeText(entry);
  console.out(
    `${mode}  ${size.padStart(9)}  ${time.slice(0, 16).replace('T', ' ')}  ${shown}${target === undefined ? '' : ` -> ${target}`}`,
  );
}

/** A time outside the calendar's range is shown at its end. */
function timeOf(mtimeNs: bigint): string {
  const ms = Number(mtimeNs / 1_000_000n);
  const furthest = 8_640_000_000_000_000;
  return new Date(Math.max(-furthest, Math.min(furthest, ms))).toISOString();
}

function modeText({ type, mode }: Entry): string {
  const letters = ['x', 'w', 'r'];
  let text = type === 'directory' ? 'd' : type === 'symlink' ? 'l' : '-';
  for (let bit = 8; bit >= 0; bit -= 1) text += (mode >> bit) & 1 ? (letters[bit % 3] ?? '') : '-';
  return text;
}
