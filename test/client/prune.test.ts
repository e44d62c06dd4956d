import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { type Clock, systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { chooseSnapshot, loadCatalogs, loadSnapshots } from '../../src/client/catalog.js';
import { check } from '../../src/client/check.js';
import { decide } from '../../src/client/own-catalog.js';
import { prune, type PruneOptions } from '../../src/client/prune.js';
import type { Session } from '../../src/client/session.js';
import { restorable, undelete } from '../../src/client/undelete.js';
import type { Id } from '../../src/ring/identifier.js';
import { codeOf } from '../archive/support.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, emptyCache, MemoryRing, restoreTo, testDevice } from './memory-ring.js';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('forget, prune and undelete', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let session: Session;
  let user = 0;

  before(async () => {
    ring = await MemoryRing.start(3);
  });
  beforeEach(async () => {
    user += 1;
    session = await ring.session(testDevice(user));
    mkdirSync(source());
  });
  after(() => ring.stop());

  const source = (): string => join(temporary(), 'source');

  /** Writes a file of random bytes. */
  const write = (name: string, seed: number): void =>
    writeFileSync(join(source(), name), seededRandom(seed).bytes(3 * MiB));

  async function snapshotOf(by: Session = session): Promise<Id> {
    return (await backUp(by, [source()])).summary.snapshot as Id;
  }

  async function forget(by: Session, ...ids: readonly Id[]): Promise<void> {
    await decide(by, ids, true, await loadCatalogs(by));
  }

  const pruned = (by: Session = session, options: Partial<PruneOptions> = {}) =>
    prune(by, { dryRun: false, spareMs: 0, ...options });

  async function expectWhole(by: Session, id: Id): Promise<void> {
    const snapshots = [chooseSnapshot(await loadSnapshots(by), id)];
    const found: unknown[] = [];
    await check(by, { snapshots, readData: true, report: (finding) => found.push(finding) });
    expect(found).to.deep.equal([]);
  }

  /** What was given up is gone from here on: a question would bring it back out of the trash. */
  async function emptyTrash(): Promise<void> {
    await Promise.all(ring.peers.map(({ disk }) => disk.inner.emptyTrash(systemClock.nowMs() + 1)));
  }

  /** A session whose clock is ahead of that of all peers, by what is added to it while it is open. */
  async function hurried(
    device: number,
  ): Promise<{ by: Session; agreed: Session; pass: (ms: number) => void }> {
    let aheadMs = 0;
    const clock: Clock = {
      nowMs: () => systemClock.nowMs() + aheadMs,
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
      setTimer: (ms, fire) => systemClock.setTimer(ms, fire),
    };
    const by = await ring.session(testDevice(user, device), { clock });
    // The same, and the peers say that it is as late.
    const { ownership } = by;
    const requireMajority = async (): Promise<number> => (await ownership.requireMajority()) + aheadMs;
    const late = { requireMajority, list: () => ownership.list() } as unknown as Session['ownership'];
    return { by, agreed: { ...by, ownership: late }, pass: (ms) => (aheadMs += ms) };
  }

  it('gives up what only forgotten snapshots need, and nothing else', async () => {
    write('stays', 1);
    write('goes', 2);
    const first = await snapshotOf();
    rmSync(join(source(), 'goes'));
    const second = await snapshotOf();
    // The first list of snapshots: the second one took its place.
    expect((await pruned()).freed).to.deep.equal({ blocks: 1, bytes: 4096 });
    await forget(session, first);
    const before = await ring.blocks();
    const dry = await pruned(session, { dryRun: true });
    expect(await ring.blocks()).to.deep.equal(before);
    const { snapshots, freed, needed, spared } = await pruned();
    expect({ snapshots, freed, needed, spared }).to.deep.equal(dry);
    expect(snapshots).to.equal(1);
    expect(freed.bytes).to.be.within(3 * MiB, 3.5 * MiB);
    expect(needed.bytes).to.be.within(3 * MiB, 3.5 * MiB);
    expect(spared.blocks).to.equal(0);
    expect((await ring.blocks()).size).to.equal(before.size - freed.blocks);
    expect((await loadSnapshots(session)).map(({ id }) => id)).to.deep.equal([second]);
    await expectWhole(session, second);
    expect(await pruned()).to.deep.include({ freed: { blocks: 0, bytes: 0 } });
  });

  it('a forgotten snapshot comes back, out of the trash as well, on any device', async () => {
    write('file', 3);
    const id = await snapshotOf();
    const other = await ring.session(testDevice(user, 2));
    await forget(other, id);
    expect(await loadSnapshots(session)).to.deep.equal([]);
    await pruned();
    const held = await ring.blocks();
    for (const { block } of (await forgottenOf(session)).root.references)
      expect(held.has(block)).to.equal(false);

    const catalogs = await loadCatalogs(session);
    expect(restorable(session, catalogs).map(({ snapshot }) => snapshot.id)).to.deep.equal([id]);
    expect((await undelete(session, catalogs, [id.slice(0, 8)])).ids).to.deep.equal([id]);
    for (const by of [session, other]) await expectWhole(by, id);
    expect((await pruned()).freed.bytes).to.be.lessThan(64 * KiB);
    const target = join(temporary(), 'target');
    await restoreTo(session, `${id}:${source()}`, target);
    expect(await compareTrees(source(), target)).to.deep.equal([]);
    // And can be forgotten again, though this device's clock is behind.
    await forget(other, id);
    expect(await loadSnapshots(session)).to.deep.equal([]);
  });

  const forgottenOf = async (by: Session) => (await loadCatalogs(by)).forgotten[0]!.snapshot;

  it('what is gone is not brought back in part', async () => {
    write('file', 4);
    const id = await snapshotOf();
    await forget(session, id);
    await pruned();
    await emptyTrash();
    expect(await codeOf(undelete(session, await loadCatalogs(session), [id]))).to.equal('MISSING');
    expect(await loadSnapshots(session)).to.deep.equal([]);
    expect(await codeOf(undelete(session, await loadCatalogs(session), ['0123']))).to.equal('NOT_FOUND');
  });

  it('spares what was touched lately', async () => {
    write('file', 5);
    await forget(session, await snapshotOf());
    const { freed, spared } = await pruned(session, { spareMs: limits.touchLeaseMs });
    expect(freed.blocks).to.equal(0);
    expect(spared.bytes).to.be.greaterThan(3 * MiB);
  });

  it('a backup that is under way meanwhile keeps what it uses, however old that is', async () => {
    write('file', 6);
    await forget(session, await snapshotOf());
    const { by, pass } = await hurried(2);
    // Between the last block and the record, as much time passes as a prune spares, and a prune.
    let isDue = true;
    const put = async (bytes: Uint8Array): Promise<void> => {
      if (isDue) {
        isDue = false;
        pass(limits.touchLeaseMs + 1);
        expect((await pruned()).freed.bytes).to.be.greaterThan(3 * MiB);
      }
      await by.records.put(bytes);
    };
    const get: Session['records']['get'] = (...asked) => by.records.get(...asked);
    const id = await snapshotOf({ ...by, records: { put, get } as unknown as Session['records'] });
    expect(isDue).to.equal(false);
    await emptyTrash();
    await expectWhole(session, id);
  });

  it('a backup that took long touches all that it uses before it is listed', async () => {
    write('file', 7);
    const cache = emptyCache();
    await forget(session, (await backUp(session, [source()], { cache })).summary.snapshot as Id);
    const { by, pass } = await hurried(2);
    let isDue = true;
    // When the first blocks have been confirmed, half a lease passes, and they are given up.
    const has: Session['blocks']['has'] = async (ids) => {
      const present = await by.blocks.has(ids);
      if (isDue) {
        isDue = false;
        pass(limits.touchLeaseMs / 2 + 1);
        expect((await pruned()).freed.bytes).to.be.greaterThan(MiB);
      }
      return present;
    };
    const put: Session['blocks']['put'] = (id, bytes) => by.blocks.put(id, bytes);
    const get: Session['blocks']['get'] = (id, range) => by.blocks.get(id, range);
    const blocks = { has, put, get } as unknown as Session['blocks'];
    const { summary } = await backUp({ ...by, blocks }, [source()], { cache });
    expect(isDue).to.equal(false);
    await emptyTrash();
    await expectWhole(session, summary.snapshot as Id);
  });

  it('does nothing when it cannot tell what a snapshot needs', async () => {
    write('file', 8);
    await snapshotOf();
    write('other', 9);
    const gone = await snapshotOf();
    await forget(session, gone);
    const { root } = chooseSnapshot(await loadSnapshots(session), 'latest');
    for (const { disk } of ring.peers) for (const { block } of root.references) disk.lost.add(block);
    const before = await ring.blocks();
    // Another session: this one has the tree in its memory.
    expect(await codeOf(pruned(await ring.session(testDevice(user))))).to.equal('MISSING');
    for (const { disk } of ring.peers) disk.lost.clear();
    expect(await ring.blocks()).to.deep.equal(before);
  });

  it('takes from the lists what was forgotten long ago, and its decision later', async () => {
    write('file', 10);
    const id = await snapshotOf();
    const other = await ring.session(testDevice(user, 2));
    await forget(other, id);
    const { by, agreed, pass } = await hurried(1);
    const spareMs = limits.touchLeaseMs;
    pass(limits.forgottenKeptMs - 60_000);
    expect(restorable(by, await loadCatalogs(by))).to.deep.equal([]);
    await pruned(agreed, { spareMs });
    expect((await loadCatalogs(by)).forgotten).to.have.length(1);
    pass(120_000);
    // This machine's clock alone may be wrong.
    await pruned(by, { spareMs });
    expect((await loadCatalogs(by)).forgotten).to.have.length(1);
    await pruned(agreed, { spareMs });
    const catalogs = await loadCatalogs(other);
    expect(catalogs.forgotten).to.deep.equal([]);
    expect(catalogs.decisions.size).to.equal(1);
    await pruned(other);
    expect((await loadCatalogs(other)).decisions.size).to.equal(0);
  });

  it('one user takes nothing from another, though both have the same blocks', async () => {
    write('file', 11);
    await forget(session, await snapshotOf());
    const held = await ring.blocks();
    const stranger = await ring.session(testDevice(user + 1000));
    expect(await pruned(stranger)).to.deep.include({ snapshots: 0, freed: { blocks: 0, bytes: 0 } });
    expect(await ring.blocks()).to.deep.equal(held);
  });
});
