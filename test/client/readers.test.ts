import { expect } from 'chai';

import { silentLogger } from '../../src/base/log.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { loadCompressor } from '../../src/archive/compress.js';
import { openSession, type Session } from '../../src/client/session.js';
import { recordId, signRecord } from '../../src/identity/record.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { type SimulatedUser, World } from '../sim/world.js';
import { codeOf } from '../archive/support.js';

/** More than one answer names. */
const peers = limits.successorListLength + 8;

describe('readers', () => {
  let world: World;
  let user: SimulatedUser;
  let session: Session;

  beforeEach(async () => {
    await loadCompressor();
    world = new World({ seed: 11 });
    await world.grow(peers);
    await world.untilIdeal();
    user = world.user();
    session = await world.clock.run(
      openSession({
        keys: { name: 'ann', user: user.key, device: user.key, archiveSecret: new Uint8Array(32) },
        transport: user.transport,
        entries: world.live.slice(0, 1).map(({ address }) => ({ address })),
        clock: world.clock,
        random: seededRandom(1),
        log: silentLogger,
      }),
    );
  });

  /** The peer at a place behind a key; 0 is the responsible one. */
  const holder = (key: Id, place: number): SimulatedPeer => {
    const { id } = world.trueOrder(key)[place]!;
    return world.peers.find((peer) => peer.id === id)!;
  };
  const record = (sequence: number, value = sequence): Uint8Array =>
    signRecord(user.key, {
      kind: 'test',
      name: 'name',
      sequence,
      timeMs: 1,
      deleted: false,
      value: Uint8Array.of(value),
    });
  const put = async (place: number, sequence: number, value = sequence): Promise<void> => {
    const id = recordId('test', user.key.publicKey, 'name');
    await holder(id, place).store.putRecord({ id, sequence, bytes: record(sequence, value) });
  };
  const get = (): Promise<number | undefined> =>
    world.clock.run(session.records.get('test', user.key.publicKey, 'name')).then((found) => found?.value[0]);

  for (const place of [0, 3, limits.successorListLength, limits.successorListLength + 1, peers - 1]) {
    it(`find a block that only the peer at place ${place} behind its id has`, async () => {
      const bytes = Uint8Array.of(1, 2, 3);
      const id = hashToId(bytes);
      await holder(id, place).store.putBlock(id, bytes, user.identity.userId);
      expect(await world.clock.run(session.blocks.get(id))).to.deep.equal(bytes);
    });

    it(`see that the peer at place ${place} has a newer value of a record than the others`, async () => {
      for (let other = 0; other < 6; other += 1) if (other !== place) await put(other, 1);
      await put(place, 2);
      expect(await get()).to.equal(2);
    });
  }

  it('say MISSING when nobody has a block, and nothing when nobody has a record', async () => {
    expect(await codeOf(world.clock.run(session.blocks.get(hashToId(new Uint8Array(1)))))).to.equal(
      'MISSING',
    );
    expect(await get()).to.equal(undefined);
  });

  it('take the value that most holders have where one has accepted another for the same number', async () => {
    await put(0, 7, 1);
    await put(1, 7, 2);
    await put(2, 7, 2);
    expect(await get()).to.equal(2);
  });

  it('do not wait long for those behind when all holders have a record', async () => {
    for (let place = 0; place < 3; place += 1) await put(place, 1);
    holder(recordId('test', user.key.publicKey, 'name'), 9).pause();
    const sinceMs = world.clock.monotonicMs();
    expect(await get()).to.equal(1);
    expect(world.clock.monotonicMs() - sinceMs).to.be.below(1_500);
  });

  it('wait for those behind when a holder does not have the record', async () => {
    await put(5, 1);
    const slow = holder(recordId('test', user.key.publicKey, 'name'), 5);
    world.faults.slow(slow.address, 1_000);
    expect(await get()).to.equal(1);
  });
});
