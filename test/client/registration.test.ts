import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { loadCatalogs, loadSnapshots } from '../../src/client/catalog.js';
import { headRecordId } from '../../src/client/head-record.js';
import { loadProfile, registerDevice } from '../../src/client/profile.js';
import type { Session } from '../../src/client/session.js';
import { recordId } from '../../src/identity/record.js';
import { codeOf } from '../archive/support.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, testDevice } from './memory-ring.js';

describe("a device's place in the profile", () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;

  before(async () => {
    ring = await MemoryRing.start(3);
  });
  after(() => ring.stop());

  const unregistered = (user: number, device: number): Promise<Session> =>
    ring.unregistered(testDevice(user, device), {
      deviceName: `device ${device}`,
      random: seededRandom(device),
    });

  const namesOf = async (session: Session): Promise<string[]> =>
    (await loadProfile(session)).devices.map(({ name }) => name).sort();

  it('is made sure of by its first backup, so that the others know what it needs', async () => {
    mkdirSync(join(temporary(), 'source'));
    writeFileSync(join(temporary(), 'source', 'file'), 'text');
    const first = await unregistered(1, 1);
    await backUp(first, [join(temporary(), 'source')]);
    const second = await unregistered(1, 2);
    const { summary } = await backUp(second, [join(temporary(), 'source')]);
    expect(await namesOf(first)).to.deep.equal(['device 1', 'device 2']);
    expect((await loadSnapshots(first)).map(({ id }) => id)).to.include(summary.snapshot);
  });

  it('is looked up once a session', async () => {
    const session = await unregistered(2, 1);
    let reads = 0;
    const count = (...asked: Parameters<Session['records']['get']>) => {
      reads += 1;
      return session.records.get(...asked);
    };
    const put = (bytes: Uint8Array): Promise<void> => session.records.put(bytes);
    const counting = { ...session, records: { get: count, put } as unknown as Session['records'] };
    await Promise.all([1, 2].map(() => session.registration.ensure(counting)));
    await session.registration.ensure(counting);
    expect(reads).to.equal(1);
  });

  it('is looked up again when it could not be made sure of', async () => {
    const session = await unregistered(3, 1);
    const put = (): Promise<void> => Promise.reject(new PeerStoreError('UNREACHABLE', 'no'));
    const get: Session['records']['get'] = (...asked) => session.records.get(...asked);
    const failing = { ...session, records: { get, put } as unknown as Session['records'] };
    expect(await codeOf(session.registration.ensure(failing))).to.equal('UNREACHABLE');
    await session.registration.ensure(session);
    expect(await namesOf(session)).to.deep.equal(['device 1']);
  });

  it('is not added to an older profile than this machine has seen', async () => {
    const session = await unregistered(4, 1);
    const { user } = session.keys;
    session.seen.note(recordId('user', user.publicKey, ''), 7);
    expect(await codeOf(registerDevice(session, 'device'))).to.equal('UNSETTLED');
    expect((await loadProfile(session)).sequence).to.equal(0);
  });

  it('what was read and written is remembered by its number', async () => {
    const session = await unregistered(5, 1);
    const profile = recordId('user', session.keys.user.publicKey, '');
    await registerDevice(session, 'one');
    expect(session.seen.highest(profile)).to.equal(1);
    const other = await unregistered(5, 2);
    await loadCatalogs(other);
    expect(other.seen.highest(profile)).to.equal(1);
  });

  it('is of no use while its list is older than this machine has seen: nothing is added to that', async () => {
    const source = join(temporary(), 'listed');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'text');
    const session = await unregistered(9, 1);
    const { summary } = await backUp(session, [source]);
    const own = headRecordId(session.keys.device.publicKey);
    session.seen.note(own, session.seen.highest(own) + 1);
    expect(await codeOf(backUp(session, [source]))).to.equal('UNSETTLED');
    expect((await loadSnapshots(session)).map(({ id }) => id)).to.deep.equal([summary.snapshot]);
  });
});
