import { expect } from 'chai';

import { bytesEqual, toHex } from '../../src/base/bytes.js';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { loadCatalogs } from '../../src/client/catalog.js';
import { headRecordId } from '../../src/client/head-record.js';
import { changeOwnCatalog, decide, writerOf } from '../../src/client/own-catalog.js';
import { loadForCertain } from '../../src/client/live-set.js';
import { profileRecord } from '../../src/client/profile.js';
import { prune, type PruneOptions } from '../../src/client/prune.js';
import { rootOf, rootsOfHead } from '../../src/client/reachable.js';
import type { Session } from '../../src/client/session.js';
import { touchAll } from '../../src/client/touch.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { codeOf } from '../archive/support.js';
import { failureOf } from '../wire/helpers.js';
import { World } from '../sim/world.js';
import { MemoryRing, sessionIn, testDevice } from './memory-ring.js';
import { addSmallSnapshot } from './small-snapshot.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

const pruned = (by: Session, options: Partial<PruneOptions> = {}) =>
  prune(by, { dryRun: false, spareMs: 0, ...options });

/** A block that nothing refers to. */
function blockOf(seed: number): [Id, Uint8Array] {
  const bytes = seededRandom(seed).bytes(1_000);
  return [hashToId(bytes), bytes];
}

/** The blocks of what this device lists. */
async function listBlocksOf(session: Session): Promise<readonly Id[]> {
  const own = toHex(session.keys.device.publicKey);
  const { heads } = await loadCatalogs(session);
  const { head } = heads.find(({ device }) => toHex(device) === own)!;
  return rootsOfHead(head).flatMap(({ content }) => content.references.map(({ block }) => block));
}

