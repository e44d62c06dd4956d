import { expect } from 'chai';

import { type ErrorCode, errorCodes, PeerStoreError } from '../../src/base/errors.js';
import { runClient } from '../../src/cli/client.js';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { runProgram } from '../../src/cli/run.js';
import { runServer } from '../../src/cli/server.js';
import { fakeConsole } from './fake-console.js';

/** A program whose one command does this. */
async function run(action: () => void): Promise<{ code: number; err: string[]; out: string[] }> {
  const console = fakeConsole();
  const code = await runProgram('prog', ['do'], console, [], (parser) =>
    parser.command('do', 'does it', {}, action),
  );
  return { code, err: console.errLines, out: console.outLines };
}

describe('from errors to exit codes', () => {
  const table: Readonly<Record<ErrorCode, number>> = {
    USAGE: 2,
    UNREACHABLE: 4,
    TIMEOUT: 4,
    CANCELLED: 130,
    NOT_ADMITTED: 5,
    FORBIDDEN: 5,
    NOT_FOUND: 6,
    MISSING: 7,
    DAMAGED: 7,
    CONFLICT: 8,
    BUSY: 8,
    NO_SPACE: 9,
    TOO_FEW_COPIES: 4,
    NOT_RESPONSIBLE: 8,
    UNSETTLED: 8,
    PROTOCOL: 1,
    IN_USE: 8,
    IO: 1,
    INTERNAL: 1,
  };

  it('every code of ours has its place in the table', () => {
    for (const code of Object.keys(errorCodes) as ErrorCode[])
      expect(exitCodeOf(code), code).to.equal(table[code]);
  });

  it('a planned failure is one line on stderr and its exit code', async () => {
    const result = await run(() => {
      throw new PeerStoreError('NOT_FOUND', 'there is no\n  such thing');
    });
    expect(result).to.deep.equal({ code: 6, err: ['prog: there is no; such thing'], out: [] });
  });

  it('what the system refuses is one line too, and a full disk has its code', async () => {
    for (const [system, code] of [
      ['EACCES', 1],
      ['ENOSPC', 9],
    ] as const) {
      const result = await run(() => {
        throw Object.assign(new Error(`${system}: open '/x'`), { code: system });
      });
      expect(result).to.deep.equal({
        code,
        err: [`prog: the system refused: ${system}: open '/x'`],
        out: [],
      });
    }
  });

  it('a fault of ours shows where it is', async () => {
    const { code, err } = await run(() => {
      throw new TypeError('x is not a function');
    });
    expect(code).to.equal(1);
    expect(err[0]).to.include('please report it');
    expect(err[1]).to.include('run.test');
  });
});

describe('arguments', () => {
  /** Far enough to know that the arguments were taken: there is no key file. */
  const env = { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' };
  const client = async (...args: string[]): Promise<{ code: number; line: string }> => {
    const console = fakeConsole(env);
    const code = await runClient(args, console);
    expect(console.outLines).to.deep.equal([]);
    expect(console.errLines.length, console.errLines.join('\n')).to.equal(1);
    return { code, line: console.errLines[0]! };
  };

  for (const [what, args, says] of [
    ['no command', [], 'say what to do'],
    ['an unknown command', ['frobnicate'], 'frobnicate'],
    ['a command that is nearly one', ['bakup', 'x'], 'backup'],
    ['an unknown option', ['backup', 'x', '--bogus'], 'bogus'],
    ['an unknown short option', ['backup', 'x', '-q'], 'q'],
    ['an option without its value', ['backup', 'x', '--tag'], 'tag'],
    ['one value twice', ['getfile', '--filename', 'a', '--filename', 'b', '--filedest', '-'], '--filename'],
    ['a value that is none of the choices', ['restore', '--target', 'x', '--overwrite', 'maybe'], 'maybe'],
    ['a missing option', ['restore'], 'target'],
    ['an argument too many', ['ls', 'a', 'b'], 'b'],
    ['a positional that a command does not take', ['snapshots', 'x'], 'x'],
    ['nothing to back up', ['backup'], 'backup PATH'],
    ['an empty glob', ['backup', 'x', '--exclude', ''], 'glob'],
    ['an exclude file that is not there', ['backup', 'x', '--exclude-file', '/no/such'], '/no/such'],
    ['a rate that is none', ['ls', '--limit-upload', 'fast'], '--limit-upload'],
    ['a rate of nothing', ['ls', '--limitDownload', '0'], '--limit-download'],
    ['a snapshot with an empty path', ['ls', 'latest:'], 'colon'],
    ['a directory for a file', ['getfile', '--filename', 'a', '--filedest', '/tmp'], 'directory'],
    ['a device for a file', ['getfile', '--filename', 'a', '--filedest', '/dev/null'], 'device'],
    ['an init without an invite', ['init'], 'invite'],
    ['no key file', ['snapshots'], 'key file'],
  ] as const) {
    it(`${what}: one line that says so, and 2`, async () => {
      const { code, line } = await client(...args);
      expect(code, line).to.equal(2);
      expect(line).to.include(says);
      expect(line).to.match(/^peerstore-client: [^\n]*$/);
    });
  }

  it('both spellings of an option work, anywhere, and options do not eat what stands behind their value', async () => {
    for (const args of [
      ['--peer-addr', ':1', 'backup', '/tmp'],
      ['--peerAddr', ':1', 'backup', '/tmp'],
      ['backup', '--exclude', '*.o', '/tmp'],
      ['backup', '--excludeFile', '/dev/null', '--tag', 'a', '--tag', 'b', '/tmp'],
      ['backup', '--local-path', '/tmp', '--noProgress', '--dryRun'],
      ['backup', '--localPath', '/tmp', '--no-progress', '--limitUpload', '2M'],
      ['backup', '--', '/tmp'],
      ['--selfKeyFile', '/nonexistent/key', 'snapshots', '--json', '--quiet'],
      ['restore', 'latest:x', '--target', '/tmp/x', '--include', 'a', '--overwrite', 'if-changed'],
      ['getfile', '--filename', 'a', '--filedest', '-', '--snapshot', '1e5'],
      ['check', '--readData'],
      ['ls', '0123'],
    ]) {
      const { code, line } = await client(...args);
      expect(line, args.join(' ')).to.include('there is no key file');
      expect(code).to.equal(2);
    }
  });

  it('the server takes both spellings too, and refuses as the client does', async () => {
    for (const [args, says] of [
      [['--addr', ':0'], 'data-path'],
      [['--dataPath', '/x'], 'addr'],
      [['--addr', ':0', '--addr', ':1', '--data-path', '/x'], '--addr'],
      [['--addr', ':0', '--dataPath', '/x', '--requestNumWorkers', '0'], '--request-num-workers'],
      [['--addr', ':0', '--dataPath', '/x', '--request-queue-buffer', 'x'], '--request-queue-buffer'],
      [['--addr', 'nonsense', '--data-path', '/nonexistent/x'], 'nonsense'],
      [['--addr', ':0', '--data-path', '/dev/null/x'], '/dev/null/x'],
      [['invite', '--data-path', '/x'], '--peer or --user'],
      [['invite', '--data-path', '/x', '--peer', '--user', 'a'], 'peer'],
      [['invite', '--data-path', '/x', '--peer', '--expires', 'soon'], '--expires'],
      [['frob'], 'addr'],
    ] as const) {
      const console = fakeConsole();
      const code = await runServer(args, console);
      expect(console.errLines.length, args.join(' ')).to.equal(1);
      expect(console.errLines[0], args.join(' ')).to.include(says);
      expect(code, args.join(' ')).to.equal(2);
    }
  });
});
