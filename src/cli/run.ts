/** What both programs have in common: errors become one clear line and an exit code, here and nowhere else. */
import yargs, { type Argv } from 'yargs';

import { messageOf, PeerStoreError } from '../base/errors.js';
import { version } from '../base/version.js';
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.js';

/** Where a program reads and writes: the process's own, except in tests. */
export interface Console {
  /** One line of results. */
  readonly out: (line: string) => void;
  /** One line for people: problems, progress, the log. */
  readonly err: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const processConsole: Console = {
  out: (line) => process.stdout.write(`${line}\n`),
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
 * @returns the exit code. Nothing is thrown: a planned failure is one line on stderr; a fault of ours shows its stack,
 *   because the person has to report it.
 */
export async function runProgram(
  name: string,
  args: readonly string[],
  console: Console,
  commands: Commands,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const parser = yargs([...args])
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
      console.err(`${name}: ${error.message}`);
      return exitCodeOf(error.code);
    }
    if (error instanceof Error && error.name === 'YError') {
      console.err(`${name}: ${error.message} (see ${name} --help)`);
      return exitCodes.usage;
    }
    console.err(`${name}: an unexpected failure, which is a fault of this program; please report it:`);
    console.err(error instanceof Error ? (error.stack ?? error.message) : messageOf(error));
    return exitCodes.unplanned;
  }
}
