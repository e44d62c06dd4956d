/** `backup`: stores what is at some paths, as a snapshot. */
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';

import { systemClock } from '../../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../../base/errors.js';
import { nodeFileSystem } from '../../base/node-filesystem.js';
import { Threads } from '../../base/threads.js';
import { limits } from '../../base/limits.js';
import type { Logger } from '../../base/log.js';
import { backup } from '../../client/backup.js';
import { backupThreadModule } from '../../client/backup-threads.js';
import { openBackupCache } from '../../client/backup-cache.js';
import { userCacheDirectory } from '../config.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { compileGlobs, typedPath, workingDirectory } from '../paths.js';
import { startProgress } from '../progress.js';
import type { Console } from '../run.js';
import { showCount, showDuration, showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface BackupArguments extends CommonArguments {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly excludeFile: readonly string[];
  readonly tag: readonly string[];
  readonly dryRun: boolean;
}

/** Backs up, and says what was done. */
export async function runBackup(args: BackupArguments, console: Console): Promise<ExitCode> {
  if (args.paths.length === 0) {
    throw new PeerStoreError('USAGE', 'say what to back up: peerstore-client backup PATH...');
  }
  const globs = [...args.exclude, ...args.excludeFile.flatMap(globsIn)];
  const exclude = globs.length === 0 ? {} : { exclude: compileGlobs(globs) };
  return withSession(args, console, async (session) => {
    const since = systemClock.monotonicMs();
    const directory = userCacheDirectory(console.env, session.keys.user.publicKey);
    const { clock, random, log } = session;
    const cache = await openBackupCache({ directory, clock, random, log });
    const threads = threadsOf(log);
    const progress = startProgress(
      args.dryRun ? 'looking' : 'backing up',
      args.progress && !args.quiet,
      systemClock,
      process.stderr,
      console.err,
    );
    try {
      const summary = await backup(session, {
        fileSystem: nodeFileSystem,
        cache,
        threads,
        cwd: workingDirectory(),
        paths: args.paths.map(typedPath),
        host: hostname(),
        tags: args.tag,
        dryRun: args.dryRun,
        ...exclude,
        report: ({ message }) => progress.line(`peerstore-client: ${message}`),
        progress: progress.add,
      });
      progress.end();
      const seconds = Math.round(systemClock.monotonicMs() - since) / 1000;
      if (args.json) console.out(JSON.stringify({ ...summary, seconds }));
      else if (!args.quiet) {
        const name = summary.snapshot === null ? 'dry run' : `snapshot ${summary.snapshot.slice(0, 12)}`;
        console.out(
          `${name}: ${showCount(summary.files, 'file')} in ${showCount(summary.dirs, 'directory').replace('directorys', 'directories')}, ` +
            `${showSize(summary.bytes)}; ${showSize(summary.newBytes)} new, ` +
            `${showSize(summary.storedBytes)} ${args.dryRun ? 'would be ' : ''}stored, in ${showDuration(seconds * 1000)}`,
        );
      }
      if (summary.errors === 0) return exitCodes.done;
      if (!args.quiet)
        console.err(`peerstore-client: ${showCount(summary.errors, 'problem')} while reading, named above`);
      return exitCodes.incomplete;
    } catch (error) {
      if (!hasCode(error, 'CANCELLED')) throw error;
      throw new PeerStoreError('CANCELLED', 'interrupted; what was stored so far is used by the next run', {
        cause: error,
      });
    } finally {
      progress.end();
      await threads.close();
      await cache.close();
    }
  });
}

/** A thread for each core but one: the main thread has one, and helps where it has nothing else to do. */
function threadsOf(log: Logger): Threads {
  return new Threads({
    module: backupThreadModule,
    count: Math.min(availableParallelism() - 1, limits.backupThreads),
    onStartFailed: (error) => log.warn('a thread could not be started', { error: messageOf(error) }),
  });
}

/** The globs in a file: one a line; empty lines and those that begin with # say nothing. */
function globsIn(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8')
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot read the exclude file: ${messageOf(error)}`, { cause: error });
  }
}
