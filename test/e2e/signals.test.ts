import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { until } from './processes.js';
import { blocksOf, expectRefusal, MiB, randomFiles } from './support.js';

describe('A signal', function () {
  this.timeout(300_000);
  let lab: Lab;
  let peers: [Peer, ...Peer[]];
  let ada: Client;

  before(async () => {
    lab = new Lab();
    // The log is looked at: who was told, and who had to find out.
    peers = await lab.ring(4, { args: ['--log-level', 'info'] });
    ada = await lab.user('ada', peers[0]);
  });
  after(() => lab.close());

  const total = 96 * MiB;

  it('SIGINT in the middle of a backup ends it with 130, and the next run goes on from what is stored', async () => {
    const data = randomFiles(lab.path('data'), 24, total / 24);
    const first = await ada.start(['backup', data, '--json']);
    await until('a part of it to be stored', () => storedBytes(peers) > total / 2);
    first.kill('SIGINT');
    expectRefusal(await first.ended, exitCodes.interrupted, /interrupted/, /used by the next run/);
    expect((await ada.run(['snapshots', '--json'])).stdout, 'no snapshot of a part').to.equal('');

    const already = storedBytes(peers);
    expect(already).to.be.within(total / 2, total - 8 * MiB, 'it was in the middle');
    const second = await ada.json(['backup', data]);
    expect(second).to.include({ files: 24, bytes: total, errors: 0 });
    // Content is random: what is stored is as long as what is new, but for packs that had to be filled anew.
    expect(second['storedBytes']).to.be.below(total - already + limits.blockBytes + MiB);
    // What arrived while nobody waited for it any more is found by its id, but the client had not noted it as stored.
    expect(second['newBytes']).to.be.below(total - already + limits.archiveBytesInFlight);
    const third = await ada.json(['backup', data]);
    expect(third['newBytes']).to.equal(0);

    const target = lab.path('restored');
    succeeded(await ada.run(['restore', `latest:${data}`, '--target', target]));
    expect(await compareTrees(data, target)).to.deep.equal([]);
  });

  it('SIGTERM to a peer: it finishes, tells its neighbours, and ends with 0', async () => {
    const leaving = peers[3]!;
    const others = peers.slice(0, 3);
    leaving.kill('SIGTERM');
    const end = await leaving.ended;
    expect(end.code).to.equal(exitCodes.done);
    expect(end.stderr).not.to.match(/ (warn|error) /);
    for (const other of others) {
      await until('the ring to do without it', async () => {
        const { successors, predecessor } = await lab.status(other);
        return predecessor !== leaving.id && !successors.includes(leaving.id);
      });
      expect(other.stderr(), 'nobody had to find out').not.to.include('a peer is gone');
    }
    succeeded(await ada.run(['check']));
  });

  it('a second one to a peer ends it at once, and it starts again as if nothing had been', async () => {
    const [founder, neighbour, stopping] = peers as unknown as [Peer, Peer, Peer];
    // Whoever leaves waits for its neighbours' answers: while these cannot answer, it has not ended.
    founder.kill('SIGSTOP');
    neighbour.kill('SIGSTOP');
    try {
      stopping.kill('SIGTERM');
      await until('it to be stopping', () => stopping.stderr().includes('stopping: finishing'));
      stopping.kill('SIGTERM');
      const end = await stopping.ended;
      expect(end.code).to.equal(exitCodes.interrupted);
      expect(end.stderr).to.include('a second time');
    } finally {
      founder.kill('SIGCONT');
      neighbour.kill('SIGCONT');
    }
    const before = blocksOf(stopping);
    const back = await lab.again(stopping);
    expect(blocksOf(back)).to.deep.equal(before);
    expect((await lab.status(back)).successors).to.have.members([founder.id, neighbour.id]);
    succeeded(await ada.run(['check']));
  });
});

/** Bytes of the distinct blocks that have arrived at a majority of their three holders. */
function storedBytes(peers: readonly Peer[]): number {
  const copies = new Map<string, { count: number; size: number }>();
  for (const peer of peers) {
    for (const [id, size] of blocksOf(peer))
      copies.set(id, { count: (copies.get(id)?.count ?? 0) + 1, size });
  }
  return [...copies.values()].reduce((sum, { count, size }) => sum + (count >= 2 ? size : 0), 0);
}
