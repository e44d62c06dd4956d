import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import type { Ended } from './processes.js';
import {
  canHeedPermissions,
  expectRefusal,
  heedingPermissions,
  KiB,
  randomFiles,
  skipBecause,
} from './support.js';

describe('peerstore-client, given what it cannot use, says so in one line and loses nothing:', function () {
  this.timeout(300_000);
  let lab: Lab;
  let peers: [Peer, ...Peer[]];
  let ada: Client;
  let data: string;

  before(async () => {
    lab = new Lab();
    peers = await lab.ring(2);
    ada = await lab.user('ada', peers[0]);
    data = randomFiles(lab.path('data'), 5, 100 * KiB);
    succeeded(await ada.run(['backup', data]));
  });
  after(() => lab.close());

  /** What was stored before the refusal is all there. */
  afterEach(async () => {
    const target = lab.path(`restored ${performance.now()}`);
    succeeded(await ada.run(['restore', `latest:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  });

  it('no peer listens', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const end = await ada.run(['backup', data, '--peer-addr', address]);
    expectRefusal(end, exitCodes.unreachable, /no peer answered/, new RegExp(address), /--peer-addr/);
  });

  it('the peer has another key than --peer-key-file', async () => {
    const [first, second] = peers;
    const pinned = (of: Peer): Promise<Ended> => {
      const keyFile = join(of.dataPath, 'publickey.pem');
      return ada.run(['snapshots', '--quiet', '--peer-addr', first.address, '--peer-key-file', keyFile]);
    };
    expect((await pinned(first)).code).to.equal(exitCodes.done);
    expectRefusal(await pinned(second!), exitCodes.notAdmitted, /key/);
  });

  it('the invite was used by another', async () => {
    const invite = await lab.invite(peers[0], '--user', 'bob');
    succeeded(await lab.client('bob').run(['init', '--invite', invite]));
    const end = await lab.client('eve').run(['init', '--invite', invite]);
    expectRefusal(end, exitCodes.notAdmitted, /already used/, /ask for another/);
  });

  it('the invite has expired', async () => {
    const invite = await lab.invite(peers[0], '--user', 'carol', '--expires', '1s');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const end = await lab.client('carol').run(['init', '--invite', invite]);
    expectRefusal(end, exitCodes.notAdmitted, /expired/, /ask for another/);
  });

  it('the invite is for a peer', async () => {
    const invite = await lab.invite(peers[0], '--peer');
    const end = await lab.client('dora').run(['init', '--invite', invite]);
    expectRefusal(end, exitCodes.notAdmitted, /for a peer/, /--user NAME/);
  });

  it('the passphrase is wrong, or there is none', async () => {
    const client = lab.client('frank');
    const invite = await lab.invite(peers[0], '--user', 'frank');
    succeeded(await client.run(['init', '--invite', invite], { PEERSTORE_PASSPHRASE: 'correct horse' }));
    const wrong = await client.run(['snapshots'], { PEERSTORE_PASSPHRASE: 'battery staple' });
    expectRefusal(wrong, exitCodes.notAdmitted, /passphrase .* is wrong/);
    const none = await client.run(['snapshots']);
    expectRefusal(none, exitCodes.notAdmitted, /--passphrase-file or PEERSTORE_PASSPHRASE/);
    const file = join(client.home, 'passphrase');
    writeFileSync(file, 'correct horse\n', { mode: 0o600 });
    succeeded(await client.run(['snapshots', '--passphrase-file', file]));
  });

  it('there is no key file yet', async () => {
    const end = await lab.client('nobody').run(['snapshots']);
    expectRefusal(end, exitCodes.usage, /key file/, /init/);
  });

  it('a path is missing', async () => {
    const end = await ada.run(['backup', lab.path('not there')]);
    expectRefusal(end, exitCodes.usage, /not there/);
  });

  it('a file cannot be read: the others are backed up, and it is named', async function () {
    if (!canHeedPermissions()) skipBecause(this, 'permissions stop root only with setpriv(1)');
    const directory = lab.path('partly readable');
    mkdirSync(directory);
    writeFileSync(join(directory, 'open'), 'for all');
    writeFileSync(join(directory, 'closed'), 'for nobody');
    chmodSync(join(directory, 'closed'), 0);
    const end = await lab.client('ada', heedingPermissions).run(['backup', directory]);
    expect(end.code).to.equal(exitCodes.incomplete);
    expect(end.stderr).to.match(/partly readable\/closed: cannot be read: permission denied/);
    expect(end.stderr).not.to.match(/^\s+at /m);
    const listed = succeeded(await ada.run(['ls', `latest:${directory}`]));
    expect(listed.stdout).to.include('open').and.not.to.include('closed');
    // The next test reads the latest snapshot of `data` again.
    succeeded(await ada.run(['backup', data]));
  });

  it('an option or a command is unknown, or misses its value', async () => {
    expectRefusal(await ada.run(['backup', data, '--frobnicate']), exitCodes.usage, /frobnicate/, /--help/);
    expectRefusal(await ada.run(['bakup', data]), exitCodes.usage, /backup/, /--help/);
    expectRefusal(await ada.run(['backup']), exitCodes.usage, /PATH/);
    expectRefusal(await ada.run(['restore', '--target']), exitCodes.usage, /target/);
    expectRefusal(await ada.run([]), exitCodes.usage, /--help/);
  });

  it('there is no such snapshot, file or path in it', async () => {
    const target = lab.path('unused');
    const noSnapshot = await ada.run(['restore', 'feedfacefeed', '--target', target]);
    expectRefusal(noSnapshot, exitCodes.notFound, /feedfacefeed/);
    const noFile = await ada.run(['getfile', '--filename', '/no/such file', '--filedest', target]);
    expectRefusal(noFile, exitCodes.notFound, /no\/such file/);
    const noPath = await ada.run(['ls', `latest:${data}/missing`]);
    expectRefusal(noPath, exitCodes.notFound, /missing/);
  });
});

/** A port of 127.0.0.1 where nobody listens. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
