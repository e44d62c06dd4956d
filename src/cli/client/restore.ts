/** `restore`: recreates a snapshot, or a part of it, below a directory. */
import { systemClock } from '../../base/clock.js';
import { nodeFileSystem } from '../../base/node-filesystem.js';
import { absolutePath, pathComponents } from '../../base/paths.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import type { Overwrite } from '../../client/place.js';
import { restore } from '../../client/restore.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { compileGlobs, snapshotAndPath, typedPath, workingDirectory } from '../paths.js';
import { startProgress } from '../progress.js';
import type { Console } from '../run.js';
import { showCount, showDuration, showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface RestoreArguments extends CommonArguments {
  readonly snapshot: string | undefined;
  readonly target: string;
  readonly include: readonly string[];
  readonly overwrite: Overwrite;
}

/** Restores, and says what was done. */
export async function runRestore(args: RestoreArguments, console: Console): Promise<ExitCode> {
  const wanted = snapshotAndPath(args.snapshot);
  const cwd = workingDirectory();
  const include = args.include.length === 0 ? {} : { include: compileGlobs(args.include) };
  return withSession(args, console, async (session) => {
    const since = systemClock.monotonicMs();
    const snapshot = chooseSnapshot(await loadSnapshots(session), wanted.snapshot);
    const progress = startProgress(
      'restoring',
      args.progress && !args.quiet,
      systemClock,
      process.stderr,
      console.err,
    );
    let damaged = 0;
    try {
      const summary = await restore(session, {
        fileSystem: nodeFileSystem,
        snapshot,
        components: wanted.path === undefined ? [] : pathComponents(cwd, typedPath(wanted.path)),
        target: absolutePath(pathComponents(cwd, typedPath(args.target))),
        overwrite: args.overwrite,
        ...include,
        report: ({ kind, message }) => {
          if (kind === 'damaged') damaged += 1;
          progress.line(`peerstore-client: ${message}`);
        },
        progress: progress.add,
      });
      progress.end();
      const seconds = Math.round(systemClock.monotonicMs() - since) / 1000;
      const { files, directories: dirs, bytes, leftAlone, problems: errors } = summary;
      if (args.json) {
        console.out(
          JSON.stringify({ snapshot: snapshot.id, files, dirs, bytes, leftAlone, seconds, errors }),
        );
      } else if (!args.quiet) {
        const kept = leftAlone === 0 ? '' : `, ${showCount(leftAlone, 'file')} left as they were`;
        console.out(
          `restored ${showCount(files, 'file')}, ${showSize(bytes)}, from snapshot ${snapshot.id.slice(0, 12)} ` +
            `in ${showDuration(seconds * 1000)}${kept}`,
        );
      }
      if (damaged > 0) return exitCodes.damaged;
      return errors === 0 ? exitCodes.done : exitCodes.incomplete;
    } finally {
      progress.end();
    }
  });
}
