/** The commands of the client against a real peer: one process of its own, everything else in this one. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { runClient } from '../../src/cli/client.js';
import { publicKeyToPem, SigningKey } from '../../src/identity/keys.js';
import { askAdmin } from '../../src/node/admin.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { fakeConsole } from './fake-console.js';

const root = resolve(import.meta.dirname, '../../..');

interface Result {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
  readonly bytes: Buffer;
}

describe('the client and a real peer', function () {
  this.timeout(300_000);
  let base = '';
  let server: ChildProcess;
  let address = '';

  before(async () => {
    base = mkdtempSync(join(realpathSync(tmpdir()), 'peerstore-cli-'));
    server = spawn(
      process.execPath,
      [join(root, 'bin/peerstore-server'), '--addr', '127.0.0.1:0', '--data-path', join(base, 'peer')],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    address = await new Promise<string>((done, failed) => {
      let text = '';
      server.stdout!.on('data', (piece: Buffer) => {
        text += piece.toString();
        const match = /^ready (\S+) [0-9a-f]{64}$/m.exec(text);
        if (match?.[1] !== undefined) done(match[1]);
      });
      server.once('exit', (code) => failed(new Error(`the peer ended with ${code}`)));
    });
  });
  after(async () => {
    const ended = new Promise((done) => server.once('exit', done));
    if (server.exitCode === null && server.kill()) await ended;
    rmSync(base, { recursive: true, force: true });
  });

  const invite = async (user: string, expiresMs = 600_000): Promise<string> =>
    String(await askAdmin(join(base, 'peer'), 'invite', { user, expiresMs }));
  const homeOf = (user: string): string => join(base, `home of ${user}`);

  /** Runs a command as a user of this machine. */
  async function client(
    user: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Result> {
    const console = fakeConsole({ HOME: homeOf(user), ...env });
    const code = await runClient(args, console);
    return { code, out: console.outLines, err: console.errLines, bytes: Buffer.concat(console.bytes) };
  }

  async function made(user: string): Promise<string> {
    const { code, out, err } = await client(user, ['init'], { PEERSTORE_INVITE: await invite(user) });
    expect(code, err.join('\n')).to.equal(0);
    return out.join('\n');
  }
  const keyFileOf = (user: string): string => join(homeOf(user), '.config/peerstore/user.key');

  function makeSource(name: string): string {
    const source = join(base, name);
    mkdirSync(join(source, 'in'), { recursive: true });
    writeFileSync(join(source, 'file'), 'content');
    writeFileSync(Buffer.concat([Buffer.from(`${source}/in/`), Buffer.from([0xff, 0x6e])]), 'not UTF-8');
    symlinkSync('file', join(source, 'link'));
    return source;
  }

  describe('init', () => {
    it('makes a private key file, and prints the phrase and nothing else on stdout', async () => {
      const phrase = await made('ann');
      expect(phrase.split(' ').length).to.equal(24);
      expect(statSync(keyFileOf('ann')).mode & 0o777).to.equal(0o600);
      expect((await client('ann', ['snapshots'])).code).to.equal(0);
    });

    it('twice with one invite is the same user, and with a new invite too', async () => {
      const text = await invite('bob');
      const first = await client('bob', ['init', '--invite', text]);
      const key = readFileSync(keyFileOf('bob'), 'utf8');
      const second = await client('bob', ['init', '--invite', text]);
      expect([first.code, second.code]).to.deep.equal([0, 0]);
      expect(second.out).to.deep.equal(first.out);
      expect((await client('bob', ['init', '--invite', await invite('bob')])).code).to.equal(0);
      expect(JSON.parse(readFileSync(keyFileOf('bob'), 'utf8'))).to.include({
        secrets: (JSON.parse(key) as { secrets: string }).secrets,
      });
    });

    it('cut off between key file and enrolling is finished by the same command', async () => {
      const text = await invite('cleo');
      const wrong = join(base, 'wrong.pem');
      writeFileSync(wrong, publicKeyToPem(SigningKey.generate(seededRandom(1)).publicKey));
      const args = ['init', '--invite', text, '--peer-addr', address];
      const cut = await client('cleo', [...args, '--peer-key-file', wrong]);
      expect(cut.code, cut.err.join()).to.equal(5);
      expect(existsSync(keyFileOf('cleo'))).to.equal(true);
      expect((await client('cleo', ['snapshots'])).code, 'before it is admitted').to.equal(5);
      const right = join(base, 'peer/publickey.pem');
      const again = await client('cleo', [...args, '--peer-key-file', right]);
      expect(again.code, again.err.join()).to.equal(0);
      expect(again.out[0]!.split(' ').length).to.equal(24);
    });

    it('--recover is the same user on another machine: each lists the snapshots of both', async () => {
      const phrase = await made('dora');
      const source = makeSource('source of dora');
      expect((await client('dora', ['backup', source])).code).to.equal(0);
      const phraseFile = join(base, 'phrase');
      // As a person writes it down: in lines.
      writeFileSync(
        phraseFile,
        phrase
          .split(' ')
          .map((word, at) => (at % 6 === 5 ? `${word}\n` : word))
          .join(' '),
      );
      const recover = ['init', '--recover', '--phrase-file', phraseFile, '--invite', await invite('dora')];
      const recovered = await client('dora elsewhere', recover);
      expect(recovered.code, recovered.err.join()).to.equal(0);
      expect(recovered.out, 'the phrase is not shown again').to.deep.equal([]);
      expect((await client('dora elsewhere', ['backup', source])).code).to.equal(0);
      for (const machine of ['dora', 'dora elsewhere']) {
        expect((await client(machine, ['snapshots', '--json'])).out.length, machine).to.equal(2);
      }
      writeFileSync(phraseFile, phrase.split(' ').slice(1).join(' '));
      expect((await client('dora again', recover)).code, 'a phrase cut short').to.equal(5);
    });

    it('takes a passphrase from a file, and the key file then needs it', async () => {
      const file = join(base, 'passphrase');
      writeFileSync(file, 'open sesame\nnot this line\n');
      const args = ['init', '--invite', await invite('eve'), '--passphrase-file', file];
      expect((await client('eve', args)).code).to.equal(0);
      expect((await client('eve', ['snapshots'])).code, 'without').to.equal(5);
      expect((await client('eve', ['snapshots'], { PEERSTORE_PASSPHRASE: 'wrong' })).code).to.equal(5);
      expect((await client('eve', ['snapshots'], { PEERSTORE_PASSPHRASE: 'open sesame' })).code).to.equal(0);
      expect((await client('eve', ['snapshots', '--passphraseFile', file])).code).to.equal(0);
      writeFileSync(file, '');
      expect((await client('eve', ['snapshots', '--passphrase-file', file])).code, 'empty').to.equal(2);
    });

    for (const [what, text, code] of [
      ['garbage', () => Promise.resolve('garbage'), 5],
      [
        "a peer's invite",
        async () => String(await askAdmin(join(base, 'peer'), 'invite', { expiresMs: 60_000 })),
        5,
      ],
      ['an invite that expired', () => invite('late', 500), 5],
    ] as const) {
      it(`is refused with ${what}, in one line`, async () => {
        const given = await text();
        if (what === 'an invite that expired') await new Promise((done) => setTimeout(done, 600));
        const { code: got, err } = await client('refused', ['init', '--invite', given]);
        expect(got, err.join('\n')).to.equal(code);
        expect(err.length).to.equal(1);
      });
    }

    it('a spent invite admits nobody else, and a key file of another user is not replaced', async () => {
      const text = await invite('fay');
      expect((await client('fay', ['init', '--invite', text])).code).to.equal(0);
      expect((await client('thief', ['init', '--invite', text])).code).to.equal(5);
      expect((await client('fay', ['init', '--invite', await invite('gus')])).code).to.equal(8);
    });

    it('a key file that others may read is refused', async () => {
      await made('hal');
      for (const mode of [0o640, 0o604, 0o620]) {
        chmodSync(keyFileOf('hal'), mode);
        const { code, err } = await client('hal', ['snapshots']);
        expect(code, mode.toString(8)).to.equal(5);
        expect(err.join()).to.include('chmod 600');
      }
    });
  });

  describe('backup, ls, getfile, restore, check, status', () => {
    let source = '';
    const target = (name: string): string => join(base, 'targets', name);

    before(async () => {
      mkdirSync(join(base, 'targets'));
      await made('zoe');
      source = makeSource('source');
      expect(
        (await client('zoe', ['backup', source, '--tag', 'a', '--tag', 'b', '--quiet'])).out,
      ).to.deep.equal([]);
    });

    it('backup says what it did; with --json the last line is the summary that scripts read', async () => {
      const { code, out, err } = await client('zoe', ['backup', source, '--json']);
      expect([code, err]).to.deep.equal([0, []]);
      const summary = JSON.parse(out.at(-1)!) as Record<string, unknown>;
      expect(summary).to.include({ files: 3, bytes: 16, newBytes: 0, errors: 0 });
      expect(summary).to.include.all.keys('snapshot', 'dirs', 'storedBytes', 'seconds');
      const listed = (await client('zoe', ['snapshots', '--json'])).out.map(
        (line) => JSON.parse(line) as Record<string, unknown>,
      );
      expect(listed[0]).to.deep.include({ paths: [source], tags: ['a', 'b'], bytes: 16 });
      expect(listed.at(-1)!['id']).to.equal(summary['snapshot']);
      expect(listed[0]).to.include.all.keys('id', 'time', 'host');
    });

    it('backup reports what it leaves out, goes on, and exits with 3', async () => {
      await made('xeno');
      const odd = join(base, 'with a fifo');
      mkdirSync(odd);
      writeFileSync(join(odd, 'file'), 'x');
      execFileSync('mkfifo', [join(odd, 'fifo')]);
      const result = await client('xeno', ['backup', odd]);
      expect(result.code).to.equal(3);
      expect(result.err.join('\n')).to.include('fifo');
      expect((await client('xeno', ['backup', odd, '--exclude', 'fifo'])).code).to.equal(0);
      const list = join(base, 'exclude list');
      writeFileSync(list, '# a comment\n\nfif?\n');
      expect((await client('xeno', ['backup', odd, '--exclude-file', list])).code).to.equal(0);
    });

    it('a dry run adds no snapshot', async () => {
      const before = (await client('zoe', ['snapshots'])).out.length;
      expect((await client('zoe', ['backup', source, '--dry-run'])).out[0]).to.include('dry run');
      expect((await client('zoe', ['snapshots'])).out.length).to.equal(before);
    });

    it('ls lists the latest, a snapshot, a path and a file of it, and says 6 to what is not there', async () => {
      const { out } = await client('zoe', ['ls', `latest:${source}`]);
      expect(out.map((line) => line.split(/\s+\d{4}-\d\d-\d\d \d\d:\d\d\s+/)[1])).to.deep.equal([
        `${source}/file`,
        `${source}/in`,
        `${source}/in/\\xffn`,
        `${source}/link -> file`,
      ]);
      const json = (await client('zoe', ['ls', `:${source}/file`, '--json'])).out;
      expect(JSON.parse(json[0]!)).to.include({ path: `${source}/file`, type: 'file', size: 7 });
      expect((await client('zoe', ['ls', `latest:${source}/no`])).code).to.equal(6);
      expect((await client('zoe', ['ls', 'feed'])).code).to.equal(6);
    });

    it('getfile gives the bytes on stdout, or a file, also by a spelled name', async () => {
      const onStdout = await client('zoe', ['getfile', '--filename', `${source}/file`, '--filedest', '-']);
      expect([onStdout.code, onStdout.bytes.toString(), onStdout.out]).to.deep.equal([0, 'content', []]);
      const relative = join('.', 'x', '..', source.slice(1));
      const spelled = ['getfile', '--filename', `${source}/in/\\xffn`, '--filedest', target('spelled')];
      expect((await client('zoe', spelled)).code).to.equal(0);
      expect(readFileSync(target('spelled'), 'utf8')).to.equal('not UTF-8');
      const cwd = process.cwd();
      try {
        process.chdir('/');
        const fromRoot = ['getfile', '--filename', `${relative}/file`, '--filedest', '-'];
        expect((await client('zoe', fromRoot)).bytes.toString()).to.equal('content');
      } finally {
        process.chdir(cwd);
      }
      for (const [name, code] of [
        ['no', 6],
        ['in', 6],
        ['link', 6],
      ] as const) {
        const { code: got } = await client('zoe', [
          'getfile',
          '--filename',
          `${source}/${name}`,
          '--filedest',
          '-',
        ]);
        expect(got, name).to.equal(code);
      }
      const nowhere = ['getfile', '--filename', `${source}/file`, '--filedest', target('none/x/file')];
      expect((await client('zoe', nowhere)).code).to.equal(2);
    });

    it('restore gives a tree, and a file, back; what is wrong has its code', async () => {
      const whole = await client('zoe', [
        'restore',
        `latest:${source}`,
        '--target',
        target('whole'),
        '--json',
      ]);
      expect(whole.code, whole.err.join()).to.equal(0);
      expect(await compareTrees(source, target('whole'))).to.deep.equal([]);
      expect(JSON.parse(whole.out.at(-1)!)).to.include({ files: 3, errors: 0 });
      const one = await client('zoe', ['restore', `latest:${source}/file`, '--target', target('one')]);
      expect([one.code, readFileSync(join(target('one'), 'file'), 'utf8')]).to.deep.equal([0, 'content']);
      const some = ['restore', `latest:${source}`, '--target', target('some'), '--include', 'f*'];
      expect((await client('zoe', some)).code).to.equal(0);
      expect([
        existsSync(join(target('some'), 'file')),
        existsSync(join(target('some'), 'link')),
      ]).to.deep.equal([true, false]);
      expect((await client('zoe', ['restore', 'feed', '--target', target('x')])).code).to.equal(6);
      expect((await client('zoe', ['restore', '--target', `${source}/file`])).code).to.equal(2);
      mkdirSync(join(target('blocked'), 'file/in the way'), { recursive: true });
      const blocked = await client('zoe', ['restore', `latest:${source}`, '--target', target('blocked')]);
      expect(blocked.code).to.equal(3);
      expect(blocked.err.join()).to.include('file');
    });

    it('check says that everything is there; status what the ring is', async () => {
      const checked = await client('zoe', ['check', '--read-data', '--json']);
      expect(checked.code).to.equal(0);
      expect(JSON.parse(checked.out.at(-1)!)).to.include({ findings: 0, missingBlocks: 0 });
      const status = JSON.parse((await client('zoe', ['status', '--json'])).out[0]!) as Record<
        string,
        unknown
      >;
      expect(status).to.include.all.keys('peers', 'keysShort', 'usedBytes', 'quotaBytes', 'replicas');
      expect(status['peers']).to.have.length(1);
    });

    it('two backups at once, with one cache, both work', async () => {
      const before = (await client('zoe', ['snapshots'])).out.length;
      const both = await Promise.all([client('zoe', ['backup', source]), client('zoe', ['backup', source])]);
      expect(both.map(({ code }) => code)).to.deep.equal([0, 0]);
      expect(both.flatMap(({ err }) => err)).to.deep.equal([]);
      expect((await client('zoe', ['snapshots'])).out.length).to.equal(before + 2);
    });

    it('rates slow it down and change nothing', async () => {
      const args = ['backup', source, '--limit-upload', '1M', '--limit-download', '1M'];
      expect((await client('zoe', args)).code).to.equal(0);
    });

    it('data that is gone from the peer is named, with 7, by check, restore and getfile', async () => {
      const lost = join(base, 'lost');
      mkdirSync(lost);
      await made('yan');
      // In a backup of its own, so that it shares no pack with the end of the large file.
      writeFileSync(join(lost, 'small'), 'small');
      expect((await client('yan', ['backup', lost])).code).to.equal(0);
      const before = new Set(blockFiles());
      writeFileSync(join(lost, 'large'), seededRandom(1).bytes(2_000_000));
      expect((await client('yan', ['backup', lost])).code).to.equal(0);
      const added = blockFiles().filter((path) => !before.has(path));
      // Wherever the user's secret cuts it, the largest of the new blocks is of the large file; trees are smaller.
      const [largest] = added.sort((a, b) => statSync(b).size - statSync(a).size);
      unlinkSync(largest!);
      const checked = await client('yan', ['check']);
      expect(checked.code, checked.err.join('\n')).to.equal(7);
      expect(checked.err.join('\n')).to.include(`${lost}/large`).and.not.include('/small');
      const restored = await client('yan', ['restore', `latest:${lost}`, '--target', target('lost')]);
      expect(restored.code).to.equal(7);
      expect(readFileSync(join(target('lost'), 'small'), 'utf8')).to.equal('small');
      const got = ['getfile', '--filename', `${lost}/large`, '--filedest', target('large')];
      expect((await client('yan', got)).code).to.equal(7);
      expect(existsSync(target('large'))).to.equal(false);
    });

    /** The peer's block files. */
    function blockFiles(): string[] {
      const paths: string[] = [];
      const todo = [join(base, 'peer')];
      for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
        for (const entry of readdirSync(at, { withFileTypes: true })) {
          if (entry.isDirectory()) todo.push(join(at, entry.name));
          else if (/^[0-9a-f]{64}$/.test(entry.name) && at.includes('block'))
            paths.push(join(at, entry.name));
        }
      }
      return paths;
    }
  });
});
