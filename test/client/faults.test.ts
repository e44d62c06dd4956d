/** What a client makes of a ring that loses, garbles, hangs and refuses. */
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { toHex, utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { findEntry } from '../../src/client/browse.js';
import { loadCatalogs, loadSnapshots } from '../../src/client/catalog.js';
import { check, type CheckSummary, type Finding } from '../../src/client/check.js';
import { ringStatus } from '../../src/client/ring-status.js';
import { openSession, type Session } from '../../src/client/session.js';
import type { Content } from '../../src/archive/entry.js';
import { encodeContent } from '../../src/archive/reference.js';
import type { Snapshot } from '../../src/archive/snapshot.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { codeOf } from '../archive/support.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, restoreTo, testDevice } from './memory-ring.js';

const nameOf = (content: Content): string => toHex(encodeContent(content));

describe('a client of a ring with faults', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let session: Session;
  const source = (): string => join(temporary(), 'source');
  const target = (): string => join(temporary(), 'target');

  beforeEach(async () => {
    ring = await MemoryRing.start(4);
    session = await ring.session(testDevice());
  });
  afterEach(() => ring.stop());

  /** One directory with a large file, one with small files. */
  async function makeSnapshot(): Promise<void> {
    mkdirSync(join(source(), 'a'), { recursive: true });
    mkdirSync(join(source(), 'b'));
    writeFileSync(join(source(), 'a/large'), seededRandom(1).bytes(5_000_000));
    writeFileSync(join(source(), 'b/small'), 'small');
    await backUp(session, [source()]);
  }

  async function contentAt(...names: string[]): Promise<Content> {
    const [snapshot] = await loadSnapshots(session);
    const path = [...source().slice(1).split('/'), ...names].map(utf8);
    const entry = await findEntry(session.reader, snapshot!, path);
    if (entry === undefined || entry.type === 'symlink') throw new Error('the test looks for the wrong path');
    return entry.content;
  }

  const blocksOf = async (...names: string[]): Promise<Id[]> =>
    (await contentAt(...names)).references.map(({ block }) => block);

  /** A session that has nothing in memory yet. */
  const fresh = (): Promise<Session> => ring.session(testDevice());

  async function checked(
    readData = false,
    snapshots?: readonly Snapshot[],
  ): Promise<{ summary: CheckSummary; paths: string[]; messages: string[]; snapshots: string[] }> {
    const findings: Finding[] = [];
    const reader = await fresh();
    const summary = await check(reader, {
      snapshots: snapshots ?? (await loadSnapshots(reader)),
      readData,
      report: (finding) => findings.push(finding),
    });
    return {
      summary,
      paths: findings.map(({ path }) => path),
      messages: findings.map(({ message }) => message),
      snapshots: findings.map(({ snapshot }) => snapshot),
    };
  }

  it('reads from another holder what one has lost or damaged, whole blocks and parts of them', async () => {
    await makeSnapshot();
    const all = await ring.blocks();
    for (const kind of ['lost', 'garbled'] as const) {
      for (const [at, { disk }] of ring.peers.entries()) {
        for (const id of all) disk[kind].add(id);
        const out = `${target()} ${kind} ${at}`;
        const { problems } = await restoreTo(await fresh(), `latest:${source()}`, out);
        expect(problems).to.deep.equal([]);
        expect(await compareTrees(source(), out)).to.deep.equal([]);
        disk[kind].clear();
      }
    }
    expect((await checked(true)).summary).to.include({ findings: 0, missingBlocks: 0, files: 2 });
  });

  it('says MISSING when no holder has a block, restores the rest, and check names the file', async () => {
    await makeSnapshot();
    const lost = await blocksOf('a', 'large');
    for (const { disk } of ring.peers) disk.lost.add(lost[1]!);
    const { problems, summary } = await restoreTo(await fresh(), `latest:${source()}`, target());
    expect(problems.map(({ kind }) => kind)).to.deep.equal(['damaged']);
    expect(problems[0]!.message).to.include('a/large').and.include(lost[1]!);
    expect(summary).to.include({ files: 1, problems: 1 });
    expect(readdirSync(join(target(), 'a'))).to.deep.equal([]);
    expect(readFileSync(join(target(), 'b/small'), 'utf8')).to.equal('small');

    for (const readData of [false, true]) {
      const found = await checked(readData);
      expect(found.paths, `readData ${readData}`).to.deep.equal([join(source(), 'a/large')]);
      expect(found.messages[0]).to.include(lost[1]!);
      expect(found.summary).to.include({ missingBlocks: 1, findings: 1 });
    }
  });

  it('check names every path of what is missing, also where two directories of a snapshot are alike', async () => {
    const alike = (...names: string[]): string => join(source(), 'alike', ...names);
    for (const name of ['one', 'two']) {
      mkdirSync(alike(name), { recursive: true });
      writeFileSync(alike(name, 'large'), seededRandom(1).bytes(5_000_000));
      utimesSync(alike(name, 'large'), 1, 1);
    }
    await backUp(session, [source()]);
    const [newest] = await loadSnapshots(session);
    // Another one with the same directories. (Of a second backup the directories above may have changed, and be written anew.)
    const older = { ...newest!, id: hashToId(utf8('older')) };
    expect(nameOf(await contentAt('alike', 'one'))).to.equal(nameOf(await contentAt('alike', 'two')));
    const lost = await blocksOf('alike', 'one', 'large');
    for (const { disk } of ring.peers) disk.lost.add(lost[1]!);
    for (const readData of [false, true]) {
      const { paths, snapshots } = await checked(readData, [older, newest!]);
      expect(paths).to.deep.equal([alike('one', 'large'), alike('two', 'large')]);
      // What snapshots share is named for the newest of them.
      expect(snapshots).to.deep.equal([newest!.id, newest!.id]);
    }
  });

  it('check --read-data finds what every holder has damaged, and check without it does not look', async () => {
    await makeSnapshot();
    const [first] = await blocksOf('a', 'large');
    for (const { disk } of ring.peers) disk.garbled.add(first!);
    expect((await checked(false)).summary.findings).to.equal(0);
    expect((await checked(true)).paths).to.deep.equal([join(source(), 'a/large')]);
  });

  it('a directory whose list is damaged costs what is in it, and nothing beside it', async () => {
    mkdirSync(join(source(), 'wide'), { recursive: true });
    for (let at = 10; at < 30; at += 1) writeFileSync(join(source(), 'wide', `${at}`), '');
    writeFileSync(join(source(), 'zzz'), 'last');
    await backUp(session, [source()]);
    const wide = nameOf(await contentAt('wide'));
    // So small a snapshot has all of its trees in one block: the damage is done to what is read from it.
    const reader = session.bulkReader;
    const readTree = reader.readTree.bind(reader);
    reader.readTree = async function* (content) {
      let given = 0;
      for await (const entry of readTree(content)) {
        given += 1;
        if (nameOf(content) === wide && given > 11) throw new PeerStoreError('DAMAGED', 'the test says so');
        yield entry;
      }
    };
    const { problems, summary } = await restoreTo(session, `latest:${source()}`, target());
    expect(problems.map(({ kind, message }) => `${kind} ${message.includes('wide')}`)).to.deep.equal([
      'damaged true',
    ]);
    expect(summary).to.include({ files: 12, problems: 1 });
    expect(readFileSync(join(target(), 'zzz'), 'utf8')).to.equal('last');

    const findings: string[] = [];
    await check(session, {
      snapshots: await loadSnapshots(session),
      readData: true,
      report: ({ path }) => findings.push(path),
    });
    expect(findings).to.deep.equal([join(source(), 'wide')]);
  });

  it("a damaged list of one device's snapshots leaves the other device's, and is named", async () => {
    await makeSnapshot();
    const before = await ring.blocks();
    const other = await ring.session(testDevice(1, 2));
    mkdirSync(join(temporary(), 'others'));
    await backUp(other, [join(temporary(), 'others')]);
    const ofOther = [...(await ring.blocks())].filter((id) => !before.has(id));
    for (const { disk } of ring.peers) for (const id of ofOther) disk.lost.add(id);
    const { snapshots, unreadable } = await loadCatalogs(await fresh());
    expect(snapshots.length).to.equal(1);
    expect(unreadable.map(({ error }) => error.code)).to.deep.equal(['MISSING']);
  });

  it('adds no snapshot to a list that it cannot read, and says what to do', async () => {
    await makeSnapshot();
    for (const id of await ring.blocks()) for (const { disk } of ring.peers) disk.lost.add(id);
    try {
      await backUp(await fresh(), [source()]);
      expect.fail('it was added');
    } catch (error) {
      expect((error as PeerStoreError).code).to.equal('MISSING');
      expect((error as PeerStoreError).message).to.include('init --recover');
    }
    for (const { disk } of ring.peers) disk.lost.clear();
    expect((await loadSnapshots(await fresh())).length).to.equal(1);
  });

  it('goes on when one peer is gone, during a backup and after it', async () => {
    mkdirSync(source());
    for (let at = 0; at < 12; at += 1) {
      writeFileSync(join(source(), `${at}`), seededRandom(at).bytes(1_500_000));
    }
    let puts = 0;
    for (const { disk } of ring.peers) {
      disk.beforePut = () => {
        puts += 1;
        if (puts === 6) ring.freeze(3);
      };
    }
    const patient = await ring.session(testDevice(), { retryForMs: 30_000 });
    const { summary } = await backUp(patient, [source()]);
    expect(summary).to.include({ files: 12, errors: 0 });
    const { problems } = await restoreTo(patient, `latest:${source()}`, target());
    expect(problems).to.deep.equal([]);
    expect(await compareTrees(source(), target())).to.deep.equal([]);
  }).timeout(90_000);

  it('waits for busy peers, and comes back with what they said when they stay busy', async () => {
    mkdirSync(source());
    writeFileSync(join(source(), 'file'), seededRandom(1).bytes(600_000));
    let refusals = 4;
    for (const { disk } of ring.peers) {
      disk.beforePut = () => {
        refusals -= 1;
        if (refusals >= 0) throw new PeerStoreError('BUSY', 'the queue is full', { retryAfterMs: 20 });
      };
    }
    expect((await backUp(session, [source()])).summary.errors).to.equal(0);
    refusals = Infinity;
    writeFileSync(join(source(), 'file'), seededRandom(2).bytes(600_000));
    const hasty = await ring.session(testDevice(), { retryForMs: 300 });
    expect(await codeOf(backUp(hasty, [source()]))).to.be.oneOf(['BUSY', 'TOO_FEW_COPIES']);
    expect((await loadSnapshots(await fresh())).length).to.equal(1);
  });

  it('a full ring ends a backup with NO_SPACE, and what was there can still be read', async () => {
    await makeSnapshot();
    for (const { disk } of ring.peers) {
      disk.beforePut = () => {
        throw new PeerStoreError('NO_SPACE', 'the disk is full');
      };
    }
    writeFileSync(join(source(), 'more'), seededRandom(9).bytes(3_000_000));
    expect(await codeOf(backUp(session, [source()]))).to.equal('NO_SPACE');
    expect((await loadSnapshots(session)).length).to.equal(1);
    expect((await restoreTo(session, `latest:${source()}`, target())).problems).to.deep.equal([]);
  });

  it('an interruption ends a backup with CANCELLED, and the next run uses what is stored', async () => {
    mkdirSync(source());
    for (let at = 0; at < 20; at += 1)
      writeFileSync(join(source(), `${at}`), seededRandom(at).bytes(1_500_000));
    const stop = new AbortController();
    const interrupted = await ring.session(testDevice(), { signal: stop.signal });
    let puts = 0;
    for (const { disk } of ring.peers) {
      disk.beforePut = () => {
        puts += 1;
        if (puts === 20) stop.abort();
      };
    }
    expect(await codeOf(backUp(interrupted, [source()]))).to.equal('CANCELLED');
    const kept = (await ring.blocks()).size;
    expect(kept).to.be.greaterThan(0);
    expect(await loadSnapshots(session)).to.deep.equal([]);
    const { summary } = await backUp(session, [source()]);
    expect(summary.storedBytes).to.be.lessThan(30_000_000 - 1_000_000);
    expect((await restoreTo(session, `latest:${source()}`, target())).problems).to.deep.equal([]);
    expect(await compareTrees(source(), target())).to.deep.equal([]);
  });

  it('a failure in the middle of a tree rejects once, and leaves no rejection unheard', async () => {
    for (let at = 0; at < 12; at += 1) {
      const directory = join(source(), `${at % 3}`, `${at}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'file'), seededRandom(at).bytes(700_000));
    }
    const unheard: unknown[] = [];
    const listen = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', listen);
    try {
      for (const at of [1, 3, 6]) {
        let puts = 0;
        for (const { disk } of ring.peers) {
          disk.beforePut = () => {
            puts += 1;
            if (puts >= at) throw new PeerStoreError('NO_SPACE', 'the disk is full');
          };
        }
        expect(await codeOf(backUp(session, [source()]))).to.equal('NO_SPACE');
      }
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', listen);
    }
    expect(unheard).to.deep.equal([]);
  });

  it('no peer at all is UNREACHABLE at once, naming the addresses', async () => {
    const transport = ring.transport(testDevice());
    const entries = [{ address: '127.0.0.1:1' }, { address: '127.0.0.1:2' }];
    const { keys } = testDevice();
    const { clock, random, log } = session;
    try {
      await openSession({ keys, transport, entries, clock, random, log });
      expect.fail('it was opened');
    } catch (error) {
      expect((error as PeerStoreError).code).to.equal('UNREACHABLE');
      expect((error as PeerStoreError).message)
        .to.include('127.0.0.1:1')
        .and.include('127.0.0.1:2');
    }
  });

  it('status shows every member, and what does not answer as not alive', async () => {
    const whole = await ringStatus(session);
    expect(whole.peers.map(({ alive }) => alive)).to.deep.equal([true, true, true, true]);
    expect(whole).to.include({ replicas: 3, keysShort: 0, owedBytes: 0, quotaBytes: null });
    expect(whole.short).to.deep.equal([]);
    expect(whole.keysShortKnown).to.equal(whole.peers.every(({ keysLookedAt }) => keysLookedAt !== null));
    expect(whole.peers[0]!.disk).to.deep.equal({ state: 'fine', since: null });
    ring.fault = ({ method, to }) =>
      method === 'status' && to === ring.peers[2]!.address ? 'break' : undefined;
    const { peers, keysShortKnown } = await ringStatus(session);
    expect(keysShortKnown).to.equal(false);
    expect(peers[2]).to.include({ keysShort: 0, keysLookedAt: null });
    expect(peers.filter(({ alive }) => !alive).map(({ address }) => address)).to.deep.equal([
      ring.peers[2]!.address,
    ]);
  });
});
