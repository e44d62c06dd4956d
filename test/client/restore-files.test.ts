import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { hasCode, PeerStoreError } from '../../src/base/errors.js';
import type { FileSystem } from '../../src/base/filesystem.js';
import { limits } from '../../src/base/limits.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import type { RestoreEvent, RestoreOptions } from '../../src/client/restore-files.js';
import {
  common,
  directory,
  directoryOf,
  failure,
  file,
  mtimeNs,
  restoreInto,
  streamOfBytes,
  symlink,
  uid,
} from '../fixtures/restore-events.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

describe('restore', () => {
  const temporary = temporaryDirectory();
  const target = (...names: string[]): string => join(temporary(), 'target', ...names);

  const restore = (
    events: readonly RestoreEvent[],
    options: Partial<RestoreOptions> = {},
  ): ReturnType<typeof restoreInto> => restoreInto(target(), events, options);

  const leftovers = (): string[] =>
    readdirSync(temporary(), { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp'));

  it('fills a read-only directory and gives it its mode and time at the end', async () => {
    await restore(directoryOf(0o555, 'a', ...directoryOf(0o500, 'b', file('f')), file('g', { mode: 0 })));
    for (const [name, mode] of [
      ['a', 0o555],
      ['a/b', 0o500],
      ['a/g', 0],
    ] as const) {
      const info = await nodeFileSystem.lstat(utf8(target(name)));
      expect([info.mode, info.mtimeNs], name).to.deep.equal([mode, mtimeNs]);
    }
    // Again: now the directory that is there is read-only.
    const { problems } = await restore(directoryOf(0o555, 'a', ...directoryOf(0o500, 'b', file('f'))));
    expect(problems).to.deep.equal([]);
  });

  it('gives the target its metadata when it makes it, and leaves a target that exists as it is', async () => {
    await restore([file('a')], { root: common('', 0o750) });
    const made = await nodeFileSystem.lstat(utf8(target()));
    expect([made.mode, made.mtimeNs]).to.deep.equal([0o750, mtimeNs]);
    chmodSync(target(), 0o711);
    await restore([file('b')], { root: common('', 0o750) });
    expect((await nodeFileSystem.lstat(utf8(target()))).mode).to.equal(0o711);
  });

  it('refuses a target that cannot be one', async () => {
    writeFileSync(target(), '');
    const error = await failure(restore([file('a')]));
    expect(error.code).to.equal('USAGE');
    expect(error.message).to.contain(target()).and.to.contain('it is a file');
    const below = await failure(restore([], { target: utf8(target('x/y')) }));
    expect(below.code).to.equal('USAGE');
  });

  it('makes the way to a target that is not there', async () => {
    const { problems } = await restore([file('a')], { target: utf8(target('one/two/three')) });
    expect(problems).to.deep.equal([]);
    expect(existsSync(target('one/two/three/a'))).to.equal(true);
  });

  describe('what is in the way', () => {
    beforeEach(() => {
      mkdirSync(target('full/inside'), { recursive: true });
      mkdirSync(target('empty'));
      writeFileSync(target('file'), 'old');
      symlinkSync('old', target('link'));
    });
    const events = (make: (name: string) => RestoreEvent[]): RestoreEvent[] =>
      ['empty', 'file', 'full', 'link'].flatMap(make);

    it('is replaced by files and links, but for a directory with something in it', async () => {
      expect((await restore(events((name) => [symlink(name, 'new')]))).problems).to.deep.equal([
        'unwritable full',
      ]);
      expect(['empty', 'file', 'link'].map((name) => readlinkSync(target(name)))).to.deep.equal(
        Array(3).fill('new'),
      );
      expect((await restore(events((name) => [file(name)]))).problems).to.deep.equal(['unwritable full']);
      expect(readFileSync(target('empty'), 'utf8')).to.equal('empty');
    });

    it('is replaced by directories, but for a directory, which is filled', async () => {
      expect((await restore(events((name) => directory(name, file('f'))))).problems).to.deep.equal([]);
      expect(readdirSync(target('full')).sort()).to.deep.equal(['f', 'inside']);
      expect(readdirSync(target('link'))).to.deep.equal(['f']);
    });

    it('stays under never, whatever it is, and the rest is restored', async () => {
      const before = lstatSync(target('full')).mtimeMs;
      const { problems, leftAlone, files } = await restore(
        [...directory('empty'), file('file'), ...directory('full'), file('link'), file('new')],
        { overwrite: 'never' },
      );
      expect({ problems, leftAlone, files }).to.deep.equal({ problems: [], leftAlone: 2, files: 1 });
      expect(readFileSync(target('file'), 'utf8')).to.equal('old');
      expect(readlinkSync(target('link'))).to.equal('old');
      expect(lstatSync(target('full')).mtimeMs).to.equal(before);
    });

    it('stays under if-changed when size and time are those of the archive', async () => {
      await restore([file('file'), symlink('link', 'new')]);
      const again = await restore([file('file'), symlink('link', 'new')], { overwrite: 'if-changed' });
      expect(again).to.include({ files: 0, leftAlone: 2 });
      const other = await restore([file('file', { sizeBytes: 5 }), symlink('link', 'newer')], {
        overwrite: 'if-changed',
      });
      expect(other).to.include({ files: 2, leftAlone: 0 });
    });
  });

  describe('hard links', () => {
    const group = { linkGroup: '1:2', sizeBytes: 3 };
    const events = [...directory('a', file('x', group)), file('b', group), file('c', group)];
    const inodes = (): number => new Set(['a/x', 'b', 'c'].map((name) => lstatSync(target(name)).ino)).size;

    it('become one file, whose content is asked for once', async () => {
      expect(await restore(events)).to.include({ files: 3, bytes: 3 });
      expect(inodes()).to.equal(1);
    });

    it('are made again where a file of its own is, and left where they are', async () => {
      mkdirSync(target());
      writeFileSync(target('b'), 'own');
      await restore(events, { overwrite: 'if-changed' });
      expect(inodes()).to.equal(1);
      expect(await restore(events, { overwrite: 'if-changed' })).to.include({ files: 0, leftAlone: 3 });
    });

    it('become copies where the file system makes no links', async () => {
      const fileSystem: FileSystem = {
        ...nodeFileSystem,
        link: () => Promise.reject(Object.assign(new Error('EPERM'), { code: 'EPERM' })),
      };
      const { problems, bytes } = await restore(events, { fileSystem });
      expect({ problems, bytes }).to.deep.equal({ problems: [], bytes: 9 });
      expect(inodes()).to.equal(3);
    });

    it('are never made to a file that was merely kept', async () => {
      mkdirSync(target('a'), { recursive: true });
      writeFileSync(target('a/x'), 'another');
      await restore(events, { overwrite: 'never' });
      expect(readFileSync(target('a/x'), 'utf8')).to.equal('another');
      expect(lstatSync(target('b')).ino).to.equal(lstatSync(target('c')).ino);
      expect(readFileSync(target('c'), 'utf8')).to.equal('bbb');
    });

    it('start from the next name when the first cannot be restored', async () => {
      let asked = 0;
      const { problems } = await restore(events, {
        openContent: async function* () {
          asked += 1;
          await Promise.resolve();
          if (asked === 1) throw new PeerStoreError('DAMAGED', 'a chunk is damaged');
          yield utf8('abc');
        },
      });
      expect(problems).to.deep.equal(['damaged a/x']);
      expect(lstatSync(target('b')).ino).to.equal(lstatSync(target('c')).ino);
    });
  });

  it('restores what is included, with the directories that lead there', async () => {
    const { directories } = await restore(
      [
        ...directoryOf(0o700, 'a', ...directory('b', file('x.txt'), file('y')), ...directory('c', file('z'))),
        ...directory('whole', ...directory('d', file('any'))),
      ],
      { include: (path) => /(\.txt|^whole)$/.test(Buffer.from(path).toString()) },
    );
    expect(readdirSync(target(), { recursive: true }).sort()).to.deep.equal(
      ['a', 'a/b', 'a/b/x.txt', 'whole', 'whole/d', 'whole/d/any'].sort(),
    );
    expect(directories).to.equal(4);
    expect((await nodeFileSystem.lstat(utf8(target('a')))).mtimeNs).to.equal(mtimeNs);
  });

  it('reports what cannot be written, once for a directory, and goes on', async () => {
    const long = 'n'.repeat(256);
    const events = [file('a'), file(long), ...directory(`${long}n`, file('x'), ...directory('y')), file('z')];
    const { problems, files } = await restore(events);
    // Files are written several at a time, so which of the two is found first is open.
    expect(problems).to.have.members([`unwritable ${long}`, `unwritable ${long}n`]);
    expect(files).to.equal(2);
    const lazily = await restore(events, { include: (path) => path.at(-1) !== 0x6e });
    expect(lazily.problems).to.deep.equal([`unwritable ${long}n`]);
  });

  it('does not build paths longer than any system takes', async () => {
    const levels = Math.ceil(limits.pathBytes / 256) + 1;
    const name = 'd'.repeat(255);
    const events = Array.from({ length: levels }).reduce<RestoreEvent[]>(
      (inner) => directory(name, ...inner),
      [],
    );
    const { problems } = await restore(events, { include: () => false });
    expect(problems).to.have.length(1);
    expect((await restore(events)).problems).to.have.length(1);
  });

  for (const [what, pieces] of [
    ['shorter', ['ab']],
    ['longer', ['abc', 'd']],
  ] as const) {
    it(`does not restore content that is ${what} than recorded`, async () => {
      const { problems } = await restore([file('abc')], { openContent: () => streamOfBytes(...pieces) });
      expect(problems).to.deep.equal(['damaged abc']);
      expect(readdirSync(target())).to.deep.equal([]);
    });
  }

  it('keeps the old file when the new content fails, and ends for what is no file of its own', async () => {
    mkdirSync(target());
    writeFileSync(target('a'), 'old');
    const failing = (code: 'MISSING' | 'UNREACHABLE') =>
      async function* (): AsyncGenerator<Uint8Array> {
        await Promise.resolve();
        yield utf8('a');
        throw new PeerStoreError(code, 'no block');
      };
    const { problems } = await restore([file('a', { sizeBytes: 9 })], { openContent: failing('MISSING') });
    expect(problems).to.deep.equal(['damaged a']);
    const error = await failure(
      restore([file('a', { sizeBytes: 9 }), file('b')], { openContent: failing('UNREACHABLE') }),
    );
    expect(error.code).to.equal('UNREACHABLE');
    expect(readdirSync(target())).to.deep.equal(['a']);
    expect(readFileSync(target('a'), 'utf8')).to.equal('old');
  });

  it('stops with NO_SPACE when the disk is full, and leaves no temporary file', async () => {
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      createFile: async (path, mode) => ({
        ...(await nodeFileSystem.createFile(path, mode)),
        write: () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })),
      }),
    };
    const events = Array.from({ length: 50 }, (_, at) => file(String(at + 100)));
    const error = await failure(restore(events, { fileSystem }));
    expect(error.code).to.equal('NO_SPACE');
    expect(error.message).to.contain('make room');
    expect(readdirSync(target())).to.deep.equal([]);
  });

  it('stops when it is cancelled in the middle of files, and leaves no temporary file', async () => {
    const controller = new AbortController();
    let begun = 0;
    const events = Array.from({ length: 50 }, (_, at) => file(String(at + 100), { sizeBytes: 6 }));
    const error = await failure(
      restore(directory('d', ...events), {
        signal: controller.signal,
        openContent: async function* (_, signal) {
          yield utf8('abc');
          begun += 1;
          if (begun === limits.restoreFilesAtOnce) controller.abort();
          if (!signal.aborted) {
            await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          }
          yield utf8('def');
        },
      }),
    );
    expect(hasCode(error, 'CANCELLED'), String(error)).to.equal(true);
    expect(begun).to.equal(limits.restoreFilesAtOnce);
    expect(leftovers()).to.deep.equal([]);
    expect(readdirSync(target('d'))).to.deep.equal([]);
  });

  it('does nothing when it is cancelled before it begins', async () => {
    const error = await failure(restore([file('a')], { signal: AbortSignal.abort() }));
    expect(error.code).to.equal('CANCELLED');
    expect(readdirSync(temporary())).to.deep.equal([]);
  });

  it('writes small files side by side, and large ones two at a time', async () => {
    const most = async (count: number, sizeBytes: number): Promise<number> => {
      let now = 0;
      let highest = 0;
      await restore(
        Array.from({ length: count }, (_, at) => file(String(at + 100), { sizeBytes })),
        {
          openContent: async function* () {
            now += 1;
            highest = Math.max(highest, now);
            yield Buffer.alloc(sizeBytes, 1);
            now -= 1;
            await Promise.resolve();
          },
        },
      );
      return highest;
    };
    expect(await most(60, 10)).to.be.within(2, limits.restoreFilesAtOnce);
    expect(await most(6, limits.restoreSmallFileBytes + 1)).to.be.within(1, 2);
  });

  it('counts progress as it goes', async () => {
    const total = { files: 0, bytes: 0 };
    await restore([file('a'), file('bb'), symlink('c', 'x')], {
      progress: ({ files, bytes }) => {
        total.files += files;
        total.bytes += bytes;
      },
    });
    expect(total).to.deep.equal({ files: 3, bytes: 3 });
  });

  it('does not make a program run as another owner than its own', async () => {
    const fileSystem: FileSystem = { ...nodeFileSystem, privileged: false };
    const { problems } = await restore(
      [file('mine', { mode: 0o4755 }), file('theirs', { mode: 0o4755, uid: uid + 1 })],
      { fileSystem },
    );
    expect(problems).to.deep.equal(['metadata theirs']);
    const modeOf = (name: string): number => lstatSync(target(name)).mode & 0o7777;
    expect([modeOf('mine'), modeOf('theirs')]).to.deep.equal([0o4755, 0o755]);
  });

  it('gives files, links and directories their owners when root', async function () {
    if (!nodeFileSystem.privileged) this.skip();
    const owned = (event: RestoreEvent): RestoreEvent =>
      'entry' in event
        ? ({ ...event, entry: { ...event.entry, uid: 1234, gid: 5678 } } as RestoreEvent)
        : event;
    const events = [...directory('d', file('f', { mode: 0o6755 })), symlink('l', '/')].map(owned);
    expect((await restore(events)).problems).to.deep.equal([]);
    for (const name of ['d', 'd/f', 'l']) {
      const info = lstatSync(target(name));
      expect([info.uid, info.gid], name).to.deep.equal([1234, 5678]);
    }
    expect(lstatSync(target('d/f')).mode & 0o7777).to.equal(0o6755);
  });
});
