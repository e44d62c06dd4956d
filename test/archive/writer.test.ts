import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect } from 'chai';

import { bytesEqual, concatBytes } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import type { Draft, DraftEntry } from '../../src/archive/draft.js';
import { MemoryChunkIndex } from '../../src/archive/ports.js';
import { makeSnapshot } from '../../src/archive/snapshot.js';
import { hashToId } from '../../src/ring/identifier.js';
import {
  codeOf,
  collect,
  deepFiles,
  directoryEntry,
  fileEntry,
  type Files,
  KiB,
  makeReader,
  makeWriter,
  MemoryBlocks,
  MiB,
  nameOf,
  pieces,
  plain,
  randomBytes,
  readAll,
  readFiles,
  sameFiles,
  symlinkEntry,
  writeFiles,
} from './support.js';

/** Writes files, finishes, and gives the root's content. */
async function store(blocks: MemoryBlocks, index: MemoryChunkIndex, files: Files) {
  const writer = makeWriter(blocks, index);
  const draft = await writeFiles(writer, files);
  await writer.finish();
  return { root: await draft.settled(), stats: writer.stats };
}

const mixed: Files = {
  empty: new Uint8Array(0),
  large: randomBytes(9 * MiB, 2),
  nothing: {},
  small: randomBytes(1000, 3),
  sub: {
    again: randomBytes(1000, 3),
    text: Buffer.from('a line of text\n'.repeat(100_000)),
    deep: { x: randomBytes(1, 4) },
  },
};

