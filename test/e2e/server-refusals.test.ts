import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { Lab, type Peer } from './harness.js';
import { canHeedPermissions, expectRefusal, heedingPermissions, skipBecause } from './support.js';

describe('peerstore-server, given what it cannot use, says so in one line:', function () {
  this.timeout(300_000);
  let lab: Lab;
  let peer: Peer;

  before(async () => {
    lab = new Lab();
    [peer] = await lab.ring(1);
  });
  after(() => lab.close());

  const serve = (dataPath: string, ...args: string[]): string[] => [
    '--addr',
    '127.0.0.1:0',
    '--data-path',
    dataPath,
    ...args,
  ];

  it('the data path is in use by another peer, which goes on undisturbed', async () => {
    const end = await lab.server(serve(peer.dataPath));
    expectRefusal(end, exitCodes.conflict, /in use by another peer/, /each peer its own/);
    expect((await lab.status(peer)).id).to.equal(peer.id);
  });

  it('the data path is not writable', async function () {
    if (!canHeedPermissions()) skipBecause(this, 'permissions stop root only with setpriv(1)');
    const locked = lab.path('locked');
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    for (const dataPath of [locked, `${locked}/below`]) {
      const end = await lab.server(serve(dataPath), heedingPermissions);
      expectRefusal(end, exitCodes.usage, /cannot use the data path/, /locked/, /permission denied/);
    }
  });

  it('the data path is a file', async () => {
    const file = lab.path('file');
    writeFileSync(file, 'mine');
    expectRefusal(await lab.server(serve(file)), exitCodes.usage, /cannot use the data path/, /file/);
    expect(statSync(file).size).to.equal(4);
  });

  it('the port is taken', async () => {
    const end = await lab.server([
      '--addr',
      peer.address,
      '--data-path',
      lab.path('other'),
      '--log-level',
      'warn',
    ]);
    expectRefusal(end, exitCodes.conflict, new RegExp(peer.address), /choose another port/);
  });

  it('the invite was used, has expired, or is for a user: no state is left that a later start would take up', async () => {
    const spent = await lab.invite(peer, '--peer');
    const second = await lab.peer('second', { args: ['--join', spent, '--log-level', 'warn'] });
    const expired = await lab.invite(peer, '--peer', '--expires', '1s');
    const forUser = await lab.invite(peer, '--user', 'ada');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    for (const [invite, says] of [
      [spent, /already used/],
      [expired, /expired/],
      [forUser, /for a user/],
    ] as const) {
      const end = await lab.server(serve(lab.path('newcomer'), '--join', invite));
      expectRefusal(end, exitCodes.notAdmitted, says);
    }
    const third = await lab.peer('newcomer', { join: peer });
    expect(readdirSync(third.dataPath)).to.include('publickey.pem');
    for (const one of [second, third]) {
      one.kill('SIGTERM');
      expect((await one.ended).code).to.equal(exitCodes.done);
    }
  });

  it('the peer that the invite leads to does not answer; when it does again, the invite is still good', async () => {
    const founder = await lab.peer('founder');
    const invite = await lab.invite(founder, '--peer');
    founder.kill('SIGKILL');
    await founder.ended;
    const join = serve(lab.path('late'), '--join', invite);
    expectRefusal(await lab.server(join), exitCodes.unreachable, new RegExp(founder.address));
    const back = await lab.again(founder);
    const late = await lab.peer('late', { args: ['--join', invite] });
    expect((await lab.status(late)).successors).to.deep.equal([back.id]);
  });

  it('the key file of the peer to enter by is missing', async () => {
    const key = ['--initial-peer-addr', peer.address, '--initial-peer-key-file', lab.path('nothing.pem')];
    const end = await lab.server(serve(lab.path('never made'), ...key));
    expectRefusal(end, exitCodes.usage, /key file/, /nothing\.pem/);
  });

  it('an option is unknown or its value makes no sense', async () => {
    const path = lab.path('never made');
    for (const [args, says] of [
      [['--frobnicate'], /frobnicate/],
      [['--capacity', 'much'], /--capacity .*500M/],
      [['--request-num-workers', '0'], /--request-num-workers/],
      [['--join', 'no invite'], /invite/],
    ] as const) {
      const end = await lab.server(serve(path, ...args));
      expect(end.code).to.be.oneOf([exitCodes.usage, exitCodes.notAdmitted]);
      expectRefusal(end, end.code === exitCodes.usage ? exitCodes.usage : exitCodes.notAdmitted, says);
    }
    expectRefusal(await lab.server(['--addr', 'nowhere', '--data-path', path]), exitCodes.usage, /nowhere/);
    expectRefusal(await lab.server(['--data-path', path]), exitCodes.usage, /addr/);
  });

  it('no peer runs on the data path that a command names', async () => {
    mkdirSync(lab.path('empty'));
    for (const args of [['status'], ['invite', '--peer']]) {
      const end = await lab.server([...args, '--data-path', lab.path('empty')]);
      expectRefusal(end, exitCodes.unreachable, /no peer/, /empty/);
    }
    const aimless = await lab.server(['invite', '--data-path', peer.dataPath]);
    expectRefusal(aimless, exitCodes.usage, /--peer or --user/);
  });
});
