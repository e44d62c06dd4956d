import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { type ErrorCode, hasCode } from '../../src/base/errors.js';
import { readIdentityFile, writeIdentityFile } from '../../src/base/identity-file.js';
import { seededRandom } from '../../src/base/random.js';

describe('base/identity-file', () => {
  let dir: string;
  let path: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'peerstore-identity-file-'));
    path = join(dir, 'file');
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function refused(code: ErrorCode, run: Promise<unknown>): Promise<void> {
    const error: unknown = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(hasCode(error, code), String(error)).to.equal(true);
    expect(String(error)).to.include(dir);
  }

  it('reads what it wrote, with the mode that was asked for', async () => {
    const random = seededRandom(1);
    for (const [mode, text] of [
      [0o600, 'secret'],
      [0o644, 'open'],
    ] as const) {
      await writeIdentityFile(path, Buffer.from(text), mode, random);
      expect((await stat(path)).mode & 0o777).to.equal(mode);
      expect(await readFile(path, 'utf8')).to.equal(text);
      const back = await readIdentityFile(path, { secret: mode === 0o600 });
      expect(Buffer.from(back!).toString()).to.equal(text);
    }
  });

  it('is undefined when there is none', async () => {
    expect(await readIdentityFile(path, { secret: true })).to.equal(undefined);
  });

  it('refuses a secret on which others have any permission', async () => {
    await writeFile(path, 'secret');
    for (const bit of [0o040, 0o020, 0o010, 0o004, 0o002, 0o001]) {
      await chmod(path, 0o600 | bit);
      await refused('NOT_ADMITTED', readIdentityFile(path, { secret: true }));
      await readIdentityFile(path, { secret: false });
    }
  });

  it('reads up to its bound and not a byte more', async () => {
    await writeFile(path, '12345', { mode: 0o600 });
    expect((await readIdentityFile(path, { secret: true, maxBytes: 5 }))?.length).to.equal(5);
    await refused('DAMAGED', readIdentityFile(path, { secret: true, maxBytes: 4 }));
  });

  it('refuses directories and FIFOs, and does not wait for them', async () => {
    await refused('DAMAGED', readIdentityFile(dir, { secret: false }));
    execFileSync('mkfifo', [path]);
    await refused('DAMAGED', readIdentityFile(path, { secret: false }));
  });

  it('names the file when the disk fails', async () => {
    await writeFile(path, 'a file, not a directory');
    await refused('IO', readIdentityFile(join(path, 'below'), { secret: false }));
    await refused('IO', writeIdentityFile(join(path, 'below'), Buffer.of(1), 0o600, seededRandom(1)));
  });
});
