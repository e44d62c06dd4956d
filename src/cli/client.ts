/** The command line of peerstore-client. */
import type { Argv } from 'yargs';

import type { Overwrite } from '../client/place.js';
import { completionScript, shells } from './client/completion.js';
import type { CommonArguments } from './client/context.js';
import type { ExitCode } from './exit-codes.js';
import { type Console, runProgram } from './run.js';

/**
 * Runs peerstore-client. What a command stands on is loaded when it is given: most of a short command's time is loading.
 * @returns its exit code.
 */
export function runClient(args: readonly string[], console: Console): Promise<ExitCode> {
  return runProgram('peerstore-client', args, console, repeatable, (parser, done) =>
    commonOptions(parser)
      .usage('$0 COMMAND\n\nKeeps your files, encrypted, on a ring of peers.')
      .command(
        'init',
        "makes the user's key file, registers the user, and prints the recovery phrase once",
        (sub) =>
          sub
            .option('invite', {
              type: 'string',
              requiresArg: true,
              describe: 'the invite (or PEERSTORE_INVITE)',
            })
            .option('invite-file', {
              type: 'string',
              requiresArg: true,
              describe: 'a file with the invite in it',
            })
            .option('recover', {
              type: 'boolean',
              default: false,
              describe: 'the same identity again, from its recovery phrase',
            })
            .option('phrase-file', {
              type: 'string',
              requiresArg: true,
              describe: 'a file with the recovery phrase; - is standard input',
            }),
        async (argv) => (await import('./client/init.js')).init(argv, console),
      )
      .command(
        'backup [paths..]',
        'stores what is at these paths, as a snapshot',
        (sub) =>
          sub
            .positional('paths', { type: 'string', array: true, default: [] as string[] })
            .option('local-path', {
              type: 'string',
              array: true,
              requiresArg: true,
              describe: 'a path to back up',
            })
            .option('exclude', globs('leave out what matches'))
            .option('exclude-file', globs('leave out what matches a line of this file'))
            .option('tag', globs('a label for the snapshot'))
            .option('dry-run', {
              type: 'boolean',
              default: false,
              describe: 'only say what would be stored',
            }),
        async (argv) => {
          const paths = [...argv.paths, ...behindDashes(argv), ...(argv.localPath ?? [])];
          const { runBackup } = await import('./client/backup.js');
          done(await runBackup({ ...argv, paths }, console));
        },
      )
      .command('snapshots', 'lists the snapshots, oldest first', {}, async (argv) => {
        const { runSnapshots } = await import('./client/snapshots.js');
        await runSnapshots(argv as typeof argv & CommonArguments, console);
      })
      .command(
        'ls [snapshot]',
        'lists what is in a snapshot: SNAPSHOT[:PATH], by default the latest',
        (sub) => sub.positional('snapshot', { type: 'string' }),
        async (argv) => (await import('./client/snapshots.js')).runLs(argv, console),
      )
      .command(
        'find <pattern>',
        'lists what matches a glob, in every snapshot',
        (sub) =>
          sub
            .positional('pattern', { type: 'string', demandOption: true })
            .option('snapshot', { type: 'string', requiresArg: true, describe: 'only in this snapshot' }),
        async (argv) => (await import('./client/compare.js')).runFind(argv, console),
      )
      .command(
        'diff <a> <b>',
        'lists what differs between two snapshots: SNAPSHOT[:PATH]',
        (sub) =>
          sub
            .positional('a', { type: 'string', demandOption: true })
            .positional('b', { type: 'string', demandOption: true }),
        async (argv) => (await import('./client/compare.js')).runDiff(argv, console),
      )
      .command(
        'stats',
        'says how much the snapshots hold, and what they take',
        (sub) =>
          sub.option('snapshot', { type: 'string', requiresArg: true, describe: 'only of this snapshot' }),
        async (argv) => (await import('./client/compare.js')).runStats(argv, console),
      )
      .command(
        'getfile',
        'gets one file back, from the newest snapshot that has it',
        (sub) =>
          sub
            .option('filename', {
              type: 'string',
              demandOption: true,
              requiresArg: true,
              describe: 'its path when it was backed up',
            })
            .option('filedest', {
              type: 'string',
              demandOption: true,
              requiresArg: true,
              describe: 'where to put it; - is standard output',
            })
            .option('snapshot', { type: 'string', requiresArg: true, describe: 'from this snapshot' }),
        async (argv) => {
          const { runGetfile } = await import('./client/getfile.js');
          done(await runGetfile(argv, console));
        },
      )
      .command(
        'restore [snapshot]',
        'recreates a snapshot, or SNAPSHOT:PATH, below a directory',
        (sub) =>
          sub
            .positional('snapshot', { type: 'string' })
            .option('target', {
              type: 'string',
              demandOption: true,
              requiresArg: true,
              describe: 'the directory',
            })
            .option(
              'include',
              globs('restore only what matches; paths are as they come to be below the directory'),
            )
            .option('overwrite', {
              choices: overwriteChoices,
              default: 'always' as const,
              describe: 'what to do with what is there already',
            }),
        async (argv) => {
          const { runRestore } = await import('./client/restore.js');
          done(await runRestore(argv, console));
        },
      )
      .command(
        'forget [snapshots..]',
        'forgets the snapshots that are named, or those that no --keep rule keeps',
        (sub) =>
          sub
            .positional('snapshots', { type: 'string', array: true, default: [] as string[] })
            .option('keep-last', keep('so many of the newest'))
            .option('keep-daily', keep('the newest of each of so many days that have any'))
            .option('keep-weekly', keep('the newest of each of so many weeks that have any'))
            .option('keep-monthly', keep('the newest of each of so many months that have any'))
            .option('keep-within', {
              type: 'string',
              requiresArg: true,
              describe: 'all that are at most so much older than the newest, such as 14d',
            })
            .option('dry-run', { type: 'boolean', default: false, describe: 'only show what would go' }),
        async (argv) => {
          const { runForget } = await import('./client/forget.js');
          await runForget({ ...argv, snapshots: [...argv.snapshots, ...behindDashes(argv)] }, console);
        },
      )
      .command(
        'prune',
        'gives up what no snapshot needs any more',
        (sub) =>
          sub
            .option('dry-run', {
              type: 'boolean',
              default: false,
              describe: 'only say what would be given up',
            })
            .option(
              'without-device',
              globs('give up the snapshots of this device, whose list of them is lost'),
            ),
        async (argv) => (await import('./client/prune.js')).runPrune(argv, console),
      )
      .command(
        'undelete [snapshots..]',
        'brings forgotten snapshots back; without any named, lists them',
        (sub) => sub.positional('snapshots', { type: 'string', array: true, default: [] as string[] }),
        async (argv) => {
          const { runUndelete } = await import('./client/forget.js');
          await runUndelete({ ...argv, snapshots: [...argv.snapshots, ...behindDashes(argv)] }, console);
        },
      )
      .command(
        'check',
        'makes sure that everything that the snapshots refer to is there',
        (sub) =>
          sub
            .option('read-data', {
              type: 'boolean',
              default: false,
              describe: 'read and decrypt everything too',
            })
            .option('snapshot', { type: 'string', requiresArg: true, describe: 'only this snapshot' }),
        async (argv) => {
          const { runCheck } = await import('./client/check.js');
          done(await runCheck(argv, console));
        },
      )
      .command('status', 'shows the ring as this client sees it', {}, async (argv) => {
        const { runStatus } = await import('./client/status.js');
        await runStatus(argv as typeof argv & CommonArguments, console);
      })
      .command(
        'completion <shell>',
        'prints what makes a shell complete these commands; its first line says where it goes',
        (sub) => sub.positional('shell', { choices: shells, demandOption: true }),
        (argv) => console.out(completionScript(argv.shell).trimEnd()),
      )
      .demandCommand(1, 'say what to do'),
  );
}

