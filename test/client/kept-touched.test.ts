import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { type Clock, systemClock } from '../../src/base/clock.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { KeptTouched } from '../../src/client/kept-touched.js';
import { prune } from '../../src/client/prune.js';
import type { Session } from '../../src/client/session.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, testDevice } from './memory-ring.js';
import { addSmallSnapshot } from './small-snapshot.js';

const MiB = 1024 * 1024;

describe('a long backup', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let user = 0;
  /** One that prunes, beside it. */
  let other: Session;
  let session: Session;
  let aheadMs = 0;

  const clock: Clock = {
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    setTimer: (ms, fire) => systemClock.setTimer(ms, fire),
  };

  before(async () => {
    ring = await MemoryRing.start(3);
  });
  beforeEach(async () => {
    user += 1;
    aheadMs = 0;
    other = await ring.session(testDevice(user, 1));
    await addSmallSnapshot(other, 1);
    session = await ring.session(testDevice(user, 2), { clock });
  });
  after(() => ring.stop());

  /** Half a lease passes, and what nobody lists is given up. */
  async function pass(): Promise<number> {
    aheadMs += limits.touchLeaseMs / 2 + 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return (await prune(other, { dryRun: false, spareMs: 0 })).freed.blocks;
  }

  async function emptyTrash(): Promise<void> {
    await Promise.all(ring.peers.map(({ disk }) => disk.inner.emptyTrash(systemClock.nowMs() + 1)));
  }

  it('touches again what it has stored and found, so that no trash is emptied of it', async () => {
    const kept = new KeptTouched(session.blocks, clock);
    const blocks = Array.from({ length: limits.hasBlocksIds + 2 }, (_, at): [Id, Uint8Array] => {
      const bytes = seededRandom(at).bytes(100);
      return [hashToId(bytes), bytes];
    });
    const ids = blocks.map(([id]) => id);
    const [last] = blocks.slice(-1);
    await Promise.all(blocks.slice(0, -2).map((block) => session.blocks.put(...block)));
    await kept.has(ids.slice(0, limits.hasBlocksIds));
    await kept.put(...blocks[limits.hasBlocksIds]!);
    for (let round = 0; round < 2; round += 1) {
      expect(await pass()).to.be.at.least(limits.hasBlocksIds + 1);
      await kept.put(...last!);
      await emptyTrash();
    }
    const present = [
      ...(await session.blocks.has(ids.slice(0, -2))),
      ...(await session.blocks.has(ids.slice(-2))),
    ];
    expect(present.every(Boolean)).to.equal(true);
  });

  it('does so while it goes on', async () => {
    mkdirSync(join(temporary(), 'source'));
    for (let at = 0; at < 12; at += 1)
      writeFileSync(join(temporary(), 'source', `file ${at}`), seededRandom(at).bytes(5 * MiB));
    let puts = 0;
    let first: Id | undefined;
    let seen = (): void => undefined;
    const isTouched = new Promise<void>((resolve) => (seen = resolve));
    const put: Session['blocks']['put'] = async (id, bytes) => {
      puts += 1;
      const mine = puts;
      const stored = await session.blocks.put(id, bytes);
      if (mine === 1) first = id;
      if (mine === 12) aheadMs += limits.touchLeaseMs / 2 + 1;
      // All that comes later waits for it.
      if (mine > 40) await isTouched;
      return stored;
    };
    const has: Session['blocks']['has'] = async (ids) => {
      const present = await session.blocks.has(ids);
      if (aheadMs > 0 && first !== undefined && ids.includes(first)) seen();
      return present;
    };
    const get: Session['blocks']['get'] = (id, range) => session.blocks.get(id, range);
    const blocks = { has, put, get } as unknown as Session['blocks'];
    await backUp({ ...session, blocks }, [join(temporary(), 'source')]);
    expect(puts).to.be.greaterThan(40);
  });
});
