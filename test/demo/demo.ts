/**
 * The main job, shown: a ring of five peers on this machine takes an encrypted backup of this clone, one peer is killed,
 * and everything comes back through the others. It leaves no process and no file behind, however it ends.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

import { exitCodes } from '../../src/cli/exit-codes.js';
import { showCount, showSize } from '../../src/cli/units.js';
import { Lab, type Peer, root } from '../e2e/harness.js';
import { until } from '../e2e/processes.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { ringPicture } from './ring-picture.js';
import { Story } from './story.js';

const peerCount = 5;
const fileCountMin = 2000;
/** What is backed up, of this clone. */
const parts = ['docs', 'src', 'test', 'node_modules'];

async function show(lab: Lab, story: Story): Promise<void> {
  story.title('PeerStore: a ring of five peers takes an encrypted backup and gives it back');
  story.say(`Everything happens in ${lab.directory} and on 127.0.0.1, and is gone afterwards.`);

  const peers = await story.step(
    `Start ${peerCount} peers: one founds the ring, the others join by invite`,
    async () => {
      const ring = await lab.ring(peerCount);
      await untilWhole(lab, ring);
      return ring;
    },
  );
  const [founder] = peers;
  await showRing(lab, story, peers);

  const ada = await story.step('Invite the user ada, and make her key file', async () => {
    const client = await lab.user('ada', founder);
    story.say('Her recovery phrase was printed once; nobody but her can read what she stores.');
    return client;
  });

  const paths = parts.map((part) => realpathSync(join(root, part)));
  await story.step(`Back up ${parts.join(', ')} of this clone`, async () => {
    const { files, dirs, bytes, storedBytes } = await ada.json(['backup', ...paths]);
    if (Number(files) < fileCountMin) {
      throw new Error(`only ${String(files)} files were found; run npm ci first`);
    }
    story.say(
      `${showCount(Number(files), 'file')} in ${Number(dirs).toLocaleString('en-US')} directories, ` +
        `${showSize(Number(bytes))}; sealed, shared and compressed: ${showSize(Number(storedBytes))}, on three peers each.`,
    );
  });
  await story.step('Back up again: only what has changed is sent', async () => {
    const { newBytes, storedBytes } = await ada.json(['backup', ...paths]);
    story.say(`${showSize(Number(newBytes))} new, ${showSize(Number(storedBytes))} stored.`);
  });
  await showRing(lab, story, peers);

  // Not the founder: it is the address that the client would try first, but any of them may go.
  const [victim, survivors] = [peers[2]!, peers.filter((_, at) => at !== 2)];
  await story.step(`Kill one peer without warning: kill -9 ${victim.pid} (${victim.address})`, async () => {
    victim.kill('SIGKILL');
    await victim.ended;
  });

  const target = lab.path('restored');
  await story.step('Restore everything through the other four', async () => {
    const { files, bytes } = await ada.json(['restore', '--target', target]);
    story.say(`${showCount(Number(files), 'file')}, ${showSize(Number(bytes))}.`);
  });
  await story.step('Compare with the originals: every byte, mode, owner, link and mtime', async () => {
    for (const path of paths) {
      const differences = await compareTrees(path, join(target, path));
      if (differences.length > 0) throw new Error(`not the same:\n${differences.join('\n')}`);
    }
    story.say('The same in every respect.');
  });

  await story.step('Get one file back, and check that every reference is there', async () => {
    const wanted = join(root, 'docs/architecture.md');
    const copy = lab.path(basename(wanted));
    const { bytes } = await ada.json(['getfile', '--filename', wanted, '--filedest', copy]);
    story.say(`${basename(wanted)}: ${showSize(Number(bytes))}.`);
    const { snapshots, blocks } = await ada.json(['check']);
    story.say(
      `${showCount(Number(snapshots), 'snapshot')}, ${showCount(Number(blocks), 'block')}: nothing is missing.`,
    );
  });
  await story.step('See the ring close over the gap', () => untilWhole(lab, survivors));
  await showRing(lab, story, survivors);

  await story.step('Stop the four others', async () => {
    for (const peer of survivors) peer.kill('SIGTERM');
    for (const { ended, name } of survivors) {
      const { code, stderr } = await ended;
      if (code !== exitCodes.done) throw new Error(`${name} ended with ${code ?? 'a signal'}: ${stderr}`);
    }
  });
}

async function showRing(lab: Lab, story: Story, peers: readonly Peer[]): Promise<void> {
  story.picture(ringPicture(await Promise.all(peers.map((peer) => lab.status(peer)))));
}

/** Waits until every peer names all the others, in the order of the ring. */
async function untilWhole(lab: Lab, peers: readonly Peer[]): Promise<void> {
  const ids = peers.map(({ id }) => id).sort();
  await until('the ring to be whole', async () => {
    const all = await Promise.all(peers.map((peer) => lab.status(peer)));
    return all.every(({ id, successors, predecessor }) => {
      const at = ids.indexOf(id);
      const expected = [...ids.slice(at + 1), ...ids.slice(0, at)];
      return predecessor === expected.at(-1) && successors.join() === expected.join();
    });
  });
}

const lab = new Lab();
const story = new Story(process.stdout);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The lab cleans up when the process exits.
    story.end('Interrupted. Ending the peers and removing their directory.');
    process.exit(exitCodes.interrupted);
  });
}
try {
  await show(lab, story);
  await lab.close();
  if (existsSync(lab.directory)) throw new Error(`${lab.directory} could not be removed`);
  story.end('Done. No process and no file is left behind.');
} catch (error) {
  process.exitCode = exitCodes.unplanned;
  story.fail(error instanceof Error ? error.message : String(error));
} finally {
  await lab.close();
}
