import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import type { ServerStatus } from '../../src/cli/server-status.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { type Client, Lab, type Peer, succeeded } from './harness.js';
import { until } from './processes.js';
import { blocksOf, isRoot, KiB, MiB, randomFiles, skipBecause } from './support.js';

/** Copies are made anew soon, so that the test need not wait for minutes. */
const soon = { args: ['--repair-after', '2s', '--scrub-every', '20s', '--log-level', 'warn'] };

describe('A ring that loses machines and disks', function () {
  this.timeout(300_000);
  let lab: Lab;
  let ada: Client;
  /** What was stored: directories, and the snapshots of them. */
  const stored = new Map<string, unknown>();
  /** Those that run; the first one founded the ring, and lets others in. */
  let peers: Peer[];

  before(async () => {
    lab = new Lab();
    peers = await lab.ring(7, soon);
    ada = await lab.user('ada', peers[0]!);
    await store(randomFiles(lab.path('data'), 96, 512 * KiB));
  });
  after(() => lab.close());

  /** Everybody has compared all of its keys with all holders since now, and nothing is short of copies. */
  async function untilWhole(): Promise<void> {
    const since = new Date().toISOString();
    await until(
      'the ring to be whole',
      async () => {
        const seen = await Promise.all(peers.map((peer) => lab.status(peer)));
        return seen.every(({ successors }) => successors.length === peers.length - 1);
      },
      120_000,
    );
    await until(
      'nothing to be short of copies',
      async () => {
        const seen = await Promise.all(peers.map((peer) => lab.status(peer)));
        return seen.every(
          ({ keysShort, keysLookedAt }) => keysShort === 0 && keysLookedAt !== null && keysLookedAt > since,
        );
      },
      120_000,
    );
  }

  async function store(data: string): Promise<void> {
    stored.set(data, (await ada.json(['backup', data, '--json']))['snapshot']);
  }

  async function expectAllThere(): Promise<void> {
    for (const [data, snapshot] of stored) {
      const target = lab.path(`restored ${performance.now()}`);
      succeeded(await ada.run(['restore', `${String(snapshot)}:${data}`, '--target', target]));
      expect(await compareTrees(data, target)).to.deep.equal([]);
      rmSync(target, { recursive: true });
    }
  }

  const lose = async (...lost: readonly Peer[]): Promise<void> => {
    for (const peer of lost) peer.kill('SIGKILL');
    await Promise.all(lost.map(({ ended }) => ended));
    for (const peer of lost) rmSync(peer.dataPath, { recursive: true });
    peers = peers.filter((peer) => !lost.includes(peer));
  };

  /** Another peer in the place of one that stopped. */
  const again = async (peer: Peer): Promise<Peer> => {
    const back = await lab.peer(peer.name, { ...soon, dataPath: peer.dataPath });
    peers = peers.map((one) => (one === peer ? back : one));
    return back;
  };

  /** Of those that can be lost, the one that holds most: who holds how much depends on identifiers, which nobody chooses. */
  const fullest = (): Peer =>
    peers.slice(1).reduce((most, peer) => (blocksOf(peer).size > blocksOf(most).size ? peer : most));

  it('shows its status, for people and for scripts', async () => {
    const peer = fullest();
    const status = ['status', '--data-path', peer.dataPath];
    const { keys, ...seen } = JSON.parse(
      succeeded(await lab.server([...status, '--json'])).stdout,
    ) as ServerStatus;
    expect(keys).to.be.greaterThan(0);
    expect(seen.id).to.equal((await lab.status(peer)).id);
    expect(seen.successors).to.have.length(6);
    expect(succeeded(await lab.server(status)).stdout).to.contain(seen.id);
  });

  it('loses one for good, three times over, and each time makes all copies anew', async () => {
    for (let time = 0; time < 3; time += 1) {
      await lose(peers[1]!);
      await untilWhole();
      await expectAllThere();
    }
  });

  it('gives newcomers their share, and loses two at the same moment', async () => {
    for (const name of ['p8', 'p9', 'p10']) peers.push(await lab.peer(name, { ...soon, join: peers[0]! }));
    await untilWhole();
    await lose(peers[1]!, peers[2]!);
    await untilWhole();
    await expectAllThere();
  });

  it('finds blocks with wrong bytes, and has others replace them', async () => {
    const victim = fullest();
    const ids = [...blocksOf(victim).keys()].slice(0, 5);
    expect(ids).to.have.length(5);
    for (const id of ids) writeFileSync(join(victim.dataPath, 'blocks', id.slice(0, 2), id), 'rot');
    await until(
      'the damage to be found and mended',
      async () => {
        const { damaged, mended } = await lab.status(victim);
        const there = blocksOf(victim);
        return damaged >= ids.length && mended >= ids.length && ids.every((id) => (there.get(id) ?? 0) > 3);
      },
      120_000,
    );
    await expectAllThere();
  });

  for (const part of ['index', 'blocks', 'records'])
    it(`makes anew what was deleted of a disk: ${part}`, async () => {
      const victim = fullest();
      const { keys } = await lab.status(victim);
      expect(keys).to.be.greaterThan(0);
      victim.kill('SIGKILL');
      await victim.ended;
      rmSync(join(victim.dataPath, part), { recursive: true });
      const back = await again(victim);
      await until('the peer to have what it had', async () => (await lab.status(back)).keys >= keys, 120_000);
      await untilWhole();
      await expectAllThere();
    });

  it('goes on with a full disk among its own', async function () {
    if (!isRoot) skipBecause(this, 'mounting a small file system takes root');
    const disk = lab.mountMemory('disk', 12 * MiB);
    const small = await lab.peer('small', { ...soon, join: peers[0]!, dataPath: `${disk}/data` });
    peers.push(small);
    await store(randomFiles(lab.path('more'), 24, MiB, 7));
    await expectAllThere();
    await lose(small);
    await untilWhole();
  });

  it('lets one go in good order while a backup runs', async () => {
    const leaving = peers.at(-1)!;
    const backup = store(randomFiles(lab.path('busy'), 32, MiB, 8));
    succeeded(await lab.server(['drain', '--data-path', leaving.dataPath]));
    expect((await leaving.ended).code).to.equal(0);
    await backup;
    expect(blocksOf(leaving).size).to.equal(0);
    peers = peers.filter((peer) => peer !== leaving);
    await untilWhole();
    await expectAllThere();
  });
});
