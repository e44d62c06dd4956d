import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { until } from './processes.js';
import { blocksOf, expectRefusal, KiB, MiB, randomFiles } from './support.js';

describe('A ring whose peers are killed with -9', function () {
  this.timeout(300_000);
  let lab: Lab;
  let peers: [Peer, ...Peer[]];
  let ada: Client;

  beforeEach(async () => {
    lab = new Lab();
    peers = await lab.ring(3);
    ada = await lab.user('ada', peers[0]);
  });
  afterEach(() => lab.close());

  const kill = async (peer: Peer): Promise<void> => {
    peer.kill('SIGKILL');
    await peer.ended;
  };

  async function expectRestored(client: Client, data: string): Promise<void> {
    const target = lab.path(`restored ${performance.now()}`);
    succeeded(await client.run(['restore', `latest:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  }

  async function expectAllThere(client: Client, data: string): Promise<void> {
    await expectRestored(client, data);
    succeeded(await client.run(['check', '--read-data']));
  }

  for (const [at, which] of [
    [0, 'the founder'],
    [2, 'one that joined'],
  ] as const) {
    it(`ends a backup well through the others when ${which} dies in the middle of it`, async () => {
      const data = randomFiles(lab.path('data'), 16, 4 * MiB);
      const victim = peers[at]!;
      const backup = await ada.start(['backup', data, '--json']);
      await until('the victim to hold some of it', () => blocksOf(victim).size >= 8);
      expect(backup.stdout(), 'killed in time').to.equal('');
      await kill(victim);
      const end = succeeded(await backup.ended);
      expect(JSON.parse(end.stdout)).to.include({ files: 16, bytes: 64 * MiB, errors: 0 });
      await expectAllThere(ada, data);

      // What it has acknowledged it has; back in the ring, it stays there by what it remembers alone.
      const before = blocksOf(victim);
      const back = await lab.again(victim);
      expect(back.id).to.equal(victim.id);
      for (const [id, size] of before) expect(blocksOf(back).get(id)).to.equal(size);
      const others = peers.filter(({ id }) => id !== victim.id).map(({ id }) => id);
      expect((await lab.status(back)).successors).to.have.members(others);
      succeeded(await ada.run(['check', '--read-data']));
    });
  }

  it('refuses writes when one of three is left, and serves what that one holds', async () => {
    const data = randomFiles(lab.path('data'), 8, 256 * KiB);
    succeeded(await ada.run(['backup', data]));
    await until('every copy to be in its place', () =>
      peers.every((peer) => blocksOf(peer).size === blocksOf(peers[0]).size),
    );
    await kill(peers[1]!);
    await kill(peers[2]!);
    const more = randomFiles(lab.path('more'), 2, 256 * KiB, 2);
    const refused = ada.run(['backup', more]);
    const checked = ada.run(['check']);
    await expectRestored(ada, data);
    succeeded(await checked);
    expectRefusal(await refused, exitCodes.unreachable, /copies/, /too few peers/);
    // Nothing half-made is in the list.
    const { stdout } = succeeded(await ada.run(['snapshots', '--json']));
    expect(stdout.trim().split('\n')).to.have.length(1);

    await lab.again(peers[2]!);
    succeeded(await ada.run(['backup', more]));
    await expectAllThere(ada, more);
  });

  for (const [how, again] of [
    [
      'one after the other, the last first',
      async () => {
        for (const peer of [...peers].reverse()) await lab.again(peer);
      },
    ],
    [
      'all at once',
      async () => {
        await Promise.all(peers.map((peer) => lab.again(peer)));
      },
    ],
  ] as const) {
    it(`has everything when all of them died and are started again ${how}`, async () => {
      const data = randomFiles(lab.path('data'), 8, 256 * KiB);
      succeeded(await ada.run(['backup', data]));
      for (const peer of peers) await kill(peer);
      await again();
      await expectAllThere(ada, data);
      for (const peer of peers) {
        const others = peers.filter(({ id }) => id !== peer.id).map(({ id }) => id);
        await until(
          'the ring to be whole',
          async () => {
            const { successors } = await lab.status(peer);
            return others.every((id) => successors.includes(id));
          },
          60_000,
        );
      }
      const more = randomFiles(lab.path('more'), 2, 256 * KiB, 2);
      succeeded(await ada.run(['backup', more]));
      await expectAllThere(ada, more);
    });
  }

  it('comes together again when its peers found nobody at first, because one has moved', async () => {
    const [first, second] = peers as unknown as [Peer, Peer, Peer];
    const memory = join(first.dataPath, 'peers');
    const remembers = (): boolean => existsSync(memory) && readFileSync(memory).includes(second.address);
    await until('the one that will move to remember the other on disk', remembers);
    for (const peer of peers) await kill(peer);
    const moved = await lab.peer('moved', { dataPath: first.dataPath, args: [] });
    const stayed = await lab.again(second);
    for (const peer of [moved, stayed]) expect(peer.stderr()).to.include('this peer serves alone');
    const met = async (): Promise<boolean> => (await lab.status(stayed)).successors.includes(moved.id);
    await until('the two to find each other', met, 60_000);
  });
});