describe('a prune in doubt', () => {
  describe('in a ring that was cut', function () {
    this.timeout(300_000);

    /** Three peers, and a session with a device of the user. */
    async function start(seed: number) {
      const world = new World({ seed });
      await world.grow(3);
      await world.untilIdeal();
      const session = (device: number, entries = world.peers): Promise<Session> =>
        sessionIn(world, testDevice(1, device), {
          entries: entries.map(({ address }) => ({ address })),
          random: seededRandom(seed + device),
        });
      const held = async (): Promise<number> => {
        const counts = await Promise.all(
          world.peers.map(
            async ({ store }) =>
              (await store.listKeys('0'.repeat(64) as Id, 1000)).filter(({ kind }) => kind === 'block')
                .length,
          ),
        );
        return counts.reduce((sum, count) => sum + count, 0);
      };
      return { world, session, held };
    }

    it('nothing is given up beside the part that knows less, nor soon after', async () => {
      const { world, session, held } = await start(61);
      const first = await session(1);
      await world.clock.run(addSmallSnapshot(first, 1));
      // Another machine, which has seen nothing of that yet.
      const second = await session(2);
      await world.clock.run(second.registration.ensure(second));
      await world.clock.runFor(8 * hourMs);
      const before = await held();
      const [one, ...others] = world.peers;
      world.cut([one!], others);
      await world.clock.runFor(20 * minuteMs);
      const beside = await session(2, [one!]);
      const failure = await failureOf(world.clock.run(prune(beside, { dryRun: false })));
      expect(failure.code).to.equal('UNSETTLED');
      expect(failure.message).to.contain('1 of the 3 machines');
      expect(await held()).to.equal(before);
      world.heal();
      await world.untilIdeal(10 * minuteMs);
      expect(await codeOf(world.clock.run(prune(await session(2), { dryRun: false })))).to.equal('UNSETTLED');
      await world.clock.runFor(limits.majorityHoldMs);
      const { snapshots, needed } = await world.clock.run(prune(await session(2), { dryRun: false }));
      expect(snapshots).to.equal(1);
      expect(needed.blocks).to.be.greaterThan(1);
    });

    it('lists are not known for certain when the ring falls apart and heals while they are read', async () => {
      const { world, session } = await start(62);
      const first = await session(1);
      await world.clock.run(addSmallSnapshot(first, 1));
      const second = await session(2);
      await world.clock.run(second.registration.ensure(second));
      let isDue = true;
      const get: Session['records']['get'] = async (...asked) => {
        if (isDue && asked[0] === 'snapshots' && bytesEqual(asked[1], first.keys.device.publicKey)) {
          isDue = false;
          const [one, ...others] = world.peers;
          world.cut([one!], others);
          await new Promise<void>((resolve) => {
            world.clock.setTimer(2 * minuteMs, resolve);
          });
          world.heal();
          await new Promise<void>((resolve) => {
            world.clock.setTimer(5 * minuteMs, resolve);
          });
          return undefined;
        }
        return second.records.get(...asked);
      };
      const misled = { ...second, records: { get } as unknown as Session['records'] };
      expect(await codeOf(world.clock.run(loadForCertain(misled, [])))).to.equal('UNSETTLED');
    });
  });

  describe('in a ring that is whole', () => {
    let ring: MemoryRing;
    let user = 100;
    let session: Session;

    before(async () => {
      ring = await MemoryRing.start(3);
    });
    beforeEach(async () => {
      user += 1;
      session = await ring.session(testDevice(user));
    });
    after(() => ring.stop());

    const another = (device = 2): Promise<Session> => ring.session(testDevice(user, device));

    /** Expects that it refuses, and that nothing was given up. */
    async function expectRefusal(
      by: Session,
      code: string,
      says: RegExp,
      options: Partial<PruneOptions> = {},
    ) {
      const held = await ring.blocks();
      const failure = await failureOf(pruned(by, options));
      expect(failure.code).to.equal(code);
      expect(failure.message).to.match(says);
      expect(await ring.blocks()).to.deep.equal(held);
    }

    it('refuses when lists are older than this machine has seen', async () => {
      await addSmallSnapshot(session, 1);
      const own = headRecordId(session.keys.device.publicKey);
      const isHigher = session.seen.highest(own);
      expect(isHigher).to.equal(2);
      session.seen.note(own, 3);
      await expectRefusal(session, 'UNSETTLED', /older list of the snapshots of device/);
      const other = await another();
      other.seen.note(profileRecord(other.keys), 9);
      await expectRefusal(other, 'UNSETTLED', /older list of your devices/);
    });

    it('refuses when the profile is not there, or does not name this device', async () => {
      const stranger = await ring.unregistered(testDevice(user + 1000));
      await expectRefusal(stranger, 'UNSETTLED', /no list of your devices/);
      await addSmallSnapshot(session, 1);
      const second = await ring.unregistered(testDevice(user, 2));
      await expectRefusal(second, 'UNSETTLED', /does not name this one/);
    });

    it('refuses when no device has a list and there are blocks', async () => {
      await session.blocks.put(...blockOf(1));
      await expectRefusal(session, 'UNSETTLED', /none of your devices has a list/);
      await addSmallSnapshot(session, 1);
      expect((await pruned(session)).freed.blocks).to.equal(1);
    });

    it('keeps what a device needs that was not in the profile before its first backup', async () => {
      await addSmallSnapshot(session, 1);
      const late = await ring.unregistered(testDevice(user, 2));
      const { id } = await addSmallSnapshot(late, 2);
      expect((await pruned(session)).freed.blocks).to.equal(0);
      expect((await loadCatalogs(session)).snapshots.map((one) => one.id)).to.include(id);
    });

    it('gives up a lost device with what only it needs when it is named, and nothing else', async () => {
      const other = await another();
      const { id } = await addSmallSnapshot(session, 1);
      await addSmallSnapshot(other, 2);
      const lists = await listBlocksOf(other);
      for (const { disk } of ring.peers) for (const block of lists) disk.lost.add(block);
      try {
        const key = toHex(other.keys.device.publicKey);
        const fresh = await ring.session(testDevice(user));
        await expectRefusal(fresh, 'MISSING', new RegExp(`--without-device ${key.slice(0, 12)}`));
        await expectRefusal(fresh, 'NOT_FOUND', /no device nobody/, { withoutDevices: ['nobody'] });
        const own = toHex(session.keys.device.publicKey).slice(0, 12);
        await expectRefusal(fresh, 'USAGE', /can be listed/, { withoutDevices: [own] });
        const { freed, snapshots } = await pruned(fresh, { withoutDevices: [key.slice(0, 12)] });
        expect(snapshots).to.equal(1);
        expect(freed.bytes).to.be.greaterThan(200_000);
      } finally {
        for (const { disk } of ring.peers) disk.lost.clear();
      }
      const { snapshots } = await loadCatalogs(session);
      expect(snapshots.map((one) => one.id)).to.include(id);
      await touchAll(session, snapshots.filter((one) => one.id === id).map(rootOf));
    });

    it('lists and trees that lie in the trash come back when they are read', async () => {
      const snapshot = await addSmallSnapshot(session, 1);
      const blocks = [
        ...(await listBlocksOf(session)),
        ...snapshot.root.references.map(({ block }) => block),
      ];
      for (const id of blocks) await session.ownership.release(id, systemClock.nowMs() + 1);
      for (const id of blocks) expect((await ring.blocks()).has(id)).to.equal(false);
      const fresh = await ring.session(testDevice(user));
      const { snapshots, unreadable } = await loadCatalogs(fresh);
      expect(unreadable).to.deep.equal([]);
      expect(snapshots.map(({ id }) => id)).to.deep.equal([snapshot.id]);
      for await (const entry of fresh.reader.readTree(snapshots[0]!.root))
        expect(entry.type).to.equal('file');
      for (const id of blocks) expect((await ring.blocks()).has(id)).to.equal(true);
    });

    it('stores again what less than a majority has, and calls missing only what nobody has', async () => {
      const snapshot = await addSmallSnapshot(session, 1);
      const [block] = snapshot.root.references.map((one) => one.block);
      for (const { disk } of ring.peers.slice(1))
        await disk.inner.dropItem((await disk.inner.itemOf(block!, 'block'))!);
      expect((await session.blocks.has([block!]))[0]).to.equal(false);
      await touchAll(session, [rootOf(snapshot)]);
      expect((await session.blocks.has([block!]))[0]).to.equal(true);
      for (const { disk } of ring.peers) disk.lost.add(block!);
      const fresh = await ring.session(testDevice(user));
      expect(await codeOf(touchAll(fresh, [rootOf(snapshot)]))).to.equal('MISSING');
      for (const { disk } of ring.peers) disk.lost.clear();
    });

    it('keeps what came meanwhile, lists included, also when it fails in the middle', async () => {
      await addSmallSnapshot(session, 1);
      await session.blocks.put(...blockOf(2));
      const other = await another();
      const snapshot = await addSmallSnapshot(other, 3);
      let lists: readonly Id[] = [];
      let isDue = true;
      const { ownership } = session;
      const release = async (...asked: Parameters<typeof ownership.release>): Promise<boolean> => {
        if (!isDue) return ownership.release(...asked);
        isDue = false;
        // A clock has jumped: what another device lists just now is taken away all the same.
        await addSmallSnapshot(other, 4);
        lists = await listBlocksOf(other);
        const owner = hashToId(other.keys.user.publicKey);
        for (const { disk } of ring.peers.slice(1))
          for (const id of lists) await disk.inner.releaseBlock(id, owner, systemClock.nowMs() + hourMs);
        // One holder has not heard of it, so that they can be read.
        for (const id of lists) expect((await ring.peers[1]!.disk.blocks()).includes(id)).to.equal(false);
        throw new PeerStoreError('TOO_FEW_COPIES', 'in the middle');
      };
      const failing = {
        requireMajority: () => ownership.requireMajority(),
        list: () => ownership.list(),
        release,
      } as unknown as Session['ownership'];
      expect(await codeOf(pruned({ ...session, ownership: failing }))).to.equal('TOO_FEW_COPIES');
      expect(isDue).to.equal(false);
      for (const { disk } of ring.peers) expect(await disk.blocks()).to.include.members([...lists]);
      expect((await loadCatalogs(session)).snapshots.map(({ id }) => id)).to.include(snapshot.id);
    });

    it('says so when a list that came meanwhile cannot be read', async () => {
      await addSmallSnapshot(session, 1);
      await session.blocks.put(...blockOf(3));
      const other = await another();
      await addSmallSnapshot(other, 5);
      const { ownership } = session;
      const release = async (...asked: Parameters<typeof ownership.release>): Promise<boolean> => {
        await addSmallSnapshot(other, 6);
        for (const id of await listBlocksOf(other)) for (const { disk } of ring.peers) disk.lost.add(id);
        return ownership.release(...asked);
      };
      const misled = {
        requireMajority: () => ownership.requireMajority(),
        list: () => ownership.list(),
        release,
      } as unknown as Session['ownership'];
      const failure = await failureOf(pruned({ ...session, ownership: misled }));
      for (const { disk } of ring.peers) disk.lost.clear();
      expect(failure.code).to.equal('MISSING');
      expect(failure.message).to.contain('came meanwhile');
    });
  });

  describe('about decisions', () => {
    let ring: MemoryRing;
    before(async () => {
      ring = await MemoryRing.start(1);
    });
    after(() => ring.stop());

    it('come after all that is known, though the clock of the device is behind', async () => {
      const slow: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 40 * 24 * hourMs };
      const session = await ring.session(testDevice(1));
      const snapshot = await addSmallSnapshot(session, 1);
      const behind = await ring.session(testDevice(1, 2), { clock: slow });
      await decide(behind, [snapshot.id], true, await loadCatalogs(behind));
      const { forgotten } = await loadCatalogs(session);
      expect(forgotten[0]!.atMs).to.be.at.least(snapshot.timeMs);
      await pruned(session);
      expect((await loadCatalogs(session)).forgotten).to.have.length(1);
      await decide(behind, [snapshot.id], false, await loadCatalogs(behind));
      expect((await loadCatalogs(session)).forgotten).to.deep.equal([]);
    });

    it('say which of them count, and write nothing where none does', async () => {
      const session = await ring.session(testDevice(2));
      const snapshot = await addSmallSnapshot(session, 1);
      const before = await loadCatalogs(session);
      expect(await decide(session, [snapshot.id], true, before)).to.deep.equal([snapshot.id]);
      // Meanwhile, by another process of the same device with a clock that is ahead.
      await changeOwnCatalog(session, writerOf(session), ({ snapshots }) => ({
        snapshots,
        decisions: [{ snapshot: snapshot.id, atMs: systemClock.nowMs() + hourMs, isForgotten: false }],
      }));
      const { heads } = await loadCatalogs(session);
      expect(await decide(session, [snapshot.id], true, before)).to.deep.equal([]);
      expect((await loadCatalogs(session)).heads[0]!.sequence).to.equal(heads[0]!.sequence);
    });
  });
});
