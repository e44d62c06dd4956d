/** The command line of peerstore-server. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import type { Argv } from 'yargs';

import { messageOf, PeerStoreError } from '../base/errors.js';
import { type LogFormat, type LogLevel, logLevels } from '../base/log.js';
import { askAdmin } from '../node/admin.js';
import { runProgram, type Console } from './run.js';
import type { ExitCode } from './exit-codes.js';
import { showServerStatus, type ServerStatus } from './server-status.js';
import { parseDuration, parseRate, parseSize, showCount } from './units.js';

/** Workers and queued requests a core, unless the options say otherwise. */
const workersPerCore = 2;
const queuedPerCore = 20;

/** Runs peerstore-server. What a peer stands on is loaded only to start one. @returns its exit code. */
export function runServer(args: readonly string[], console: Console): Promise<ExitCode> {
  return runProgram('peerstore-server', args, console, [], (parser) =>
    parser
      .usage(
        '$0 --addr HOST:PORT --data-path DIR\n\nKeeps encrypted blocks for the users of a ring of peers.',
      )
      .command(
        '$0',
        'starts a peer: a new ring, or the one that DIR or the invite belongs to',
        serveOptions,
        async (argv) => {
          const { serve } = await import('./serve.js');
          await serve(
            {
              address: argv.addr,
              dataPath: argv.dataPath,
              invite: inviteFrom(argv, console),
              initialPeerAddress: argv.initialPeerAddr,
              initialPeerKeyFile: argv.initialPeerKeyFile,
              advertise: argv.advertise,
              zone: argv.zone,
              capacityBytes: argv.capacity === undefined ? undefined : parseSize(argv.capacity, '--capacity'),
              repairAfterMs: parseDuration(argv.repairAfter, '--repair-after'),
              scrubEveryMs: parseDuration(argv.scrubEvery, '--scrub-every'),
              repairBytesPerS:
                argv.limitRepair === undefined ? undefined : parseRate(argv.limitRepair, '--limit-repair'),
              workers: positive(argv.requestNumWorkers, '--request-num-workers'),
              queueLength: positive(argv.requestQueueBuffer, '--request-queue-buffer'),
              logLevel: argv.logLevel as LogLevel,
              logFormat: argv.logFormat as LogFormat,
            },
            console,
          );
        },
      )
      .command(
        'invite',
        'prints one invite, good for one peer or one user',
        (sub) =>
          dataPathOption(sub)
            .option('peer', { type: 'boolean', conflicts: 'user', describe: 'for a peer' })
            .option('user', { type: 'string', describe: 'for a user of this name', requiresArg: true })
            .option('expires', {
              type: 'string',
              default: '1h',
              describe: 'how long it is good',
              requiresArg: true,
            }),
        async (argv) => {
          if (argv.peer !== true && argv.user === undefined) {
            throw new PeerStoreError('USAGE', 'say whom the invite is for: --peer or --user NAME');
          }
          const expiresMs = parseDuration(argv.expires, '--expires');
          console.out(String(await askAdmin(argv.dataPath, 'invite', { user: argv.user, expiresMs })));
        },
      )
      .command(
        'status',
        'shows the running peer: its place in the ring and what it holds',
        (sub) => dataPathOption(sub).option('json', { type: 'boolean', default: false, describe: 'as JSON' }),
        async (argv) => {
          const status = (await askAdmin(argv.dataPath, 'status')) as ServerStatus;
          console.out(argv.json ? JSON.stringify(status) : showServerStatus(status));
        },
      )
      .command(
        'drain',
        'hands everything over, leaves the ring for good, and ends when others have it all',
        (sub) => dataPathOption(sub),
        async (argv) => {
          const { successors, replicas } = (await askAdmin(argv.dataPath, 'status')) as ServerStatus;
          if (successors.length > 0 && successors.length < replicas)
            console.err(
              `peerstore-server: ${showCount(successors.length, 'peer')} will be left, for ${replicas} wanted copies of each key: add peers`,
            );
          console.err(
            'peerstore-server: handing everything over; this ends when others have it all, and waits for machines that are away (the log of the peer tells)',
          );
          await askAdmin(argv.dataPath, 'drain');
        },
      ),
  );
}

function dataPathOption<T>(parser: Argv<T>) {
  return parser.option('data-path', {
    type: 'string',
    demandOption: true,
    requiresArg: true,
    describe: 'where the peer keeps its keys and blocks',
  });
}

function serveOptions(parser: Argv) {
  const cores = availableParallelism();
  return dataPathOption(parser)
    .option('addr', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'where to listen, HOST:PORT; :PORT is every interface, port 0 picks a free one',
    })
    .option('join', {
      type: 'string',
      requiresArg: true,
      describe: 'the invite to a ring (or PEERSTORE_INVITE)',
    })
    .option('join-file', { type: 'string', requiresArg: true, describe: 'a file with the invite in it' })
    .option('initial-peer-addr', { type: 'string', requiresArg: true, describe: 'the peer to enter by' })
    .option('initial-peer-key-file', { type: 'string', requiresArg: true, describe: 'its publickey.pem' })
    .option('advertise', {
      type: 'string',
      requiresArg: true,
      describe: 'the address that others reach this peer at',
    })
    .option('zone', {
      type: 'string',
      requiresArg: true,
      describe: 'what fails together with this peer: a room, a house',
    })
    .option('capacity', {
      type: 'string',
      requiresArg: true,
      describe: 'the most to keep here, such as 500G',
    })
    .option('repair-after', {
      type: 'string',
      default: '10m',
      requiresArg: true,
      describe: 'how long a machine may be away before its copies are made anew',
    })
    .option('limit-repair', {
      type: 'string',
      requiresArg: true,
      describe: 'the most that repair moves in a second, such as 20M',
    })
    .option('scrub-every', {
      type: 'string',
      default: '30d',
      requiresArg: true,
      describe: 'in this time everything is read again once',
    })
    .option('request-num-workers', {
      type: 'number',
      default: workersPerCore * cores,
      requiresArg: true,
      describe: 'requests carried out at once',
    })
    .option('request-queue-buffer', {
      type: 'number',
      default: queuedPerCore * cores,
      requiresArg: true,
      describe: 'requests that may wait',
    })
    .option('log-level', { choices: logLevels, default: 'info', describe: 'how much to say' })
    .option('log-format', { choices: ['text', 'json'], default: 'text', describe: 'how to say it' });
}

function inviteFrom(
  argv: { join: string | undefined; joinFile: string | undefined },
  console: Console,
): string | undefined {
  if (argv.join !== undefined) return argv.join;
  if (argv.joinFile === undefined) return console.env['PEERSTORE_INVITE'];
  try {
    return readFileSync(argv.joinFile, 'utf8');
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot read the invite: ${messageOf(error)}`);
  }
}

function positive(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new PeerStoreError('USAGE', `${option} takes a whole number above 0, not ${value}`);
}
