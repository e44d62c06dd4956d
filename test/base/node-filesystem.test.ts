import { linkSync, mkdirSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { systemCode } from '../../src/base/errors.js';
import { libc } from '../../src/base/native.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { joinPath } from '../../src/base/paths.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
  } catch (error) {
    return systemCode(error);
  }
  return undefined;
}

describe('the file system of the machine', () => {
  const temporary = temporaryDirectory();
  const path = (name: string): Uint8Array => utf8(join(temporary(), name));

  it('gives times that no 64 bits hold as the nearest that they do', async function () {
    const file = join(temporary(), 'far');
    writeFileSync(file, '');
    utimesSync(file, 1, 12e9);
    // Where the file system does not keep such a time, there is nothing to see.
    if (statSync(file).mtimeMs < 12e12) this.skip();
    expect((await nodeFileSystem.lstat(utf8(file))).mtimeNs).to.equal(2n ** 63n - 1n);
  });

  it('keeps names and link targets as bytes', async () => {
    const name = Buffer.from([0xff, 0x41]);
    await nodeFileSystem.makeSymlink(Buffer.from([0x80, 0x2f]), joinPath(utf8(temporary()), name));
    const names = await nodeFileSystem.readDirectory(utf8(temporary()));
    expect(names.map((found) => [...found])).to.deep.equal([[0xff, 0x41]]);
    const target = await nodeFileSystem.readLink(joinPath(utf8(temporary()), name));
    expect([...target]).to.deep.equal([0x80, 0x2f]);
  });

  for (const time of [
    0n,
    -1n,
    -(2n ** 31n) * 10n ** 9n,
    1_700_000_000_123_456_789n,
    2n ** 31n * 10n ** 9n + 1n,
  ]) {
    it(`sets and tells the time ${time} of a file and of a link`, async () => {
      writeFileSync(join(temporary(), 'file'), '');
      symlinkSync('file', join(temporary(), 'link'));
      for (const name of ['file', 'link']) {
        await nodeFileSystem.setTimes(path(name), time);
        const { mtimeNs } = await nodeFileSystem.lstat(path(name));
        if (libc === undefined) expect(Number(mtimeNs - time)).to.be.within(-2000, 2000);
        else expect(mtimeNs).to.equal(time);
      }
    });
  }

  it('passes on the code of what failed', async () => {
    expect(await codeOf(nodeFileSystem.setTimes(path('missing'), 0n))).to.equal('ENOENT');
    expect(await codeOf(nodeFileSystem.lstat(path('missing')))).to.equal('ENOENT');
  });

  it('neither opens nor creates through a link', async () => {
    symlinkSync('target', join(temporary(), 'dangling'));
    expect(await codeOf(nodeFileSystem.createFile(path('dangling'), 0o600))).to.equal('EEXIST');
    writeFileSync(join(temporary(), 'target'), '');
    expect(await codeOf(nodeFileSystem.openForReading(path('dangling')))).to.be.oneOf(['ELOOP', 'EMLINK']);
    expect(await codeOf(nodeFileSystem.removeDirectory(path('dangling')))).to.equal('ENOTDIR');
  });

  it('tells types, names and sizes', async () => {
    writeFileSync(join(temporary(), 'file'), 'four');
    linkSync(join(temporary(), 'file'), join(temporary(), 'other'));
    mkdirSync(join(temporary(), 'directory'), { mode: 0o711 });
    expect(await nodeFileSystem.lstat(path('other'))).to.include({ type: 'file', sizeBytes: 4, nlink: 2 });
    expect(await nodeFileSystem.lstat(path('directory'))).to.include({ type: 'directory', mode: 0o711 });
    expect(await nodeFileSystem.lstat(utf8('/dev/null'))).to.include({ type: 'character device' });
  });

  it('writes at positions, leaves holes, and reads on from where it stopped', async () => {
    const file = await nodeFileSystem.createFile(path('file'), 0o600);
    await file.write(utf8('abc'), 3);
    await file.truncate(8);
    await file.close();
    const reader = await nodeFileSystem.openForReading(path('file'));
    const buffer = Buffer.alloc(5);
    expect(await reader.read(buffer)).to.equal(5);
    expect(buffer.toString('latin1')).to.equal('\0\0\0ab');
    expect(await reader.read(buffer)).to.equal(3);
    expect(await reader.read(buffer)).to.equal(0);
    await reader.close();
  });
});
