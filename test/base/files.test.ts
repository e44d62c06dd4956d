import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { lockFile, readFileIfThere, writeFileAtomic } from '../../src/base/files.js';
import { systemRandom } from '../../src/base/random.js';

describe('files of our own', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'peerstore-files-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('are replaced whole, with the mode that was asked for, and leave nothing else behind', async () => {
    const path = join(dir, 'file');
    for (const text of ['one', 'two']) {
      await writeFileAtomic(path, Buffer.from(text), 0o600, systemRandom);
      expect(await readFile(path, 'utf8')).to.equal(text);
      expect((await stat(path)).mode & 0o777).to.equal(0o600);
    }
    expect(await readdir(dir)).to.deep.equal(['file']);
  });

  it('stay as they were when the new content cannot be written', async () => {
    const path = join(dir, 'taken');
    await writeFile(join(dir, 'taken'), 'old');
    const failing = { ...systemRandom, bytes: () => Buffer.from('/../no/such') };
    const failure = await writeFileAtomic(join(dir, 'none', 'file'), Buffer.from('x'), 0o600, failing).catch(
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(Error);
    expect(await readFile(path, 'utf8')).to.equal('old');
    expect(await readdir(dir)).to.deep.equal(['taken']);
  });

  it('are undefined when they are not there', async () => {
    expect(await readFileIfThere(join(dir, 'none'))).to.equal(undefined);
  });
});

describe('a lock', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'peerstore-lock-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('is held by one at a time, and free again after its release', async () => {
    const path = join(dir, 'lock');
    const first = await lockFile(path);
    expect(first).to.not.equal(undefined);
    expect(await lockFile(path)).to.equal(undefined);
    await first?.release();
    const second = await lockFile(path);
    expect(second).to.not.equal(undefined);
    await second?.release();
  });

  it('ends with its process, however that dies', async () => {
    const path = join(dir, 'lock');
    const module = pathToFileURL(join(import.meta.dirname, '../../src/base/files.js')).href;
    const script = `import { lockFile } from ${JSON.stringify(module)};
      await lockFile(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      expect(await lockFile(path)).to.equal(undefined);
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    const lock = await lockFile(path);
    expect(lock).to.not.equal(undefined);
    await lock?.release();
  });
});
