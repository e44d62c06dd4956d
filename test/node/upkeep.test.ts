import { expect } from 'chai';

import { defaultIntervals, intervalsFor, longestSilenceMs } from '../../src/node/upkeep.js';
import type { Id } from '../../src/ring/identifier.js';
import type { MemoryMessage } from '../../src/wire/memory.js';
import { World } from '../sim/world.js';

const minuteMs = 60_000;

/** Counts the requests that are made from now on, by method. */
function countRequests(world: World): Map<string, number> {
  const counts = new Map<string, number>();
  world.fault = ({ kind, method }) => {
    if (kind === 'request') counts.set(method, (counts.get(method) ?? 0) + 1);
    return undefined;
  };
  return counts;
}

/** A ring that has been quiet for so long that everything has slowed down. */
async function quietRing(seed: number, count: number): Promise<World> {
  const world = new World({ seed });
  await world.grow(count);
  await world.untilIdeal();
  await world.clock.runFor(10 * minuteMs);
  return world;
}

describe('node/upkeep', () => {
  it('looks after what is wanted soon as often as that, and not more seldom than usual', () => {
    const { repair, scrub } = defaultIntervals;
    const repairing = (repairAfterMs: number) =>
      intervalsFor({ repairAfterMs, scrubEveryMs: 86_400_000 }, defaultIntervals).repair;
    expect(repairing(0)).to.deep.equal({ ...repair, longestMs: repair.shortestMs });
    expect(repairing(5_000)).to.deep.equal({ ...repair, longestMs: 5_000 });
    expect(repairing(3_600_000)).to.deep.equal(repair);
    const scrubbing = (scrubEveryMs: number) =>
      intervalsFor({ repairAfterMs: 0, scrubEveryMs }, defaultIntervals).scrub;
    expect(scrubbing(20_000)).to.deep.equal({ shortestMs: 1_000, longestMs: 1_000 });
    expect(scrubbing(30 * 86_400_000)).to.deep.equal(scrub);
  });

  it('a quiet ring asks its successors, now and then a finger, and nothing else', async () => {
    const count = 24;
    const world = await quietRing(1, count);
    const counts = countRequests(world);
    const { events } = world.clock;
    const minutes = 20;
    await world.clock.runFor(minutes * minuteMs);
    const perPeerAndMinute = (sum: number): number => sum / count / minutes;
    expect(perPeerAndMinute(counts.get('successorList') ?? 0)).to.be.within(11, 13);
    // Whoever looks around through eight others asks the neighbours to whom they all lead once.
    expect(perPeerAndMinute(counts.get('successor') ?? 0)).to.be.lessThan(5);
    for (const method of ['ping', 'notify', 'announce'])
      expect(counts.get(method), method).to.equal(undefined);
    // A question is three events: its timer, its arrival and the answer's.
    expect(perPeerAndMinute(world.clock.events - events)).to.be.lessThan(60);
  });

  it('a ring of one has no more to do than to empty its trash, and now and then to look around', async () => {
    const world = new World({ seed: 2 });
    await world.grow(1);
    await world.clock.runFor(10 * minuteMs);
    const counts = countRequests(world);
    const { events } = world.clock;
    await world.clock.runFor(20 * minuteMs);
    expect([...counts]).to.deep.equal([]);
    expect((world.clock.events - events) / 20).to.be.lessThan(16);
  });

  for (const count of [1, 2, 5, 20]) {
    it(`a newcomer to a quiet ring of ${count} is known to its predecessor at once`, async () => {
      const world = await quietRing(10 + count, count);
      for (let time = 0; time < 5; time += 1) {
        const newcomer = world.peer();
        const joined = newcomer.start(world.live.slice(0, 1));
        await world.clock.runUntil('it is inside', () => newcomer.state !== undefined, minuteMs);
        const before = world.peers.find(({ id }) => id === world.trueOrder(newcomer.id).at(-1)?.id)!;
        const isKnown = (): boolean => before.state?.successors[0]?.id === newcomer.id;
        const sinceMs = world.clock.monotonicMs();
        await world.clock.runUntil('it is known', isKnown, minuteMs);
        // The announcement waits for 20 ms, and then there are three messages of 5 ms.
        expect(world.clock.monotonicMs() - sinceMs).to.be.lessThan(60);
        await world.clock.run(joined);
      }
      await world.untilIdeal();
      expect(world.violations).to.deep.equal([]);
    });
  }

  for (const seed of [30, 31, 32, 33]) {
    it(`while a crowd joins at once, nobody who is on the ring falls off it (seed ${seed})`, async () => {
      const world = await quietRing(seed, 3);
      const onRing = new Set<Id>();
      const fallen = new Set<Id>();
      const look = (): void => {
        const now = new Set(world.checker.shape.rings.flat());
        for (const id of onRing) if (!now.has(id)) fallen.add(id);
        // Who is on the way in may begin anew by another member.
        for (const id of now) if (world.peerOf(id)?.isInside === true) onRing.add(id);
      };
      world.listeners.add(look);
      const crowd = Array.from({ length: 30 }, () => world.peer());
      await world.clock.run(Promise.all(crowd.map((peer) => peer.start(world.live.slice(0, 1)))));
      await world.untilIdeal();
      look();
      expect(onRing.size).to.equal(33);
      expect([...fallen]).to.deep.equal([]);
    });
  }

  it('what one peer finds out is known as far back as lists reach, without waiting for rounds', async () => {
    const world = await quietRing(3, 30);
    const [gone] = world.live.slice(7);
    gone!.crash();
    const isDropped = (): boolean => world.live.some(({ state }) => state?.successors[14]?.id === gone!.id);
    const firstDrop = (): boolean => {
      const before = world.peers.find(({ id }) => id === world.trueOrder(gone!.id).at(-1)?.id)!;
      return before.state?.successors[0]?.id !== gone!.id;
    };
    expect(isDropped()).to.equal(true);
    await world.clock.runUntil('its predecessor has dropped it', firstDrop, minuteMs);
    expect(await world.untilIdeal()).to.be.lessThan(3_000);
    expect(world.violations).to.deep.equal([]);
  });

  it('announcements and notifies that are lost only cost time', async () => {
    const world = await quietRing(4, 12);
    const lost = ({ method, kind }: MemoryMessage): boolean =>
      kind === 'request' && (method === 'announce' || (method === 'notify' && world.random.below(2) === 0));
    world.fault = (message) => (lost(message) ? 'lose' : undefined);
    world.live[3]!.crash();
    await world.clock.run(world.peer().start(world.live.slice(0, 1)));
    expect(await world.untilIdeal()).to.be.lessThan(2 * minuteMs);
    expect(world.violations).to.deep.equal([]);
  });

  it('a predecessor is asked whether it lives only when it has been silent for longer than it may be', async () => {
    const world = await quietRing(5, 6);
    const quiet = world.live[2]!;
    const after = world.peers.find(({ id }) => id === world.trueOrder(quiet.id)[1]?.id)!;
    let pings = 0;
    // It lives and answers, and asks nobody.
    world.fault = ({ kind, method, from, to }) => {
      if (kind !== 'request') return undefined;
      if (method === 'ping' && from === after.address && to === quiet.address) pings += 1;
      return from === quiet.address ? 'lose' : undefined;
    };
    await world.clock.runFor(longestSilenceMs(defaultIntervals.stabilize) - 5_000);
    expect(pings).to.equal(0);
    await world.clock.runFor(minuteMs);
    expect(pings).to.be.within(3, 12);
    expect(after.state?.predecessor?.id).to.equal(quiet.id);
  });
});
