import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { type AdminHandler, type AdminServer, askAdmin, serveAdmin } from '../../src/node/admin.js';
import { failureOf } from '../wire/helpers.js';

const echo: AdminHandler = (command, args) => {
  if (command === 'refuse') return Promise.reject(new PeerStoreError('FORBIDDEN', 'not here'));
  if (command === 'break') return Promise.reject(new Error('secret detail'));
  return Promise.resolve(command === 'nothing' ? undefined : { command, args });
};

describe('node/admin', () => {
  let directory: string;
  let server: AdminServer | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'peerstore-admin-'));
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  /** Sends bytes as they are and collects what comes back, until the other side closes or there are enough lines. */
  function raw(bytes: string, lines: number): Promise<string[]> {
    return new Promise((resolve) => {
      const socket = createConnection(join(directory, 'admin.sock'));
      let text = '';
      const done = (): void => {
        socket.destroy();
        resolve(text.split('\n').filter((line) => line !== ''));
      };
      socket.on('data', (piece) => {
        text += String(piece);
        if (text.split('\n').length > lines) done();
      });
      socket.on('error', done);
      socket.on('close', done);
      socket.write(bytes);
    });
  }

  it('carries out a command with its arguments', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    expect(await askAdmin(directory, 'status', { deep: true })).to.deep.equal({
      command: 'status',
      args: { deep: true },
    });
    expect(await askAdmin(directory, 'nothing')).to.equal(null);
  });

  it('may be opened by its owner alone', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    expect((await stat(join(directory, 'admin.sock'))).mode & 0o777).to.equal(0o600);
  });

  it('hands on what a command refused, and hides what broke', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    expect((await failureOf(askAdmin(directory, 'refuse'))).code).to.equal('FORBIDDEN');
    const failure = await failureOf(askAdmin(directory, 'break'));
    expect(failure.code).to.equal('INTERNAL');
    expect(failure.message).not.to.contain('secret');
  });

  it('answers garbage with USAGE and goes on, on the same connection', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    const answers = await raw(
      'garbage\nnull\n7\n"x"\n{}\n{"command":3}\n{"command":"a"}\n{"command":"b"}\n',
      8,
    );
    expect(answers.slice(0, 6).map((line) => (JSON.parse(line) as { code: string }).code)).to.deep.equal(
      new Array(6).fill('USAGE'),
    );
    expect(answers.slice(6).map((line) => JSON.parse(line) as unknown)).to.deep.equal([
      { result: { command: 'a', args: {} } },
      { result: { command: 'b', args: {} } },
    ]);
  });

  it('ends a connection whose line has no end, and serves the others', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    expect(await raw('x'.repeat(limits.adminLineBytes + 65_537), 1)).to.deep.equal([]);
    expect(await askAdmin(directory, 'nothing')).to.equal(null);
  });

  it('works where the data path is too long for a socket address', async function () {
    if (process.platform !== 'linux') this.skip();
    const long = join(directory, 'x'.repeat(100), 'y'.repeat(100));
    await mkdir(long, { recursive: true });
    expect((await failureOf(askAdmin(long, 'nothing'))).code).to.equal('UNREACHABLE');
    server = await serveAdmin(long, silentLogger, echo);
    expect(await askAdmin(long, 'nothing')).to.equal(null);
    expect(await askAdmin(long, 'nothing')).to.equal(null);
    expect((await failureOf(askAdmin(`${long}z`, 'nothing'))).code).to.equal('UNREACHABLE');
  });

  it('says that nobody is there, where nobody is', async () => {
    for (const path of [directory, join(directory, 'missing')]) {
      const failure = await failureOf(askAdmin(path, 'status'));
      expect(failure.code).to.equal('UNREACHABLE');
      expect(failure.message).to.contain('start peerstore-server');
    }
  });

  it("takes the place of a dead peer's socket", async () => {
    await writeFile(join(directory, 'admin.sock'), '');
    server = await serveAdmin(directory, silentLogger, echo);
    expect(await askAdmin(directory, 'nothing')).to.equal(null);
  });

  it('closes under open connections', async () => {
    server = await serveAdmin(directory, silentLogger, echo);
    const waiting = raw('', 1);
    expect(await askAdmin(directory, 'nothing')).to.equal(null);
    await server.close();
    server = undefined;
    expect(await waiting).to.deep.equal([]);
  });
});
