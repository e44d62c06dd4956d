import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { printablePath } from '../../src/base/paths.js';
import { seededRandom } from '../../src/base/random.js';
import { chooseSnapshot, loadSnapshots } from '../../src/client/catalog.js';
import { findFile } from '../../src/client/getfile.js';
import { requireEntry, rootEntry, walkTree } from '../../src/client/browse.js';
import type { Session } from '../../src/client/session.js';
import { codeOf } from '../archive/support.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, emptyCache, MemoryRing, restoreTo, testDevice } from './memory-ring.js';

const isWalked = async (session: Session): Promise<string[]> => {
  const snapshot = chooseSnapshot(await loadSnapshots(session), 'latest');
  const paths: string[] = [];
  for await (const { path } of walkTree(session.reader, rootEntry(snapshot), utf8('/')))
    paths.push(printablePath(path));
  return paths;
};

describe('use cases of the client', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let session: Session;

  /** Each test has a user of its own. */
  let user = 0;

  before(async () => {
    ring = await MemoryRing.start(3);
  });
  beforeEach(async () => {
    user += 1;
    session = await ring.session(testDevice(user));
  });
  after(() => ring.stop());

  const source = (): string => join(temporary(), 'source');
  const target = (): string => join(temporary(), 'target');

  it('a tree comes back as it was, from the whole snapshot and from its path', async () => {
    mkdirSync(join(source(), 'a/b'), { recursive: true });
    writeFileSync(join(source(), 'a/b/large'), seededRandom(3).bytes(3_000_000));
    writeFileSync(join(source(), 'a/empty'), '');
    symlinkSync('nowhere', join(source(), 'link'));
    chmodSync(join(source(), 'a/b'), 0o500);
    const { summary } = await backUp(session, [source()]);
    expect(summary).to.include({ files: 3, bytes: 3_000_000, errors: 0 });

    await restoreTo(session, `latest:${source()}`, target());
    expect(await compareTrees(source(), target())).to.deep.equal([]);
    const whole = join(temporary(), 'whole');
    await restoreTo(session, summary.snapshot!.slice(0, 12), whole);
    expect(await compareTrees(source(), join(whole, source()))).to.deep.equal([]);
  });

  it('a file, and a symlink, that a snapshot is restored from lands in the target under its name', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), 'content');
    symlinkSync('file', join(source(), 'link'));
    await backUp(session, [join(source(), 'file'), join(source(), 'link')]);
    await restoreTo(session, `latest:${source()}/file`, target());
    await restoreTo(session, `latest:${source()}/link`, target());
    expect(readFileSync(join(target(), 'file'), 'utf8')).to.equal('content');
    expect(readlinkSync(join(target(), 'link'))).to.equal('file');
  });

  it('only what is included is restored, and what is there stays or goes as told', async () => {
    mkdirSync(source());
    for (const name of ['a.txt', 'b.dat']) writeFileSync(join(source(), name), `of ${name}`);
    await backUp(session, [source()]);
    const include = (path: Uint8Array, isDirectory: boolean): boolean =>
      !isDirectory && Buffer.from(path).toString().endsWith('.txt');
    await restoreTo(session, `latest:${source()}`, target(), { include });
    expect(readdirSync(target())).to.deep.equal(['a.txt']);

    writeFileSync(join(target(), 'a.txt'), 'mine');
    await restoreTo(session, `latest:${source()}`, target(), { overwrite: 'never' });
    expect(readFileSync(join(target(), 'a.txt'), 'utf8')).to.equal('mine');
    const { summary } = await restoreTo(session, `latest:${source()}`, target(), { overwrite: 'if-changed' });
    expect(summary).to.include({ files: 1, leftAlone: 1 });
    expect(readFileSync(join(target(), 'a.txt'), 'utf8')).to.equal('of a.txt');
  });

  it('several paths, one given twice, relative and nested, make one snapshot that names each once', async () => {
    mkdirSync(join(source(), 'one/in'), { recursive: true });
    mkdirSync(join(source(), 'two'));
    writeFileSync(join(source(), 'one/in/file'), '1');
    writeFileSync(join(source(), 'two/file'), '2');
    writeFileSync(join(source(), 'not asked for'), '3');
    const { summary } = await backUp(session, ['one', './one/', `${source()}/two`, 'one/in'], {
      cwd: utf8(source()),
    });
    expect(summary.files).to.equal(2);
    const [snapshot] = await loadSnapshots(session);
    expect(snapshot!.paths.map(printablePath)).to.deep.equal(
      ['one', 'two', 'one/in'].map((name) => join(source(), name)),
    );
    const paths = await isWalked(session);
    expect(paths.filter((path) => path.includes('not asked for'))).to.deep.equal([]);
    expect(paths).to.include.members([`${source()}/one/in/file`, `${source()}/two/file`]);
  });

  it('a given symlink is backed up as the link that it is', async () => {
    mkdirSync(source());
    symlinkSync('/etc', join(source(), 'link'));
    const { summary } = await backUp(session, [join(source(), 'link')]);
    expect(summary).to.include({ files: 1, bytes: 0, errors: 0 });
    expect((await isWalked(session)).at(-1)).to.equal(join(source(), 'link'));
  });

  it('what is excluded is not in the snapshot', async () => {
    mkdirSync(join(source(), 'cache'), { recursive: true });
    writeFileSync(join(source(), 'cache/x'), 'x');
    writeFileSync(join(source(), 'y'), 'y');
    const exclude = (path: Uint8Array): boolean => Buffer.from(path).toString().endsWith('/cache');
    expect((await backUp(session, [source()], { exclude })).summary.files).to.equal(1);
    expect((await isWalked(session)).at(-1)).to.equal(join(source(), 'y'));
  });

  it('a dry run stores no block and no snapshot, and says what a real one would', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), seededRandom(4).bytes(500_000));
    const before = await ring.blocks();
    const dry = (await backUp(session, [source()], { dryRun: true })).summary;
    expect(dry).to.include({ snapshot: null, files: 1, bytes: 500_000, newBytes: 500_000 });
    expect(await ring.blocks()).to.deep.equal(before);
    expect(await loadSnapshots(session)).to.deep.equal([]);
    expect((await backUp(session, [source()])).summary).to.include({ newBytes: 500_000 });
  });

  it('more paths or tags than a snapshot holds are refused before anything is stored', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), 'x');
    const before = await ring.blocks();
    const tags = Array.from({ length: limits.snapshotTags + 1 }, (_, at) => `t${at}`);
    expect(await codeOf(backUp(session, [source()], { tags }))).to.equal('USAGE');
    const paths = Array.from({ length: limits.snapshotPaths + 1 }, (_, at) => {
      writeFileSync(join(source(), `f${at}`), '');
      return join(source(), `f${at}`);
    });
    expect(await codeOf(backUp(session, paths))).to.equal('USAGE');
    expect(await ring.blocks()).to.deep.equal(before);
  });

  it('the second backup stores next to nothing, and names the first as its parent', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), seededRandom(5).bytes(2_000_000));
    const cache = emptyCache();
    const first = (await backUp(session, [source()], { cache })).summary;
    const second = (await backUp(session, [source()], { cache })).summary;
    expect(second.newBytes).to.equal(0);
    expect(second.storedBytes).to.be.lessThan(50_000);
    const snapshots = await loadSnapshots(session);
    expect(snapshots.map(({ parent }) => parent)).to.deep.equal([undefined, first.snapshot]);
  });

  it('hard links stay links, and each name counts as a file', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'a'), 'shared');
    linkSync(join(source(), 'a'), join(source(), 'b'));
    linkSync(join(source(), 'a'), join(temporary(), 'outside'));
    const { summary } = await backUp(session, [source()]);
    expect(summary).to.include({ files: 2, bytes: 6 });
    await restoreTo(session, `latest:${source()}`, target());
    expect(lstatSync(join(target(), 'a')).ino).to.equal(lstatSync(join(target(), 'b')).ino);
  });

  it('when the first name of a hard link vanishes before it is read, its second name is still backed up', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'a'), 'shared');
    linkSync(join(source(), 'a'), join(source(), 'b'));
    const fileSystem = {
      ...nodeFileSystem,
      openForReading: (path: Uint8Array) => {
        rmSync(join(source(), 'a'), { force: true });
        return nodeFileSystem.openForReading(path);
      },
    };
    const { summary, problems } = await backUp(session, [source()], { fileSystem });
    expect(problems.map(({ kind }) => kind)).to.deep.equal(['vanished']);
    expect(summary).to.include({ files: 1, errors: 1 });
    await restoreTo(session, `latest:${source()}`, target());
    expect(readdirSync(target())).to.deep.equal(['b']);
    expect(readFileSync(join(target(), 'b'), 'utf8')).to.equal('shared');
  });

  it('a file that changes while it is read is stored as it was read, and named', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), 'before');
    const fileSystem = {
      ...nodeFileSystem,
      openForReading: async (path: Uint8Array) => {
        const file = await nodeFileSystem.openForReading(path);
        return {
          ...file,
          read: async (into: Uint8Array) => {
            const length = await file.read(into);
            writeFileSync(join(source(), 'file'), 'and after it');
            return length;
          },
        };
      },
    };
    const { summary, problems } = await backUp(session, [source()], { fileSystem });
    expect(problems.map(({ kind }) => kind)).to.deep.equal(['changed']);
    expect(summary.errors).to.equal(1);
    await restoreTo(session, `latest:${source()}`, target());
    expect(readFileSync(join(target(), 'file'), 'utf8')).to.equal('before');
  });

  it('a path that is not there, in the world or in the snapshot, is said with its code', async () => {
    mkdirSync(source());
    expect(await codeOf(backUp(session, [join(source(), 'no')]))).to.equal('USAGE');
    expect(await codeOf(restoreTo(session, 'latest', target()))).to.equal('NOT_FOUND');
    await backUp(session, [source()]);
    expect(await codeOf(restoreTo(session, 'ffff', target()))).to.equal('NOT_FOUND');
    expect(await codeOf(restoreTo(session, `latest:${source()}/no`, target()))).to.equal('NOT_FOUND');
    expect(existsSync(target())).to.equal(false);
    const snapshots = await loadSnapshots(session);
    const names = source().slice(1).split('/').map(utf8);
    expect(await codeOf(requireEntry(session.reader, snapshots[0]!, [utf8('no')]))).to.equal('NOT_FOUND');
    expect(await codeOf(findFile(session, snapshots, names)), 'a directory').to.equal('NOT_FOUND');
  });

  it('getfile takes the newest snapshot that has the file', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), 'old');
    await backUp(session, [source()]);
    renameSync(join(source(), 'file'), join(source(), 'other'));
    await backUp(session, [source()]);
    const names = join(source(), 'file').slice(1).split('/').map(utf8);
    const snapshots = await loadSnapshots(session);
    expect((await findFile(session, snapshots, names)).snapshot.id).to.equal(snapshots[0]!.id);
  });

  it('two devices of one user see the snapshots of both, in one order', async () => {
    mkdirSync(source());
    const other = await ring.session(testDevice(user, 2));
    for (const [at, one] of [session, other, session].entries()) {
      writeFileSync(join(source(), 'file'), `version ${at}`);
      await backUp(one, [source()]);
    }
    const [here, there] = await Promise.all([loadSnapshots(session), loadSnapshots(other)]);
    expect(here.length).to.equal(3);
    expect(there.map(({ id }) => id)).to.deep.equal(here.map(({ id }) => id));
    await restoreTo(other, here[0]!.id, target());
  });

  it('another user sees nothing of it', async () => {
    mkdirSync(source());
    await backUp(session, [source()]);
    expect(await loadSnapshots(await ring.session(testDevice(user + 1000)))).to.deep.equal([]);
  });

  it('two processes of one device that back up at the same time both keep their snapshots', async () => {
    const sessions = await Promise.all([1, 2, 3].map(() => ring.session(testDevice(user))));
    const made = await Promise.all(
      sessions.map(async (one, at) => {
        const directory = join(temporary(), `source ${at}`);
        mkdirSync(directory);
        writeFileSync(join(directory, 'file'), seededRandom(at).bytes(300_000));
        return (await backUp(one, [directory])).summary.snapshot;
      }),
    );
    expect((await loadSnapshots(session)).map(({ id }) => id)).to.have.members(made);
  });

  it('a user with as many devices as a profile holds cannot add another, and keeps those', async () => {
    for (let device = 2; device <= limits.userDevices; device += 1)
      await ring.session(testDevice(user, device));
    expect(await codeOf(ring.session(testDevice(user, limits.userDevices + 1)))).to.equal('NO_SPACE');
    expect(await loadSnapshots(session)).to.deep.equal([]);
  });
});
