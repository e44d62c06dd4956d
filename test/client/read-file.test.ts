import { execFileSync } from 'node:child_process';
import { appendFileSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import type { FileSystem } from '../../src/base/filesystem.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';
import { ProblemError } from '../../src/client/problem.js';
import { SourceFile } from '../../src/client/read-file.js';
import { temporaryDirectory } from '../fixtures/temporary.js';

/** Reads in pieces of 4 bytes; `meanwhile` runs after the first one. */
async function read(
  path: string,
  meanwhile: () => void = () => undefined,
): Promise<{ content: string; changed: string | undefined; bytesRead: number }> {
  const file = await SourceFile.open(nodeFileSystem, utf8(path));
  try {
    let content = '';
    for await (const piece of file.pieces(Buffer.alloc(4))) {
      if (content === '') meanwhile();
      content += Buffer.from(piece).toString();
    }
    return { content, changed: (await file.change())?.kind, bytesRead: file.bytesRead };
  } finally {
    await file.close();
  }
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.kind;
    throw error;
  }
  return 'none';
}

describe('reading a source file', () => {
  const temporary = temporaryDirectory();
  const path = (): string => join(temporary(), 'file');

  for (const length of [0, 1, 3, 4, 5, 8, 9]) {
    it(`gives the ${length} bytes of a file in pieces of at most 4`, async () => {
      const content = 'abcdefghi'.slice(0, length);
      writeFileSync(path(), content);
      expect(await read(path())).to.deep.equal({ content, changed: undefined, bytesRead: length });
    });
  }

  it('keeps what was read of a file that changes, and says so', async () => {
    const cases: readonly [string, (file: string) => void, string][] = [
      ['grows', (file) => appendFileSync(file, 'more'), '0123456789'],
      ['shrinks', (file) => truncateSync(file, 6), '012345'],
      ['is touched', (file) => utimesSync(file, 5, 5), '0123456789'],
      ['loses its name', (file) => rmSync(file), '0123456789'],
    ];
    for (const [what, change, content] of cases) {
      writeFileSync(path(), '0123456789');
      const result = await read(path(), () => change(path()));
      expect(result, what).to.deep.equal({ content, changed: 'changed', bytesRead: content.length });
    }
  });

  it('ends where the file ended at first, though it grows with every piece', async () => {
    writeFileSync(path(), '0123456789');
    const file = await SourceFile.open(nodeFileSystem, utf8(path()));
    for await (const _ of file.pieces(Buffer.alloc(1))) appendFileSync(path(), 'xx');
    await file.close();
    expect(file.bytesRead).to.equal(10);
  });

  it('never follows a link, waits for a FIFO or fails without naming what happened', async () => {
    const open = (): Promise<unknown> => SourceFile.open(nodeFileSystem, utf8(path()));
    expect(await problemOf(open()), 'gone').to.equal('vanished');
    symlinkSync('/etc/passwd', path());
    expect(await problemOf(open()), 'a link').to.equal('vanished');
    rmSync(path());
    execFileSync('mkfifo', [path()]);
    expect(await problemOf(open()), 'a FIFO').to.equal('vanished');
  });

  it('tells a disk that fails in the middle from an error of the reader', async () => {
    writeFileSync(path(), '0123456789');
    const failing: FileSystem = {
      ...nodeFileSystem,
      openForReading: async (at) => ({
        ...(await nodeFileSystem.openForReading(at)),
        read: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
      }),
    };
    const file = await SourceFile.open(failing, utf8(path()));
    expect(await problemOf(file.pieces(Buffer.alloc(4)).next())).to.equal('unreadable');
    await file.close();
  });

  it('stops when it is cancelled', async () => {
    writeFileSync(path(), '0123456789');
    const file = await SourceFile.open(nodeFileSystem, utf8(path()));
    try {
      await file.pieces(Buffer.alloc(4), AbortSignal.abort()).next();
      expect.fail('it went on');
    } catch (error) {
      expect(hasCode(error, 'CANCELLED'), String(error)).to.equal(true);
    } finally {
      await file.close();
    }
  });
});
