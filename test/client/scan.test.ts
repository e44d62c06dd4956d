import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import type { FileInfo, FileSystem } from '../../src/base/filesystem.js';
import { limits } from '../../src/base/limits.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import type { Problem } from '../../src/client/problem.js';
import { scan, type ScanEvent, type ScanOptions } from '../../src/client/scan.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

interface Result {
  readonly events: ScanEvent[];
  readonly problems: Problem[];
  /** `kind path`, without leaves and without what only leads to `base`; paths relative to `base`. */
  readonly shown: (base: string) => string[];
}

async function collect(paths: readonly string[], options: Partial<ScanOptions> = {}): Promise<Result> {
  const events: ScanEvent[] = [];
  const problems: Problem[] = [];
  const report = (found: Problem): void => void problems.push(found);
  const all = { fileSystem: nodeFileSystem, cwd: utf8('/'), report, ...options };
  for await (const event of scan(paths.map(utf8), all)) events.push(event);
  const shown = (base: string): string[] =>
    events
      .filter((event) => event.kind !== 'leave' && text(event.path).startsWith(`${base}/`))
      .map((event) => `${event.kind} ${text(event.path).slice(base.length + 1)}`);
  return { events, problems, shown };
}

async function usageError(paths: readonly string[], options: Partial<ScanOptions> = {}): Promise<string> {
  try {
    await collect(paths, options);
  } catch (error) {
    expect(hasCode(error, 'USAGE'), String(error)).to.equal(true);
    return String(error);
  }
  throw new Error('the scan did not fail');
}

