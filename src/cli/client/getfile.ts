/** `getfile`: gets one file back. */
import { once } from 'node:events';

import { nodeFileSystem } from '../../base/node-filesystem.js';
import { absolutePath, pathComponents } from '../../base/paths.js';
import { PeerStoreError } from '../../base/errors.js';
import { chooseSnapshot, loadSnapshots } from '../../client/catalog.js';
import { findFile } from '../../client/getfile.js';
import { restoreFiles } from '../../client/restore-files.js';
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
  return withSession(args, console, async (session) => {
    const { reader, random, signal } = session;
    const all = await loadSnapshots(session);
    const snapshots = args.snapshot === undefined ? all : [chooseSnapshot(all, args.snapshot)];
    const { snapshot, entry } = await findFile(
      session,
      snapshots,
      pathComponents(cwd, typedPath(args.filename)),
    );
    if (args.filedest === '-') {
      for await (const piece of reader.readContent(entry.content)) {
        if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'interrupted');
        if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
      }
      return exitCodes.done;
    }
    const destination = pathComponents(cwd, typedPath(args.filedest));
    const name = destination.at(-1);
    if (name === undefined) throw new PeerStoreError('USAGE', '--filedest takes the path of a file, not /');
    let failure: PeerStoreError | undefined;
    async function* oneFile() {
      await Promise.resolve();
      yield { kind: 'file' as const, entry: { ...entry, name: name ?? entry.name } };
    }
    await restoreFiles(oneFile(), {
      fileSystem: nodeFileSystem,
      random,
      target: absolutePath(destination.slice(0, -1)),
      openContent: (file) => reader.readContent(file.content),
      report: ({ kind, message }) => {
        if (kind === 'metadata') console.err(`peerstore-client: ${message}`);
        else failure = new PeerStoreError(kind === 'damaged' ? 'DAMAGED' : 'IO', message);
      },
      ...(signal === undefined ? {} : { signal }),
    });
    if (failure !== undefined) throw failure;
    if (args.json)
      console.out(JSON.stringify({ snapshot: snapshot.id, bytes: entry.sizeBytes, file: args.filedest }));
    else if (!args.quiet) {
      console.out(`${args.filedest}: ${showSize(entry.sizeBytes)} from snapshot ${snapshot.id.slice(0, 12)}`);
    }
    return exitCodes.done;
  });
}
