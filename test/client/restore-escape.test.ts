import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import type { FileInfo, FileSystem } from '../../src/base/filesystem.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { seededRandom } from '../../src/base/random.js';
import { HeldDirectories } from '../../src/client/restore-directories.js';
import { type RestoreEvent, restoreFiles, type RestoreOptions } from '../../src/client/restore-files.js';
import {
  directory,
  file,
  restoreInto,
  streamOf,
  streamOfBytes,
  symlink,
} from '../fixtures/restore-events.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

describe('a restore writes nothing outside the target', () => {
  const temporary = temporaryDirectory();
  const target = (...names: string[]): string => join(temporary(), 'target', ...names);

  const restore = (
    events: readonly RestoreEvent[],
    options: Partial<RestoreOptions> = {},
  ): ReturnType<typeof restoreInto> => restoreInto(target(), events, options);

  describe('whatever the archive says and whatever is in the target', () => {
    let outside = '';
    beforeEach(() => {
      outside = join(temporary(), 'outside');
      mkdirSync(outside);
      writeFileSync(join(outside, 'passwd'), 'untouched');
      mkdirSync(target());
    });
    afterEach(() => {
      expect(readdirSync(outside)).to.deep.equal(['passwd']);
      expect(readFileSync(join(outside, 'passwd'), 'utf8')).to.equal('untouched');
      expect(lstatSync(join(outside, 'passwd')).nlink).to.equal(1);
      expect(readdirSync(temporary()).sort()).to.deep.equal(['outside', 'target']);
    });

    for (const name of [
      '',
      '.',
      '..',
      '/',
      '../outside',
      '../outside/passwd',
      'a/../../outside/passwd',
      'a\0',
    ]) {
      it(`refuses the name ${JSON.stringify(name)} for a file, a link and a directory`, async () => {
        for (const events of [[file(name)], [symlink(name, 'x')], directory(name, file('passwd'))]) {
          const { problems } = await restore([...events, file('z')]);
          expect(problems).to.have.length(1);
          expect(problems[0]).to.match(/^refused /);
          expect(readFileSync(target('z'), 'utf8')).to.equal('z');
        }
      });
    }

    const attacks: readonly [string, () => RestoreEvent[], string[]][] = [
      [
        'a link of the archive, then a directory of the same name',
        () => [symlink('a', '../outside'), ...directory('a', file('passwd'))],
        ['refused a'],
      ],
      [
        'a directory, then a link of the same name, then the directory again',
        () => [...directory('a'), symlink('a', '../outside'), ...directory('a', file('passwd'))],
        ['refused a', 'refused a'],
      ],
      [
        'a link out of order before a directory',
        () => [file('b'), symlink('a', '../outside'), ...directory('a', file('passwd'))],
        ['refused a', 'refused a'],
      ],
      [
        'a link, and a name that goes through it',
        () => [symlink('a', '../outside'), file('a/passwd')],
        ['refused a/passwd'],
      ],
      [
        'a link, then a file of the same name',
        () => [symlink('a', '../outside/passwd'), file('a')],
        ['refused a'],
      ],
      ['a link whose target holds a NUL', () => [symlink('a', 'x\0y')], ['refused a']],
      ['a link to nothing', () => [symlink('a', '')], ['refused a']],
    ];
    for (const [what, events, expected] of attacks) {
      it(`is not misled by ${what}`, async () => {
        expect((await restore(events())).problems).to.deep.equal(expected);
      });
    }

    it('replaces a link planted in the place of a directory', async () => {
      symlinkSync(outside, target('a'));
      expect((await restore(directory('a', file('passwd')))).problems).to.deep.equal([]);
      expect(lstatSync(target('a')).isDirectory()).to.equal(true);
      expect(readFileSync(target('a/passwd'), 'utf8')).to.equal('passwd');
    });

    it('replaces a link, or another name of a file outside, planted in the place of a file', async () => {
      symlinkSync(join(outside, 'passwd'), target('a'));
      linkSync(join(outside, 'passwd'), target('b'));
      expect((await restore([file('a'), file('b')])).problems).to.deep.equal([]);
      expect(readFileSync(target('a'), 'utf8')).to.equal('a');
      expect(readFileSync(target('b'), 'utf8')).to.equal('b');
    });

    it('does not go through a planted link when nothing may be overwritten', async () => {
      symlinkSync(outside, target('a'));
      expect((await restore(directory('a', file('passwd')), { overwrite: 'never' })).problems).to.deep.equal([
        'unwritable a',
      ]);
    });

    it('keeps hold of a directory until the last of its names is finished', () => {
      const held = new HeldDirectories();
      const info = { dev: 1n, ino: 2n } as FileInfo;
      held.add(info);
      held.add(info);
      held.delete(info);
      expect(held.has(info)).to.equal(true);
      held.delete(info);
      expect(held.has(info)).to.equal(false);
    });

    it('does not put a link in the place of a directory that it still fills under a like name', async () => {
      // As on a file system that ignores case: `B` is what `b` is, while a file of `B` is being written.
      const lower = (path: Uint8Array): Uint8Array =>
        utf8(Buffer.from(path).toString().replace(/\/B$/, '/b').replace('/B/', '/b/'));
      const ignoringCase: FileSystem = {
        ...nodeFileSystem,
        lstat: (path) => nodeFileSystem.lstat(lower(path)),
        makeDirectory: (path, mode) => nodeFileSystem.makeDirectory(lower(path), mode),
        createFile: (path, mode) => nodeFileSystem.createFile(lower(path), mode),
        rename: (from, to) => nodeFileSystem.rename(lower(from), lower(to)),
        changeMode: (path, mode) => nodeFileSystem.changeMode(lower(path), mode),
        changeOwner: (path, owner, group) => nodeFileSystem.changeOwner(lower(path), owner, group),
        setTimes: (path, time) => nodeFileSystem.setTimes(lower(path), time),
      };
      let release = (): void => undefined;
      const linkTried = new Promise<void>((resolve) => (release = resolve));
      const problems: string[] = [];
      await restoreFiles(streamOf([...directory('B', file('passwd')), symlink('b', '../outside')]), {
        fileSystem: {
          ...ignoringCase,
          createFile: async (path, mode) => {
            await linkTried;
            return ignoringCase.createFile(path, mode);
          },
        },
        random: seededRandom(1),
        target: utf8(target()),
        openContent: () => streamOfBytes('passwd'),
        report: ({ kind }) => {
          problems.push(kind);
          release();
        },
      });
      expect(problems).to.deep.equal(['refused']);
      expect(readFileSync(target('b/passwd'), 'utf8')).to.equal('passwd');
    });
  });
});
