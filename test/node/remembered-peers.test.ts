import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import type { Clock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import {
  type PeerMemory,
  peerMemoryFile,
  RememberedPeers,
  type RememberedPeer,
} from '../../src/node/remembered-peers.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { collectingLogger } from '../wire/helpers.js';

const minuteMs = 60_000;
const ids = (peers: readonly PeerRef[]): number[] => peers.map(({ id }) => parseInt(id, 16));

function memory(
  entries: readonly RememberedPeer[] = [],
): PeerMemory & { saves: (readonly RememberedPeer[])[] } {
  const saves: (readonly RememberedPeer[])[] = [];
  return {
    saves,
    load: () => Promise.resolve(saves.at(-1) ?? entries),
    save: (peers) => {
      saves.push(peers);
      return Promise.resolve();
    },
  };
}

/** A clock that stands still, and whose wall time can jump. */
function jumpingClock(): Clock & { jumpMs: number } {
  const still = new VirtualClock();
  return {
    jumpMs: 0,
    nowMs() {
      return still.nowMs() + this.jumpMs;
    },
    monotonicMs: () => still.monotonicMs(),
    setTimer: () => ({ cancel: () => undefined }),
  };
}

describe('node/remembered-peers', () => {
  it('names those seen last first, never the peer itself', () => {
    const peers = new RememberedPeers(peerAt(9).id, new VirtualClock(), memory());
    peers.see([peerAt(1), peerAt(9), peerAt(2)]);
    peers.see([peerAt(1)]);
    expect(ids(peers.all())).to.deep.equal([1, 2]);
  });

  it('notes whom others remember, for the last: they count for nothing', async () => {
    const disk = memory();
    const peers = new RememberedPeers(peerAt(9).id, new VirtualClock(), disk);
    peers.see([peerAt(1)]);
    peers.hearOf([peerAt(1), peerAt(9), peerAt(2), peerAt(3)]);
    expect(ids(peers.all())).to.deep.equal([1, 3, 2]);
    expect([...peers.machinesSeen(minuteMs)]).to.deep.equal([peerAt(1).machine]);
    expect(peers.seenWithin(minuteMs)).to.deep.equal([peerAt(1)]);
    await peers.save();
    const again = new RememberedPeers(peerAt(9).id, new VirtualClock(), disk);
    await again.load();
    expect(ids(again.all())).to.deep.equal([1, 3, 2]);
    expect(again.machinesSeen(minuteMs).size).to.equal(1);
  });

  it('tells of those that some pointers do not name: who is proved first, and who was seen last', () => {
    const peers = new RememberedPeers(peerAt(9).id, new VirtualClock(), memory());
    peers.see([1, 2, 3, 4, 5].map(peerAt), (id) => id !== peerAt(5).id);
    const state = { self: peerAt(9), predecessor: peerAt(1), successors: [peerAt(3), peerAt(1)] };
    expect(ids(peers.absentFrom(state, 8))).to.deep.equal([4, 2, 5]);
    expect(ids(peers.absentFrom(state, 2))).to.deep.equal([4, 2]);
  });

  it('keeps no more than its bound: those seen longest ago go', () => {
    const peers = new RememberedPeers(peerAt(9000).id, new VirtualClock(), memory());
    peers.see(Array.from({ length: limits.rememberedPeers + 5 }, (_, at) => peerAt(at)));
    expect(peers.all()).to.have.length(limits.rememberedPeers);
    expect(ids(peers.all()).at(-1)).to.equal(5);
  });

  it('hearsay goes first, and neither displaces nor moves whoever has answered', () => {
    const peers = new RememberedPeers(peerAt(9000).id, new VirtualClock(), memory());
    const proved = Array.from({ length: 10 }, (_, at) => peerAt(at));
    peers.see(proved);
    const invented = Array.from({ length: limits.rememberedPeers }, (_, at) => peerAt(100 + at));
    peers.see([...proved.map((peer) => ({ ...peer, address: 'nowhere:1' })), ...invented], () => false);
    expect(peers.all()).to.have.length(limits.rememberedPeers);
    for (const peer of proved) expect(peers.has(peer)).to.equal(true);
    expect(peers.has(invented.at(-1)!), 'nobody has spoken with it').to.equal(false);
    peers.see([invented.at(-1)!]);
    expect(peers.has(invented.at(-1)!)).to.equal(true);
  });

  it('remembers what is hearsay across restarts', async () => {
    const disk = memory();
    const before = new RememberedPeers(peerAt(9).id, new VirtualClock(), disk);
    before.see([peerAt(1), peerAt(2)], (id) => id === peerAt(1).id);
    await before.save();
    const after = new RememberedPeers(peerAt(9).id, new VirtualClock(), disk);
    await after.load();
    expect([after.has(peerAt(1)), after.has(peerAt(2))]).to.deep.equal([true, false]);
  });

  it('a machine counts as one of the ring for as long as it was seen lately', async () => {
    const clock = new VirtualClock();
    const peers = new RememberedPeers(peerAt(9).id, clock, memory());
    peers.see([peerAt(1)]);
    await clock.runFor(5 * minuteMs);
    peers.see([peerAt(2)]);
    expect(peers.machinesSeen(10 * minuteMs).size).to.equal(2);
    await clock.runFor(6 * minuteMs);
    expect([...peers.machinesSeen(10 * minuteMs)]).to.deep.equal([peerAt(2).machine]);
  });

  it('a jump of the wall clock does not empty the roster', () => {
    const clock = jumpingClock();
    const peers = new RememberedPeers(peerAt(9).id, clock, memory());
    peers.see([peerAt(1)]);
    clock.jumpMs = 1000 * minuteMs;
    expect(peers.machinesSeen(10 * minuteMs).size).to.equal(1);
  });

  it('a jump of the wall clock does not empty the roster of the next start', async () => {
    const clock = jumpingClock();
    const kept = memory();
    const peers = new RememberedPeers(peerAt(9).id, clock, kept);
    peers.see([peerAt(1)]);
    clock.jumpMs = 60 * minuteMs;
    peers.see([peerAt(2)]);
    await peers.save();
    const restarted = new RememberedPeers(peerAt(9).id, clock, kept);
    await restarted.load();
    expect(restarted.machinesSeen(10 * minuteMs).size).to.equal(2);
  });

  it('the time in which the peer was off does not count as absence of the others', async () => {
    const clock = new VirtualClock();
    const kept = memory();
    const before = new RememberedPeers(peerAt(9).id, clock, kept);
    before.see([peerAt(1)]);
    await clock.runFor(8 * minuteMs);
    before.see([peerAt(2)]);
    await before.save();
    await clock.runFor(10_000 * minuteMs);
    const after = new RememberedPeers(peerAt(9).id, clock, kept);
    await after.load();
    expect(after.machinesSeen(10 * minuteMs).size).to.equal(2);
    await clock.runFor(3 * minuteMs);
    expect([...after.machinesSeen(10 * minuteMs)]).to.deep.equal([peerAt(2).machine]);
  });

  it('one that said goodbye counts no more, and is still a way back, also after a restart', async () => {
    const clock = new VirtualClock();
    const kept = memory();
    const peers = new RememberedPeers(peerAt(9).id, clock, kept);
    peers.see([peerAt(1), peerAt(2)]);
    peers.left(peerAt(1).id);
    await peers.save();
    const after = new RememberedPeers(peerAt(9).id, clock, kept);
    await after.load();
    for (const either of [peers, after]) {
      expect([...either.machinesSeen(minuteMs)]).to.deep.equal([peerAt(2).machine]);
      expect(ids(either.all())).to.have.members([1, 2]);
    }
  });

  it('one that said goodbye to come back is of those of the last weeks, also after a restart; one that left for good is not', async () => {
    const clock = new VirtualClock();
    const kept = memory();
    const peers = new RememberedPeers(peerAt(9).id, clock, kept);
    peers.see([peerAt(1), peerAt(2), peerAt(3)]);
    peers.left(peerAt(1).id);
    peers.left(peerAt(2).id, true);
    await clock.runFor(5 * minuteMs);
    peers.see([peerAt(3)]);
    await peers.save();
    const after = new RememberedPeers(peerAt(9).id, clock, kept);
    await after.load();
    for (const either of [peers, after]) {
      expect(ids(either.seenWithin(6 * minuteMs))).to.have.members([1, 3]);
      expect(ids(either.seenWithin(4 * minuteMs))).to.deep.equal([3]);
    }
  });

  it('a quiet ring is written once a minute at most, a change at once', async () => {
    const clock = new VirtualClock();
    const kept = memory();
    const peers = new RememberedPeers(peerAt(9).id, clock, kept);
    for (let second = 0; second < 300; second += 1) {
      peers.see([peerAt(1)]);
      await peers.save();
      await clock.runFor(1000);
    }
    expect(kept.saves.length).to.be.within(4, 6);
    peers.see([{ ...peerAt(1), address: '10.0.0.1:1' }]);
    await peers.save();
    expect(kept.saves.at(-1)?.[0]?.peer.address).to.equal('10.0.0.1:1');
  });

  it('says once that there is something to save, and again when there is more', async () => {
    let changes = 0;
    const peers = new RememberedPeers(peerAt(9).id, new VirtualClock(), memory(), () => (changes += 1));
    peers.see([peerAt(1)]);
    peers.see([peerAt(1), peerAt(2)]);
    expect(changes).to.equal(1);
    await peers.save();
    peers.see([peerAt(1)]);
    expect(changes).to.equal(1);
    peers.left(peerAt(1).id);
    expect(changes).to.equal(2);
  });

  it('tries again to write what could not be written', async () => {
    const kept = memory();
    let fails = true;
    const flaky: PeerMemory = {
      load: () => kept.load(),
      save: (entries) => (fails ? Promise.reject(new Error('disk full')) : kept.save(entries)),
    };
    const peers = new RememberedPeers(peerAt(9).id, new VirtualClock(), flaky);
    peers.see([peerAt(1)]);
    const failure = await peers.save().catch((error: unknown) => error);
    expect(failure).to.be.an('error');
    fails = false;
    await peers.save();
    expect(kept.saves).to.have.length(1);
  });

  describe('on disk', () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'peerstore-remembered-'));
    });
    afterEach(async () => {
      await rm(directory, { recursive: true, force: true });
    });

    it('is read as it was written; no file is an empty list', async () => {
      const file = peerMemoryFile(join(directory, 'peers'), seededRandom(1), silentLogger);
      expect(await file.load()).to.deep.equal([]);
      const entries = [
        { peer: peerAt(1), lastSeenMs: 7 },
        { peer: { ...peerAt(2), zone: 'attic' }, lastSeenMs: 0 },
        { peer: peerAt(3), lastSeenMs: 0, leftMs: 5 },
      ];
      await file.save(entries);
      expect(await file.load()).to.deep.equal(entries);
    });

    it('a damaged file costs the list and one warning, wherever it is cut or changed', async () => {
      const path = join(directory, 'peers');
      await peerMemoryFile(path, seededRandom(1), silentLogger).save([{ peer: peerAt(1), lastSeenMs: 7 }]);
      const good = await readFile(path);
      const samples = [
        Buffer.alloc(0),
        good.subarray(0, good.length - 1),
        Buffer.from('garbage'),
        Buffer.alloc(1000, 0xff),
      ];
      for (const bytes of samples) {
        await writeFile(path, bytes);
        const { log, lines } = collectingLogger('warn');
        expect(await peerMemoryFile(path, seededRandom(1), log).load()).to.deep.equal([]);
        expect(lines).to.have.length(1);
        expect(lines[0]).to.contain(path);
      }
    });
  });
});