describe('scan', () => {
  const temporary = temporaryDirectory();
  const make = (...files: string[]): string => {
    for (const file of files) {
      const path = join(temporary(), file);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, file);
    }
    return temporary();
  };

  it('enters from the root down and leaves in reverse, with names in the order of their bytes', async () => {
    const base = make('b/z', 'b/ä', 'b/Z', 'a-b', 'a/x', 'a.b');
    const { events, shown, problems } = await collect([base]);
    expect(shown(base)).to.deep.equal([
      'enter a',
      'file a/x',
      'file a-b',
      'file a.b',
      'enter b',
      'file b/Z',
      'file b/z',
      'file b/ä',
    ]);
    expect(problems).to.deep.equal([]);
    const open: string[] = [];
    for (const event of events) {
      if (event.kind === 'enter') open.push(text(event.path));
      if (event.kind === 'leave') expect(text(event.path)).to.equal(open.pop());
    }
    expect(open).to.deep.equal([]);
    expect(text(events[0]!.path)).to.equal('/');
    expect(text(events.at(-1)!.path)).to.equal('/');
  });

  it('records the directories that lead to a given path with only what leads there', async () => {
    const base = make('a/b/file', 'a/b/other', 'a/beside', 'beside');
    const { shown, events } = await collect([`${base}/a/b/file`]);
    expect(shown(base)).to.deep.equal(['enter a', 'enter a/b', 'file a/b/file']);
    const a = events.find((event) => text(event.path) === `${base}/a`)!;
    expect(a.info.ino).to.equal((await nodeFileSystem.lstat(utf8(`${base}/a`))).ino);
  });

  for (const [rule, given, expected] of [
    ['covers a path nested in another', ['a', 'a/b'], ['enter a', 'enter a/b', 'file a/b/f', 'file a/g']],
    ['takes the same path once', ['a/g', 'a/g', 'a//./g'], ['enter a', 'file a/g']],
    ['takes several paths in one tree', ['c', 'a/g'], ['enter a', 'file a/g', 'enter c', 'file c/f']],
    ['takes relative paths from the cwd', ['./c/../a/g'], ['enter a', 'file a/g']],
    ['records a given link as a link', ['link'], ['symlink link']],
    ['follows a link that only leads to a path', ['link/g'], ['enter link', 'file link/g']],
    ['takes a trailing slash', ['c/'], ['enter c', 'file c/f']],
  ] as const) {
    it(rule, async () => {
      const base = make('a/b/f', 'a/g', 'c/f');
      symlinkSync('a', join(base, 'link'));
      const { shown, problems } = await collect(given, { cwd: utf8(base) });
      expect(shown(base)).to.deep.equal(expected);
      expect(problems).to.deep.equal([]);
    });
  }

  it('takes the root itself', async () => {
    const { events } = await collect(['/'], { exclude: () => true });
    expect(events.map(({ kind, path }) => `${kind} ${text(path)}`)).to.deep.equal(['enter /', 'leave /']);
  });

  it('refuses before anything is read what is not there, empty, or hidden behind a recorded link', async () => {
    const base = make('a/f', 'elsewhere/f');
    symlinkSync('../elsewhere', join(base, 'a/link'));
    const untouched: FileSystem = {
      ...nodeFileSystem,
      readDirectory: () => Promise.reject(new Error('a directory was read')),
    };
    const options = { cwd: utf8(base), fileSystem: untouched };
    expect(await usageError(['a', 'missing'], options)).to.contain(`${base}/missing`);
    expect(await usageError(['a/f/below'], options)).to.contain(`${base}/a/f/below`);
    expect(await usageError([''], options)).to.contain('is not a path');
    expect(await usageError([], options)).to.contain('at least one path');
    expect(await usageError(['a', 'a/link/f'], options)).to.contain(`${base}/a/link is a symbolic link`);
    expect(await usageError(['a/link', 'a/link/f'], options)).to.contain('symbolic link');
  });

  it('leaves out what is excluded with all that is in it, but never a given path', async () => {
    const base = make('a/skip/f', 'a/skip/keep/f', 'a/f.tmp', 'a/f', 'a/given.tmp');
    const asked: string[] = [];
    const { shown } = await collect([`${base}/a`, `${base}/a/skip/keep`, `${base}/a/given.tmp`], {
      exclude: (path, isDirectory) => {
        asked.push(`${text(path).slice(base.length + 1)}${isDirectory ? '/' : ''}`);
        return /skip|tmp$/.test(text(path).slice(base.length));
      },
    });
    expect(shown(base)).to.deep.equal([
      'enter a',
      'file a/f',
      'file a/given.tmp',
      'enter a/skip',
      'enter a/skip/keep',
    ]);
    expect(asked).to.include.members(['a/f', 'a/f.tmp', 'a/skip/']);
    expect(asked).to.not.include.any.members(['a/', 'a/given.tmp', 'a/skip/keep/']);
  });

  it('reports what cannot be read or vanishes, and goes on', async () => {
    const base = make('a/1', 'a/2', 'a/3', 'locked/f', 'swapped/f', 'z');
    symlinkSync('gone', join(base, 'a/link'));
    const failWith = (code: string): never => {
      throw Object.assign(new Error(code), { code });
    };
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      lstat: (path) => (text(path).endsWith('a/3') ? failWith('EIO') : nodeFileSystem.lstat(path)),
      readLink: () => failWith('ENOENT'),
      readDirectory: async (path) => {
        if (text(path).endsWith('locked')) failWith('EACCES');
        const names = await nodeFileSystem.readDirectory(path);
        if (text(path).endsWith('/a')) rmSync(join(base, 'a/2'));
        if (text(path) === base) {
          rmSync(join(base, 'swapped'), { recursive: true });
          symlinkSync('/etc', join(base, 'swapped'));
        }
        return names;
      },
    };
    const { shown, problems } = await collect([base], { fileSystem });
    expect(shown(base)).to.deep.equal(['enter a', 'file a/1', 'file z']);
    expect(problems.map(({ kind, path }) => `${kind} ${text(path).slice(base.length + 1)}`)).to.deep.equal([
      'vanished a/2',
      'unreadable a/3',
      'vanished a/link',
      'unreadable locked',
      'vanished swapped',
    ]);
    expect(problems[3]!.message).to.contain('permission denied');
  });

  it('reports the path that is too long for the system, and keeps all above it', async () => {
    // Relative steps reach depths that no path can name.
    const dig = `for (let level = 0; level < 5000; level += 1) {
      require('node:fs').mkdirSync('d');
      process.chdir('d');
    }`;
    execFileSync(process.execPath, ['-e', dig], { cwd: temporary() });
    const { events, problems } = await collect([temporary()]);
    expect(problems.map(({ kind }) => kind)).to.deep.equal(['unreadable']);
    expect(problems[0]!.message).to.contain('ENAMETOOLONG');
    const entered = events.filter(({ kind }) => kind === 'enter').length;
    expect(entered).to.equal(events.filter(({ kind }) => kind === 'leave').length);
    expect(entered).to.be.greaterThan(400);
  });

  it('looks up a bounded number of names at a time in a directory of 100,000', async () => {
    const info = await nodeFileSystem.lstat(utf8('/'));
    const file: FileInfo = { ...info, type: 'file' };
    let atOnce = 0;
    let most = 0;
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      lstat: async (path) => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await Promise.resolve();
        atOnce -= 1;
        return path.length === 1 ? info : file;
      },
      readDirectory: () => Promise.resolve(Array.from({ length: 100_000 }, (_, at) => utf8(`${at}`))),
    };
    let files = 0;
    for await (const event of scan([utf8('/')], { fileSystem, cwd: utf8('/'), report: () => undefined })) {
      if (event.kind === 'file') files += 1;
    }
    expect(files).to.equal(100_000);
    expect(most).to.equal(limits.scanLookupsAtOnce);
  });

  it('stops when it is cancelled', async () => {
    const base = make('a/1');
    const controller = new AbortController();
    const events = scan([utf8(base)], {
      fileSystem: nodeFileSystem,
      cwd: utf8('/'),
      report: () => undefined,
      signal: controller.signal,
    });
    await events.next();
    controller.abort();
    try {
      await events.next();
      expect.fail('the scan went on');
    } catch (error) {
      expect(hasCode(error, 'CANCELLED'), String(error)).to.equal(true);
    }
  });
});