describe('the archive writer', () => {
  for (const sizeBytes of [0, 1, 255 * KiB, 256 * KiB, 4 * MiB - 1, 4 * MiB, 4 * MiB + 1, 20 * MiB]) {
    for (const pieceBytes of [64 * KiB, 32 * MiB]) {
      it(`gives back ${sizeBytes} bytes that came by ${pieceBytes}`, async () => {
        const blocks = new MemoryBlocks();
        const writer = makeWriter(blocks);
        const bytes = randomBytes(sizeBytes, 11);
        const written = await writer.writeContent(pieces(bytes, pieceBytes));
        await writer.finish();
        expect(written.sizeBytes).to.equal(sizeBytes);
        expect(written.newBytes).to.equal(sizeBytes);
        const content = await written.content.settled();
        expect(content.references.length).to.be.at.most(limits.contentReferences);
        expect(bytesEqual(await readAll(makeReader(blocks), content), bytes)).to.equal(true);
      });
    }
  }

  it('gives back a directory with everything in it', async () => {
    const blocks = new MemoryBlocks();
    const { root } = await store(blocks, new MemoryChunkIndex(), mixed);
    expect(sameFiles(await readFiles(makeReader(blocks), root), mixed)).to.equal(true);
    expect(sameFiles(await readFiles(makeReader(blocks, {}), root), mixed), 'without the secret').to.equal(
      true,
    );
  });

  it('gives back every attribute of every kind of entry', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const { content } = await writer.writeContent([randomBytes(5)]);
    const entries: DraftEntry[] = [
      {
        ...fileEntry('', 5, content),
        name: Uint8Array.of(0xff, 0xfe),
        mode: 0o7777,
        uid: 0xffff_ffff,
        gid: 0,
      },
      {
        ...fileEntry('', 5, content),
        name: Uint8Array.of(0xff, 0xff),
        mtimeNs: -1n,
        linkGroup: 'a',
      } as DraftEntry,
    ];
    const links = [symlinkEntry('link', '../../etc/passwd'), ...entries];
    const tree = await writer.writeTree(links);
    await writer.finish();
    const found = await collect(makeReader(blocks).readTree(await tree.settled()));
    const expected = await Promise.all(
      links.map(async (entry) =>
        entry.type === 'symlink' ? entry : { ...entry, content: await content.settled() },
      ),
    );
    expect(plain(found)).to.deep.equal(plain(expected));
  });

  it('stores next to nothing when the same is written again', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const first = await store(blocks, index, mixed);
    const again = await store(blocks, index, mixed);
    expect(again.stats).to.deep.equal({ blocks: 0, bytes: 0 });
    expect(again.root).to.deep.equal(first.root);
  });

  it('makes the same blocks of the same directory with an empty index', async () => {
    const blocks = new MemoryBlocks();
    const first = await store(blocks, new MemoryChunkIndex(), mixed);
    const again = await store(blocks, new MemoryChunkIndex(), mixed);
    expect(again).to.deep.equal({ root: first.root, stats: { blocks: 0, bytes: 0 } });
  });

  it('makes a handful of packs of a tree of 50 levels, and none when it is written again', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const files = deepFiles(50);
    const first = await store(blocks, index, files);
    expect(blocks.blocks.size).to.equal(2);
    expect(sameFiles(await readFiles(makeReader(blocks), first.root), files)).to.equal(true);
    const again = await store(blocks, index, files);
    expect(again).to.deep.equal({ root: first.root, stats: { blocks: 0, bytes: 0 } });
  });

  it('stores one path to the root when one file of a deep tree changes', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const files: Record<string, Files> = {};
    for (let at = 0; at < 200; at += 1)
      files[`dir${at}`] = { file: randomBytes(100, at), below: deepFiles(3) };
    await store(blocks, index, files);
    const { root, stats } = await store(blocks, index, { ...files, dir7: { file: randomBytes(100, 999) } });
    expect(stats.blocks).to.equal(2);
    expect(stats.bytes).to.be.lessThan(64 * KiB);
    const back = await readFiles(makeReader(blocks), root);
    expect(sameFiles(back, { ...files, dir7: { file: randomBytes(100, 999) } })).to.equal(true);
  });

  it('stores a tree anew when what it refers to has moved', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const files: Files = { a: randomBytes(100, 1), sub: { b: randomBytes(100, 2) } };
    const writer = makeWriter(blocks, index);
    const { content } = await writer.writeContent([randomBytes(100, 1)]);
    await writer.flush();
    const dataPack = (await content.settled()).references[0]!.block;
    await writeFiles(writer, files);
    await writer.finish();
    // The pack of the data is lost; the pack with the trees is there, and so is the index.
    blocks.blocks.delete(dataPack);
    await makeWriter(blocks, index).writeContent([randomBytes(5000, 77)]);
    const writerTwo = makeWriter(blocks, index);
    await writerTwo.writeContent([randomBytes(5000, 78)]);
    const root = await writeFiles(writerTwo, files);
    await writerTwo.finish();
    expect(sameFiles(await readFiles(makeReader(blocks), await root.settled()), files)).to.equal(true);
  });

  it('stores anew whatever the ring has lost, block by block', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const { root } = await store(blocks, index, mixed);
    for (const id of [...blocks.blocks.keys()]) {
      blocks.blocks.delete(id);
      const again = await store(blocks, index, mixed);
      expect(again.stats.blocks).to.be.within(1, 2);
      expect(sameFiles(await readFiles(makeReader(blocks), again.root), mixed)).to.equal(true);
    }
    expect(root.depth).to.equal(0);
  });

  it('sends nothing large again when the index is lost', async () => {
    const blocks = new MemoryBlocks();
    const bytes = randomBytes(12 * MiB, 5);
    const one = makeWriter(blocks);
    await one.writeContent([randomBytes(3, 1)]);
    await one.writeContent([bytes]);
    await one.finish();
    const two = makeWriter(blocks);
    await two.writeContent([bytes]);
    await two.finish();
    expect(two.stats.blocks).to.be.at.most(1);
    expect(two.stats.bytes).to.be.lessThan(5 * MiB);
  });

  it('stores a chunk once that two files have at the same time', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const bytes = randomBytes(12 * MiB, 6);
    const both = await Promise.all([writer.writeContent([bytes]), writer.writeContent([bytes])]);
    await writer.finish();
    expect(both[0].newBytes + both[1].newBytes).to.equal(12 * MiB);
    expect(await both[0].content.settled()).to.deep.equal(await both[1].content.settled());
    expect(blocks.bytes).to.be.lessThan(12.6 * MiB);
  });

  it('changes few chunks and lists when bytes are inserted into a large file', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const bytes = randomBytes(48 * MiB, 9);
    const changed = concatBytes(
      bytes.subarray(0, 20 * MiB),
      Uint8Array.of(1, 2, 3),
      bytes.subarray(20 * MiB),
    );
    const writer = makeWriter(blocks, index);
    const first = await writer.writeContent([bytes]);
    const second = await writer.writeContent([changed]);
    await writer.finish();
    expect(second.newBytes).to.be.within(1, 8 * MiB);
    const content = await second.content.settled();
    expect(content.depth).to.equal(1);
    expect(bytesEqual(await readAll(makeReader(blocks), content), changed)).to.equal(true);
    expect(first.content.sizeBytes).to.equal(48 * MiB);
  });

  it('keeps many files and directories apart that are written at the same time', async () => {
    const blocks = new MemoryBlocks();
    const random = seededRandom(5);
    blocks.beforePut = async () => {
      for (let turns = random.below(20); turns > 0; turns -= 1) await Promise.resolve();
    };
    const writer = makeWriter(blocks, new MemoryChunkIndex(), 16 * MiB);
    const names = Array.from({ length: 300 }, (_, at) => `file${at}`).sort();
    const sizeOf = (at: number): number => (at % 50 === 0 ? 3 * MiB : (at * 7919) % 40_000);
    const roots = await Promise.all(
      [0, 1, 2].map(async (dir) => {
        const entries = await Promise.all(
          names.map(async (name, at) => {
            const { content, sizeBytes } = await writer.writeContent(
              pieces(randomBytes(sizeOf(at), 1000 * (at % 50 === 0 ? 0 : dir) + at), 30_000),
            );
            return fileEntry(name, sizeBytes, content);
          }),
        );
        return writer.writeTree(entries);
      }),
    );
    const root = await writer.writeTree(roots.map((tree, at) => directoryEntry(`${at}`, tree)));
    await writer.finish();
    expect(blocks.mostBytesInPut).to.be.at.most(16 * MiB);
    const back = await readFiles(makeReader(blocks, { fetchWhole: true }), await root.settled());
    for (const dir of [0, 1, 2]) {
      names.forEach((name, at) => {
        const expected = randomBytes(sizeOf(at), 1000 * (at % 50 === 0 ? 0 : dir) + at);
        const found = (back[String(dir)] as Files)[name] as Uint8Array;
        expect(bytesEqual(found, expected), name).to.equal(true);
      });
    }
  });

  it('holds no more bytes on their way than it may, and waits for room', async () => {
    const blocks = new MemoryBlocks();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    blocks.beforePut = () => gate;
    let read = 0;
    const source = function* (): Generator<Uint8Array> {
      for (const piece of pieces(randomBytes(48 * MiB, 9), 256 * KiB)) {
        read += piece.length;
        yield piece;
      }
    };
    const writer = makeWriter(blocks, new MemoryChunkIndex(), 16 * MiB);
    const work = writer.writeContent(source());
    for (let turn = 0; turn < 300; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(read).to.be.within(8 * MiB, 22 * MiB);
    expect(blocks.mostBytesInPut).to.be.at.most(16 * MiB);
    open();
    await work;
    await writer.finish();
    expect(blocks.mostBytesInPut).to.be.at.most(16 * MiB);
  });

  it('asks for many blocks in few requests', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const bytes = randomBytes(48 * MiB, 9);
    const first = makeWriter(blocks, index);
    await first.writeContent([bytes]);
    await first.finish();
    blocks.hasSizes.length = 0;
    const second = makeWriter(blocks, index);
    await Promise.all([second.writeContent([bytes]), second.writeContent([bytes])]);
    await second.finish();
    expect(second.stats.blocks).to.equal(0);
    const asked = blocks.hasSizes.reduce((sum, size) => sum + size, 0);
    expect(asked).to.be.lessThan(60);
    expect(Math.max(...blocks.hasSizes)).to.be.at.most(limits.hasBlocksIds);
  });

  it('names a block to the index only when it is stored', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const set = index.set.bind(index);
    index.set = (name, location) => {
      expect(blocks.blocks.has(location.block)).to.equal(true);
      set(name, location);
    };
    await store(blocks, index, mixed);
    expect(index.size).to.be.greaterThan(5);
  });

  it('goes on from what is stored when a run was cut off', async () => {
    const files: Record<string, Uint8Array> = {};
    for (let at = 10; at < 40; at += 1) files[`f${at}`] = randomBytes(2 * MiB, 100 + at);
    for (const putsLeft of [0, 1, 5, 20]) {
      const blocks = new MemoryBlocks();
      const index = new MemoryChunkIndex();
      blocks.putsLeft = putsLeft;
      expect(await codeOf(store(blocks, index, files)), `after ${putsLeft} puts`).to.equal('NO_SPACE');
      const storedBytes = blocks.bytes;
      blocks.putsLeft = Infinity;
      const { root, stats } = await store(blocks, index, files);
      expect(storedBytes + stats.bytes).to.be.lessThan(64 * MiB);
      expect(sameFiles(await readFiles(makeReader(blocks), root), files)).to.equal(true);
    }
  });

  it('rejects everything, and hangs nowhere, once a block could not be stored', async () => {
    const blocks = new MemoryBlocks();
    blocks.putsLeft = 3;
    const writer = makeWriter(blocks, new MemoryChunkIndex(), 16 * MiB);
    const drafts: Draft[] = [];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, async (_, at) => {
        const { content, sizeBytes } = await writer.writeContent([randomBytes(2 * MiB, 100 + at)]);
        drafts.push(content, await writer.writeTree([fileEntry('x', sizeBytes, content)]));
      }),
    );
    expect(outcomes.some(({ status }) => status === 'rejected')).to.equal(true);
    expect(await codeOf(writer.flush())).to.equal('NO_SPACE');
    expect(await codeOf(writer.writeContent([Uint8Array.of(1)]))).to.equal('NO_SPACE');
    expect(await codeOf(writer.writeTree([]))).to.equal('NO_SPACE');
    expect(await codeOf(writer.finish())).to.equal('NO_SPACE');
    const settled = await Promise.allSettled(drafts.map((draft) => draft.settled()));
    expect(settled.every((one) => one.status === 'fulfilled' || one.reason instanceof Error)).to.equal(true);
  });

  it('survives a file that cannot be read to its end', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const broken = function* (): Generator<Uint8Array> {
      yield randomBytes(3 * MiB, 1);
      throw new Error('the disk has a bad sector');
    };
    const message = await writer.writeContent(broken()).catch((error: unknown) => (error as Error).message);
    expect(message).to.equal('the disk has a bad sector');
    const { content } = await writer.writeContent([randomBytes(3 * MiB, 2)]);
    await writer.finish();
    expect(
      bytesEqual(await readAll(makeReader(blocks), await content.settled()), randomBytes(3 * MiB, 2)),
    ).to.equal(true);
  });

  it('uses a content again only when all its blocks are there', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const { content } = await writer.writeContent([randomBytes(48 * MiB, 9)]);
    const empty = await writer.writeContent([]);
    await writer.finish();
    const settled = await content.settled();
    expect(settled.depth).to.equal(1);
    expect(await makeWriter(blocks).reuse(settled)).to.equal(true);
    expect(await makeWriter(blocks).reuse(await empty.content.settled())).to.equal(true);
    for (const id of [...blocks.blocks.keys()]) {
      const bytes = blocks.blocks.get(id)!;
      blocks.blocks.delete(id);
      expect(await makeWriter(blocks).reuse(settled)).to.equal(false);
      blocks.blocks.set(id, bytes);
    }
  });

  it('writes a directory of 100,000 entries in bounded memory, and a changed entry costs little', async () => {
    const blocks = new MemoryBlocks();
    const index = new MemoryChunkIndex();
    const entries = function* (content: Draft, changed = -1): Generator<DraftEntry> {
      for (let at = 0; at < 100_000; at += 1) {
        const entry = fileEntry(`name${String(at).padStart(6, '0')}`, 5, content);
        yield at === changed ? { ...entry, mtimeNs: 1n } : entry;
      }
    };
    const writer = makeWriter(blocks, index);
    const { content } = await writer.writeContent([randomBytes(5)]);
    const tree = await writer.writeTree(entries(content));
    await writer.finish();
    const settled = await tree.settled();
    expect(settled.depth).to.equal(1);
    let count = 0;
    for await (const entry of makeReader(blocks, { fetchWhole: true }).readTree(settled)) {
      expect(nameOf(entry)).to.equal(`name${String(count).padStart(6, '0')}`);
      count += 1;
    }
    expect(count).to.equal(100_000);
    const again = makeWriter(blocks, index);
    const same = await again.writeContent([randomBytes(5)]);
    await again.writeTree(entries(same.content, 51_234));
    await again.finish();
    expect(again.stats.blocks).to.equal(1);
    expect(again.stats.bytes).to.be.lessThan(200 * KiB);
  });

  it('holds no more of a directory of 300,000 entries than its bounds say', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const heldBytes = (): number => {
      collectGarbage();
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      return arrayBuffers + heapUsed;
    };
    const writer = makeWriter(new MemoryBlocks());
    const { content } = await writer.writeContent([randomBytes(5)]);
    const before = heldBytes();
    let most = 0;
    const entries = function* (): Generator<DraftEntry> {
      for (let at = 0; at < 300_000; at += 1) {
        if (at % 60_000 === 59_999) most = Math.max(most, heldBytes());
        yield fileEntry(`name${String(at).padStart(6, '0')}`, 5, content);
      }
    };
    await writer.writeTree(entries());
    await writer.finish();
    expect(most - before).to.be.lessThan(32 * MiB);
  });

  it('gives back a catalog, and refuses entries out of order', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const tree = await writer.writeTree([]);
    const counts = { files: 1, dirs: 2, bytes: 3, newBytes: 4, storedBytes: 2 ** 40, errors: 0 };
    const root = await tree.settled();
    const snapshots = Array.from({ length: 500 }, (_, at) =>
      makeSnapshot({
        timeMs: 1.7e12 + at,
        host: 'h',
        user: 'u',
        paths: [Uint8Array.of(0x2f, 255)],
        tags: ['t'],
        root,
        ...counts,
      }),
    );
    const catalog = await writer.writeCatalog(snapshots);
    expect(await codeOf(writer.writeTree([symlinkEntry('b', 'x'), symlinkEntry('a', 'x')]))).to.equal(
      'USAGE',
    );
    expect(await codeOf(writer.writeTree([symlinkEntry('a', 'x'), symlinkEntry('a', 'x')]))).to.equal(
      'USAGE',
    );
    await writer.finish();
    const found = await collect(makeReader(blocks).readCatalog(await catalog.settled()));
    expect(found.map(({ id }) => id)).to.deep.equal(snapshots.map(({ id }) => id));
    expect(found[7]).to.deep.equal(snapshots[7]);
  });

  it('gives back decisions', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const decisions = Array.from({ length: 3000 }, (_, at) => ({
      snapshot: hashToId(Uint8Array.of(at >> 8, at & 255)),
      atMs: 1.7e12 + at,
      isForgotten: at % 3 > 0,
    }));
    const content = await writer.writeDecisions(decisions);
    await writer.finish();
    expect(await collect(makeReader(blocks).readDecisions(await content.settled()))).to.deep.equal(decisions);
  });
});
