import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { until } from './processes.js';
import { blocksOf, expectRefusal, MiB, randomFiles } from './support.js';

/** Programs that are started with this find that some hours have passed. */
function hoursLater(hours: number): NodeJS.ProcessEnv {
  const code = `const now = Date.now; Date.now = () => now() + ${hours * 3_600_000};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
}

describe('What no snapshot needs any more', function () {
  this.timeout(300_000);
  let lab: Lab;

  beforeEach(() => {
    lab = new Lab();
  });
  afterEach(() => lab.close());

  /** The last line of what a command with `--json` says. */
  async function said(client: Client, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { stdout } = succeeded(await client.run([...args, '--json'], env));
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  }

  const stored = (peer: Peer): number => [...blocksOf(peer).values()].reduce((sum, bytes) => sum + bytes, 0);

  it('is given up when it was not used for some hours, and comes back from the trash', async () => {
    let peer = await lab.peer('p1');
    const ada = await lab.user('ada', peer);
    const data = randomFiles(lab.path('data'), 3, 2 * MiB);
    const { snapshot: first } = await said(ada, ['backup', data]);
    writeFileSync(join(data, 'file 0'), 'short');
    const { snapshot: second } = await said(ada, ['backup', data]);
    succeeded(await ada.run(['forget', String(first).slice(0, 12)]));
    const before = stored(peer);
    // All of it was used just now: a backup that is under way may rely on it.
    expect(await said(ada, ['prune'])).to.include({ snapshots: 1, freedBlocks: 0, dryRun: false });
    expect(stored(peer)).to.equal(before);

    peer.kill('SIGTERM');
    await peer.ended;
    const later = hoursLater(7);
    const { dataPath, address } = peer;
    peer = await lab.peer('p1', { dataPath, address, args: [], env: later });
    const dry = await said(ada, ['prune', '--dry-run'], later);
    expect(dry).to.include({ snapshots: 1, sparedBlocks: 0, dryRun: true });
    expect(dry['freedBytes']).to.be.within(MiB, 3 * MiB);
    expect(stored(peer)).to.equal(before);
    const { stdout } = succeeded(await ada.run(['prune'], later));
    expect(stdout)
      .to.match(/^\d+ blocks, \d\.\d+ MiB a copy, given up/)
      .and.to.contain('needed by 1 snapshot');
    expect(stored(peer)).to.be.lessThan(before - MiB);
    expect(await said(ada, ['prune'], later)).to.include({
      freedBlocks: 0,
      neededBlocks: dry['neededBlocks'],
    });
    succeeded(await ada.run(['check', '--read-data'], later));

    expect(await said(ada, ['undelete'], later)).to.deep.equal({ forgotten: 1 });
    succeeded(await ada.run(['undelete', String(first).slice(0, 12)], later));
    succeeded(await ada.run(['check', '--read-data'], later));
    const target = lab.path('target');
    succeeded(await ada.run(['restore', `${second}:${data}`, '--target', target], later));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  });

  it('is not given up beside a peer that may be cut off from the others', async () => {
    const [first, other] = await lab.ring(2);
    let one: Peer = first;
    const ada = await lab.user('ada', one);
    succeeded(await ada.run(['backup', randomFiles(lab.path('data'), 1, MiB)]));
    expect(await said(ada, ['prune'])).to.include({ snapshots: 1 });
    other!.kill('SIGKILL');
    await other!.ended;
    await until(
      'the peer that is left to be alone',
      async () => (await lab.status(one)).successors.length === 0,
    );
    const before = stored(one);
    expectRefusal(
      await ada.run(['prune', '--peer-addr', one.address]),
      exitCodes.conflict,
      /1 of the 2 machines/,
      new RegExp(other!.address),
      /put other machines in the place/,
    );
    const back = await lab.again(other!);
    await until('both to be there', async () => (await lab.status(one)).successors.length === 1);
    expectRefusal(
      await ada.run(['prune']),
      exitCodes.conflict,
      /2 of the 2 machines .* try again in \d+ min/,
    );
    expect(stored(one)).to.equal(before);

    // What docs/operations.md says of a machine that is the only one left for good.
    back.kill('SIGKILL');
    await back.ended;
    one.kill('SIGTERM');
    await one.ended;
    rmSync(join(one.dataPath, 'peers'));
    one = await lab.again(one);
    expect(await said(ada, ['prune', '--peer-addr', one.address])).to.include({ snapshots: 1 });
  });

  it('is not guessed at', async () => {
    const peer = await lab.peer('p1');
    const ada = await lab.user('ada', peer);
    expect(await said(ada, ['prune'])).to.include({ snapshots: 0, neededBlocks: 0, freedBlocks: 0 });
    succeeded(await ada.run(['backup', randomFiles(lab.path('data'), 1, MiB)]));
    expectRefusal(await ada.run(['prune', '--without-device', 'toaster']), exitCodes.notFound, /toaster/);
    expectRefusal(await ada.run(['prune', '--min-age', '1h']), exitCodes.usage, /min-?age/i);
  });
});