/** What may be given several times, and the positionals that are lists. */
const repeatable = [
  'peerAddr',
  'paths',
  'localPath',
  'exclude',
  'excludeFile',
  'tag',
  'include',
  'snapshots',
  'withoutDevice',
];

const overwriteChoices = ['always', 'if-changed', 'never'] as const satisfies readonly Overwrite[];

function commonOptions(parser: Argv) {
  return parser
    .option('peer-addr', {
      type: 'string',
      array: true,
      requiresArg: true,
      global: true,
      describe: 'a peer to enter the ring by, HOST:PORT; may be repeated (or PEERSTORE_PEER_ADDR)',
    })
    .option('peer-key-file', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'the publickey.pem that this peer has to have',
    })
    .option('self-key-file', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: "the user's key file (or PEERSTORE_SELF_KEY_FILE)",
    })
    .option('passphrase-file', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'a file with the passphrase of the key file (or PEERSTORE_PASSPHRASE)',
    })
    .option('limit-upload', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'the most bytes to send a second, such as 2M',
    })
    .option('limit-download', {
      type: 'string',
      requiresArg: true,
      global: true,
      describe: 'the most bytes to receive a second',
    })
    .option('json', {
      type: 'boolean',
      default: false,
      global: true,
      describe: 'results as JSON, one object a line',
    })
    .option('quiet', { type: 'boolean', default: false, global: true, describe: 'say only what went wrong' })
    .option('progress', {
      type: 'boolean',
      default: true,
      global: true,
      describe: 'show progress on a terminal',
    });
}

/** What follows `--` is not matched to the positionals, but left beside the command's name. */
function behindDashes({ _ }: { readonly _: readonly (string | number)[] }): readonly string[] {
  return _.slice(1).map(String);
}

/** A rule of how many snapshots to keep. */
function keep(describe: string) {
  return { type: 'number', requiresArg: true, describe } as const;
}

/** An option that may be given several times. */
function globs(describe: string) {
  return { type: 'string', array: true, requiresArg: true, default: [] as string[], describe } as const;
}
