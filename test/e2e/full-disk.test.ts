import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { expectRefusal, isRoot, KiB, MiB, randomFiles, skipBecause } from './support.js';

describe('A peer without room', function () {
  this.timeout(300_000);
  let lab: Lab;

  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  /** Fills a ring of one, and shows that it refuses what is new and keeps what it has. */
  async function fill(peer: Peer, says: RegExp): Promise<void> {
    const ada = await lab.user('ada', peer);
    const small = randomFiles(lab.path('small'), 4, MiB, 1);
    succeeded(await ada.run(['backup', small]));
    const large = randomFiles(lab.path('large'), 12, 4 * MiB, 2);
    expectRefusal(await ada.run(['backup', large]), exitCodes.noSpace, says);
    await expectAllThere(ada, small);
    // Room that was set aside for what was then given up is free again: until the last of it is taken, one at a time.
    let isTaken = false;
    for (let at = 0; !isTaken && at < 60; at += 1) {
      const tiny = randomFiles(lab.path(`tiny ${at}`), 1, 256 * KiB, 100 + at);
      isTaken = (await ada.run(['backup', small, tiny])).code === exitCodes.noSpace;
    }
    expect(isTaken).to.equal(true);
    // It goes on: what is held costs no room, and is not stored again.
    const { code, stdout, stderr } = await ada.run(['status']);
    expect({ code, stderr }).to.deep.equal({ code: exitCodes.done, stderr: '' });
    expect(stdout).to.match(/ its disk is full since /);
    const { damaged, disk } = await lab.status(peer);
    expect(damaged).to.equal(0);
    expect(disk.state).to.equal('full');
    expect(disk.advice).to.match(/add a peer/);
    expect(peer.stderr()).to.match(/ the disk is full: nothing new is kept/);
  }

  async function expectAllThere(client: Client, data: string): Promise<void> {
    const target = lab.path(`restored ${performance.now()}`);
    succeeded(await client.run(['restore', `latest:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
    succeeded(await client.run(['check', '--read-data']));
  }

  it('on its disk refuses what is new, serves what it has, and has it all after a restart', async function () {
    if (!isRoot) skipBecause(this, 'mounting a small file system takes root');
    const disk = lab.mountMemory('disk', 24 * MiB);
    const peer = await lab.peer('p1', { dataPath: `${disk}/data` });
    await fill(peer, /the disk is full/);
    peer.kill('SIGKILL');
    await peer.ended;
    const back = await lab.again(peer);
    expect(back.id).to.equal(peer.id);
    const ada = lab.client('ada');
    await expectAllThere(ada, lab.path('small'));
  });

  it('below its --capacity refuses what is new and serves what it has', async () => {
    const peer = await lab.peer('p1', { args: ['--capacity', '16M', '--log-level', 'warn'] });
    await fill(peer, /capacity/);
    expect((await lab.status(peer)).bytes).to.be.at.most(16 * MiB);
  });
});
