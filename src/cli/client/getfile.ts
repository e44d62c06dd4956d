/** `getfile`: gets one file back. */
import { nodeFileSystem } from '../../base/node-filesystem.js';
import { absolutePath, pathComponents, printablePath } from '../../base/paths.js';
import { PeerStoreError, systemCode } from '../../base/errors.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import { findFile } from '../../client/getfile.js';
import type { Problem } from '../../client/problem.js';
import { restoreFiles } from '../../client/restore-files.js';
import type { Session } from '../../client/session.js';
import type { FileEntry } from '../../archive/entry.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { typedPath, workingDirectory } from '../paths.js';
import type { Console } from '../run.js';
import { showSize } from '../units.js';
import { type CommonArguments, withSession } from './context.js';

export interface GetfileArguments extends CommonArguments {
  readonly filename: string;
  readonly filedest: string;
  readonly snapshot: string | undefined;
}

/** Gets the file, to a path or to standard output. */
export async function runGetfile(args: GetfileArguments, console: Console): Promise<ExitCode> {
  const cwd = workingDirectory();
  const toStdout = args.filedest === '-';
  const destination = toStdout ? [] : await checkedDestination(pathComponents(cwd, typedPath(args.filedest)));
  return withSession(args, console, async (session) => {
    const all = await loadSnapshots(session);
    const snapshots = args.snapshot === undefined ? all : [chooseSnapshot(all, args.snapshot)];
    const wanted = pathComponents(cwd, typedPath(args.filename));
    const { snapshot, entry } = await findFile(session, snapshots, wanted);
    if (toStdout) {
      for await (const piece of session.reader.readContent(entry.content)) {
        if (session.signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'interrupted');
        await console.outBytes(piece);
      }
      return exitCodes.done;
    }
    const problems = await place(session, entry, destination);
    for (const { message } of problems) console.err(`peerstore-client: ${message}`);
    const failure = problems.find(({ kind }) => kind !== 'metadata');
    if (failure !== undefined) {
      return failure.kind === 'damaged' ? exitCodes.damaged : exitCodes.incomplete;
    }
    if (args.json)
      console.out(JSON.stringify({ snapshot: snapshot.id, bytes: entry.sizeBytes, file: args.filedest }));
    else if (!args.quiet) {
      console.out(`${args.filedest}: ${showSize(entry.sizeBytes)} from snapshot ${snapshot.id.slice(0, 12)}`);
    }
    return problems.length === 0 ? exitCodes.done : exitCodes.incomplete;
  });
}

/** Puts the file at the path, whole or not at all. @returns what went wrong. */
async function place(
  session: Session,
  entry: FileEntry,
  destination: readonly Uint8Array[],
): Promise<readonly Problem[]> {
  const { reader, random, signal } = session;
  const problems: Problem[] = [];
  async function* oneFile() {
    await Promise.resolve();
    yield { kind: 'file' as const, entry: { ...entry, name: destination.at(-1) ?? entry.name } };
  }
  await restoreFiles(oneFile(), {
    fileSystem: nodeFileSystem,
    random,
    target: absolutePath(destination.slice(0, -1)),
    openContent: (file) => reader.readContent(file.content),
    report: (problem) => problems.push(problem),
    ...(signal === undefined ? {} : { signal }),
  });
  return problems;
}

/**
 * A file takes the place of a file or a link; nothing else may lose its place to one.
 * @throws PeerStoreError USAGE.
 */
async function checkedDestination(destination: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  if (destination.length === 0) {
    throw new PeerStoreError('USAGE', '--filedest takes the path of a file, not /');
  }
  const directory = absolutePath(destination.slice(0, -1));
  if ((await typeAt(directory)) === undefined) {
    throw new PeerStoreError(
      'USAGE',
      `--filedest: there is no directory ${printablePath(directory)}; make it first`,
    );
  }
  const type = await typeAt(absolutePath(destination));
  if (type === undefined || type === 'file' || type === 'symlink') return destination;
  throw new PeerStoreError(
    'USAGE',
    type === 'directory'
      ? '--filedest is a directory; name the file in it'
      : `--filedest is a ${type}, which is not replaced; with - the file goes to standard output`,
  );
}

async function typeAt(path: Uint8Array): Promise<string | undefined> {
  try {
    return (await nodeFileSystem.lstat(path)).type;
  } catch (error) {
    // What else is wrong with the path shows, and is told, when the file is put there.
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
