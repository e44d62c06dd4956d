/** What a client does about bytes that are not what it asked for: it gets them elsewhere, and whoever has rot hears of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import type { Session } from '../../src/client/session.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import { compareTrees } from '../fixtures/compare-trees.js';
import { temporaryDirectory } from '../fixtures/temporary.js';
import { backUp, MemoryRing, restoreTo, testDevice, type TestPeer } from './memory-ring.js';

describe('a client that is given other bytes', () => {
  const temporary = temporaryDirectory();
  let ring: MemoryRing;
  let session: Session;

  beforeEach(async () => {
    ring = await MemoryRing.start(4);
    session = await ring.session(testDevice());
  });
  afterEach(() => ring.stop());

  /** The peer that is asked first for a block. */
  function ownerOf(id: Id): TestPeer {
    const idOf = ({ node }: TestPeer): Id => node.membership.state.self.id;
    const inOrder = [...ring.peers].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
    return inOrder.find((peer) => idOf(peer) >= id) ?? inOrder[0]!;
  }

  /** A new block, with all of its copies. */
  async function stored(): Promise<{ id: Id; bytes: Uint8Array; owner: TestPeer }> {
    const bytes = seededRandom(1).bytes(10_000);
    const id = hashToId(bytes);
    await session.blocks.put(id, bytes);
    const owner = ownerOf(id);
    await untilWhole(owner, id);
    return { id, bytes, owner };
  }

  /** A bit of every byte of a block flips on a peer's disk. */
  async function rot({ disk }: TestPeer, id: Id): Promise<void> {
    const { bytes } = (await disk.inner.getBlock(id))!;
    for (const at of bytes.keys()) bytes[at]! ^= 1;
  }

  async function untilWhole({ disk, address }: TestPeer, id: Id): Promise<void> {
    for (let round = 0; round < 200; round += 1) {
      const found = await disk.inner.getBlock(id);
      if (found !== undefined && hashToId(found.bytes) === id) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`${address} does not come to have ${id} whole`);
  }

  /** Counts how often a peer is asked for blocks. */
  function countAsked({ address }: TestPeer): { times: number } {
    const asked = { times: 0 };
    ring.fault = ({ kind, method, to }) => {
      if (kind === 'request' && method === 'getBlock' && to === address) asked.times += 1;
      return undefined;
    };
    return asked;
  }

  it('gets a whole block from another holder, and the one with rot sets its own aside and mends it', async () => {
    const { id, bytes, owner } = await stored();
    await rot(owner, id);
    const asked = countAsked(owner);
    expect(Buffer.compare(await session.blocks.get(id), bytes)).to.equal(0);
    expect(owner.disk.inner.stats().damaged).to.equal(1);
    expect(asked.times).to.equal(2);
    await untilWhole(owner, id);
    expect(owner.disk.inner.stats().mended).to.equal(1);
    expect(Buffer.compare(await session.blocks.get(id), bytes)).to.equal(0);
    expect(asked.times).to.equal(3);
  });

  it('takes the right bytes from a holder that had sent others, once it has looked', async () => {
    const { id, bytes, owner } = await stored();
    const { store } = owner.disk;
    const getBlock = store.getBlock.bind(store);
    let wrong = 1;
    store.getBlock = async (...asked) => {
      const found = await getBlock(...asked);
      wrong -= 1;
      return wrong < 0 ? found : found && { ...found, bytes: found.bytes.map((byte) => byte ^ 1) };
    };
    let others = 0;
    ring.fault = ({ kind, method, to }) => {
      if (kind === 'request' && method === 'getBlock' && to !== owner.address) others += 1;
      return undefined;
    };
    expect(Buffer.compare(await session.blocks.get(id), bytes)).to.equal(0);
    expect(owner.disk.inner.stats().damaged).to.equal(0);
    expect(others).to.equal(0);
  });

  it('restores what was read in parts, and the holders with rot mend theirs', async () => {
    const source = join(temporary(), 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'large'), seededRandom(1).bytes(6_000_000));
    await backUp(session, [source]);
    const large: Id[] = [];
    for (const id of await ring.blocks()) {
      const owner = ownerOf(id);
      await untilWhole(owner, id);
      const sizeBytes = (await owner.disk.inner.blockInfo(id))!.sizeBytes;
      if (sizeBytes < limits.archiveRangeReadBytes) continue;
      large.push(id);
      await rot(owner, id);
    }
    expect(large).not.to.deep.equal([]);
    const target = join(temporary(), 'target');
    const { problems } = await restoreTo(await ring.session(testDevice()), `latest:${source}`, target);
    expect(problems).to.deep.equal([]);
    expect(await compareTrees(source, target)).to.deep.equal([]);
    for (const id of large) await untilWhole(ownerOf(id), id);
    const damaged = ring.peers.reduce((sum, { disk }) => sum + disk.inner.stats().damaged, 0);
    expect(damaged).to.equal(large.length);
  });

  it('asks a liar twice in a read, and no more, whether another peer has the block or none', async () => {
    const { id, bytes, owner: liar } = await stored();
    liar.disk.garbled.add(id);
    const asked = countAsked(liar);
    expect(Buffer.compare(await session.blocks.get(id), bytes)).to.equal(0);
    expect(asked.times).to.equal(2);
    for (const peer of ring.peers) if (peer !== liar) peer.disk.lost.add(id);
    asked.times = 0;
    try {
      await session.blocks.get(id);
      expect.fail('it was read');
    } catch (error) {
      expect((error as PeerStoreError).code).to.equal('MISSING');
      expect((error as PeerStoreError).message).to.include(`came damaged from ${liar.address}`);
    }
    expect(asked.times).to.equal(2);
  });
});
