/** What both programs have in common: errors become one clear line and an exit code, here and nowhere else. */
import { once } from 'node:events';

import yargs, { type Argv } from 'yargs';

import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';
import { version } from '../base/version.js';
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.js';

/** Where a program reads and writes: the process's own, except in tests. */
export interface Console {
  /** One line of results. */
  readonly out: (line: string) => void;
  /** Bytes of results, as they are; resolves when there is room for more. */
  readonly outBytes: (bytes: Uint8Array) => Promise<void>;
  /** One line for people: problems, progress, the log. */
  readonly err: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const processConsole: Console = {
  out: (line) => process.stdout.write(`${line}\n`),
  outBytes: async (bytes) => {
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
  },
  err: (line) => process.stderr.write(`${line}\n`),
  env: process.env,
};

/** Ends the program quietly when the reader of its output has gone away, as `head` does. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(exitCodes.done);
      throw error;
    });
  }
}

/** Adds the commands of one program. A command sets `done` to its exit code when that is not 0. */
export type Commands = (parser: Argv, done: (code: ExitCode) => void) => Argv;

/**
 * Reads the arguments and carries the command out.
 * @param repeatable the options and positionals that may be given several times, in camelCase
 * @returns the exit code. Nothing is thrown: a planned failure, and one of the system's, is one line on stderr; a fault
 *   of ours shows its stack, because the person has to report it.
 */
export async function runProgram(
  name: string,
  args: readonly string[],
  console: Console,
  repeatable: readonly string[],
  commands: Commands,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const parser = yargs(args.map(kebabNegation))
    .parserConfiguration({
      // Otherwise `--exclude GLOB PATH` takes the path for a second glob.
      'greedy-arrays': false,
      'dot-notation': false,
      'parse-positional-numbers': false,
    })
    .scriptName(name)
    .version(version)
    .help()
    .alias('help', 'h')
    // One value for each time an option is given, so that what follows it stays what it is: `--exclude '*.o' src`.
    .parserConfiguration({ 'greedy-arrays': false })
    .strict()
    .recommendCommands()
    .wrap(Math.min(110, process.stdout.columns || 110))
    .exitProcess(false)
    .check((argv) => refuseRepeats(argv, repeatable))
    .fail((message, error) => {
      // Without an error of its own it is what yargs has to say of the arguments.
      throw (error as Error | undefined) ?? new PeerStoreError('USAGE', `${message} (see ${name} --help)`);
    });
  try {
    await commands(parser, (set) => {
      code = set;
    }).parseAsync();
    return code;
  } catch (error) {
    if (error instanceof PeerStoreError) {
      console.err(`${name}: ${oneLine(error.message)}`);
      return exitCodeOf(error.code);
    }
    if (error instanceof Error && error.name === 'YError') {
      console.err(`${name}: ${oneLine(error.message)} (see ${name} --help)`);
      return exitCodes.usage;
    }
    const system = systemCode(error);
    if (system !== undefined && /^E[A-Z0-9]+$/.test(system)) {
      console.err(`${name}: the system refused: ${oneLine(messageOf(error))}`);
      return system === 'ENOSPC' || system === 'EDQUOT' ? exitCodes.noSpace : exitCodes.unplanned;
    }
    console.err(`${name}: an unexpected failure, which is a fault of this program; please report it:`);
    console.err(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
    return exitCodes.unplanned;
  }
}

/** yargs knows `--no-progress` as the negation of `--progress`, but not its camelCase spelling. */
function kebabNegation(arg: string, at: number, args: readonly string[]): string {
  const match = /^--no([A-Z]\w*)$/.exec(arg);
  if (match?.[1] === undefined || args.slice(0, at).includes('--')) return arg;
  return `--no${kebab(match[1])}`;
}

/** Two values where one is meant: taking either would be a guess. */
function refuseRepeats(argv: Readonly<Record<string, unknown>>, repeatable: readonly string[]): true {
  for (const [option, value] of Object.entries(argv)) {
    const isAllowed = option === '_' || option.includes('-') || repeatable.includes(option);
    if (!Array.isArray(value) || isAllowed) continue;
    throw new PeerStoreError('USAGE', `--${kebab(option)} is given ${value.length} times; give it once`);
  }
  return true;
}

function kebab(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function oneLine(message: string): string {
  return message.replace(/\s*\n\s*/g, '; ');
}
