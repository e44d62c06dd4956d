import { expect } from 'chai';

import { bytesEqual, concatBytes, sha256 } from '../../src/base/bytes.js';
import { limits } from '../../src/base/limits.js';
import type { Content, Reference } from '../../src/archive/entry.js';
import type { ByteRange } from '../../src/archive/ports.js';
import { ArchiveReader } from '../../src/archive/reader.js';
import { decodeContent, encodeContent, referenceBytes } from '../../src/archive/reference.js';
import { chunkKey, type ChunkKind, sealChunk } from '../../src/archive/seal.js';
import { decodeEntry, encodeEntry } from '../../src/archive/tree.js';
import { type Reached, walkReferences } from '../../src/archive/walk.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import {
  codeOf,
  collect,
  compressor,
  directoryEntry,
  fileEntry,
  makeReader,
  makeWriter,
  MemoryBlocks,
  MiB,
  randomBytes,
  readAll,
  readFiles,
  secrets,
  symlinkEntry,
  writeFiles,
} from './support.js';

/** Seals a plaintext as a writer would that does not keep the rules, as a block of its own. */
function plant(
  blocks: MemoryBlocks,
  kind: ChunkKind,
  plaintext: Uint8Array,
  sizeBytes = plaintext.length,
): Reference {
  const hash = sha256(plaintext);
  const key = chunkKey(secrets, kind, hash);
  const bytes = sealChunk(compressor, key, plaintext, hash);
  const block = hashToId(bytes);
  blocks.blocks.set(block, bytes);
  return { block, offset: 0, length: bytes.length, key, sizeBytes };
}

function record(bytes: Uint8Array): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return concatBytes(head, bytes);
}

const one = (reference: Reference, depth = 0): Content => ({ depth, references: [reference] });
const version = Uint8Array.of(1);
const link = (name: string): Uint8Array => record(encodeEntry(symlinkEntry(name, 't')).bytes);
/** An entry whose name has been replaced, by another of its length, behind the encoder's back. */
function renamed(name: string): Uint8Array {
  const bytes = Buffer.from(link('q'.repeat(name.length)));
  bytes.set(Buffer.from(name), bytes.indexOf('q'.repeat(name.length)));
  return bytes;
}

describe('the archive reader', () => {
  it('reads any range of a content, and only the chunks that it needs', async () => {
    const blocks = new MemoryBlocks();
    const bytes = randomBytes(48 * MiB, 9);
    const writer = makeWriter(blocks);
    const { content } = await writer.writeContent([bytes]);
    await writer.finish();
    const settled = await content.settled();
    const size = bytes.length;
    for (const [offset, length] of [
      [0, 0],
      [0, 1],
      [size - 1, 1],
      [size, 1],
      [size - 5, 50],
      [5 * MiB - 3, 3 * MiB],
      [0, size],
    ] as const) {
      blocks.gets.length = 0;
      const found = await readAll(makeReader(blocks), settled, { offset, length });
      expect(bytesEqual(found, bytes.subarray(offset, offset + length)), `${length} from ${offset}`).to.equal(
        true,
      );
      if (length < 10) expect(blocks.gets.length).to.be.at.most(2);
    }
  });

  it('fetches a range for one small file, and each pack once for many', async () => {
    const blocks = new MemoryBlocks();
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at}`, randomBytes(500, at)]));
    const writer = makeWriter(blocks);
    const draft = await writeFiles(writer, files);
    await writer.finish();
    const root = await draft.settled();
    blocks.gets.length = 0;
    const reader = makeReader(blocks);
    const first = (await reader.readTree(root).next()).value!;
    if (first.type !== 'file') throw new Error('not a file');
    await readAll(reader, first.content);
    expect(blocks.gets.every(({ range }) => range !== undefined)).to.equal(true);
    blocks.gets.length = 0;
    await readFiles(makeReader(blocks, { fetchWhole: true }), root);
    expect(blocks.gets.length).to.equal(2);
    blocks.gets.length = 0;
    await readFiles(makeReader(blocks), root);
    expect(blocks.gets.length).to.be.at.most(4);
  });

  it('keeps no more of the blocks than it may', async () => {
    const blocks = new MemoryBlocks();
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`f${at}`, randomBytes(100_000, at)]),
    );
    const writer = makeWriter(blocks);
    const draft = await writeFiles(writer, files);
    await writer.finish();
    const root = await draft.settled();
    for (const [cacheBytes, most] of [
      [1, 600],
      [64 * MiB, 5],
    ] as const) {
      blocks.gets.length = 0;
      await readFiles(makeReader(blocks, { fetchWhole: true, cacheBytes }), root);
      expect(blocks.gets.length).to.be.at.most(most);
    }
  });

  it('looks for a part that came damaged in the whole block, which another holder may have undamaged', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const draft = await writeFiles(writer, { large: randomBytes(5 * MiB, 9), small: randomBytes(100, 1) });
    await writer.finish();
    const root = await draft.settled();
    const source = {
      get: async (id: Id, range?: ByteRange) => {
        const bytes = await blocks.get(id, range);
        return range === undefined ? bytes : Uint8Array.from(bytes, (byte) => byte ^ 1);
      },
    };
    const files = await readFiles(new ArchiveReader({ source, compressor, secrets }), root);
    expect(Object.keys(files)).to.deep.equal(['large', 'small']);
  });

  it('holds no more opened chunks than it may, however little they are sealed', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const zeros = new Uint8Array(MiB);
    const { content } = await writer.writeContent(Array.from({ length: 64 }, () => zeros));
    await writer.finish();
    let opened = 0;
    const counting = {
      ...compressor,
      decompress: (frame: Uint8Array, sizeBytes: number) => {
        opened += sizeBytes;
        return compressor.decompress(frame, sizeBytes);
      },
    };
    const reader = new ArchiveReader({ source: blocks, compressor: counting, readAheadBytes: 8 * MiB });
    let read = 0;
    for await (const piece of reader.readContent(await content.settled())) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(opened - read).to.be.at.most(12 * MiB);
      read += piece.length;
    }
    expect(read).to.equal(64 * MiB);
  });

  it('names every damaged or missing block', async () => {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const draft = await writeFiles(writer, {
      large: randomBytes(5 * MiB, 9),
      sub: { small: randomBytes(100, 1) },
    });
    await writer.finish();
    const root = await draft.settled();
    for (const [id, bytes] of [...blocks.blocks]) {
      const flipped = Uint8Array.from(bytes);
      flipped[5]! ^= 1;
      const other = randomBytes(bytes.length, 3);
      for (const damaged of [flipped, bytes.subarray(0, 20), new Uint8Array(0), other]) {
        blocks.blocks.set(id, damaged);
        for (const fetchWhole of [true, false]) {
          const reading = readFiles(makeReader(blocks, { fetchWhole }), root);
          expect(await codeOf(reading)).to.equal('DAMAGED');
          expect(await reading.catch((error: unknown) => (error as Error).message)).to.include(id);
        }
      }
      blocks.blocks.delete(id);
      expect(await codeOf(readFiles(makeReader(blocks), root))).to.equal('MISSING');
      blocks.blocks.set(id, bytes);
    }
    await readFiles(makeReader(blocks), root);
  });

  const badTrees: readonly [string, Uint8Array][] = [
    ['a name with a "/"', concatBytes(version, renamed('a/b'))],
    ['a name with a NUL', concatBytes(version, renamed('a\0b'))],
    ['the name "."', concatBytes(version, renamed('.'))],
    ['the name ".."', concatBytes(version, renamed('..'))],
    ['names out of order', concatBytes(version, link('b'), link('a'))],
    ['a name twice', concatBytes(version, link('a'), link('a'))],
    ['a later version', concatBytes(Uint8Array.of(2), link('a'))],
    ['a record cut short', concatBytes(version, link('a')).subarray(0, -1)],
    ['a record head cut short', concatBytes(version, link('a'), new Uint8Array(3))],
    ['garbage', concatBytes(version, record(randomBytes(60)))],
    ['an empty record', concatBytes(version, record(new Uint8Array(0)))],
    ['a link with content', concatBytes(version, record(linkWithContent()))],
  ];
  for (const [what, plaintext] of badTrees) {
    it(`calls a tree with ${what} DAMAGED`, async () => {
      const blocks = new MemoryBlocks();
      const reader = makeReader(blocks);
      expect(await codeOf(collect(reader.readTree(one(plant(blocks, 'tree', plaintext)))))).to.equal(
        'DAMAGED',
      );
    });
  }

  function linkWithContent(): Uint8Array {
    const reference = {
      block: hashToId(version),
      offset: 0,
      length: 40,
      key: new Uint8Array(32),
      sizeBytes: 5,
    };
    return concatBytes(
      encodeEntry(symlinkEntry('a', 't')).bytes.subarray(0, -2),
      encodeContent(one(reference)),
    );
  }

  it('calls a list DAMAGED that is of another depth, does not add up, or is cut', async () => {
    const blocks = new MemoryBlocks();
    const leaf = plant(blocks, 'data', randomBytes(100));
    const listOf = (depth: number, ...all: Reference[]): Uint8Array =>
      concatBytes(
        Uint8Array.of(1, depth),
        ...all.map((reference) => encodeContent(one(reference)).subarray(2)),
      );
    const read = (plaintext: Uint8Array, sizeBytes: number, depth = 1): Promise<Uint8Array> =>
      readAll(makeReader(blocks), one(plant(blocks, 'list', plaintext, sizeBytes), depth));
    expect((await read(listOf(1, leaf, leaf), 200)).length).to.equal(200);
    expect(await codeOf(read(listOf(1, leaf, leaf), 199))).to.equal('DAMAGED');
    expect(await codeOf(read(listOf(2, leaf), 100))).to.equal('DAMAGED');
    expect(await codeOf(read(listOf(1, leaf), 100, 2))).to.equal('DAMAGED');
    expect(await codeOf(read(listOf(1), 1))).to.equal('DAMAGED');
    expect(await codeOf(read(listOf(1, leaf).subarray(0, -1), 100))).to.equal('DAMAGED');
    expect(await codeOf(read(listOf(1, { ...leaf, sizeBytes: 99 }), 99))).to.equal('DAMAGED');
  });

  it('does not take a chunk of one kind for another', async () => {
    const blocks = new MemoryBlocks();
    const tree = plant(blocks, 'tree', concatBytes(version, link('a')));
    expect(await codeOf(readAll(makeReader(blocks), one(tree)))).to.equal('DAMAGED');
    expect((await readAll(makeReader(blocks, {}), one(tree))).length).to.equal(tree.sizeBytes);
  });

  it('refuses contents that cannot be', () => {
    const reference = {
      block: hashToId(version),
      offset: 0,
      length: 40,
      key: new Uint8Array(32),
      sizeBytes: 5,
    };
    const good = encodeContent(one(reference));
    expect(decodeContent(good)).to.deep.equal(one(reference));
    expect(good.length).to.equal(2 + referenceBytes);
    const change = (at: number, value: number): Uint8Array => {
      const bytes = Uint8Array.from(good);
      bytes[at] = value;
      return bytes;
    };
    const bad = [
      good.subarray(0, -1),
      concatBytes(good, version),
      new Uint8Array(0),
      Uint8Array.of(1, 0),
      change(0, limits.contentDepth + 1),
      change(1, 2),
      change(2 + 32, 0xff), // the offset
      change(2 + 36, 0xff), // the length
      change(2 + 39, 29), // a length that holds nothing
      change(2 + 72, 0xff), // the size
      change(2 + 79, 0), // a size of nothing
      concatBytes(good.subarray(0, 2), new Uint8Array(32), good.subarray(34)), // into a block that there is not
    ];
    for (const bytes of bad)
      expect(() => decodeContent(bytes))
        .to.throw()
        .with.property('code', 'DAMAGED');
  });

  it('refuses to write entries that it would not read', () => {
    const content = { depth: 0, references: [] };
    const names = ['', '.', '..', 'a/b', '/', 'a\0', 'x'.repeat(limits.entryNameBytes + 1)];
    for (const name of names) {
      expect(() => encodeEntry(directoryEntry(name, content)))
        .to.throw()
        .with.property('code', 'USAGE');
    }
    for (const name of ['...', '.a', 'x'.repeat(limits.entryNameBytes)]) {
      const { bytes } = encodeEntry(directoryEntry(name, content));
      expect(decodeEntry(bytes, hashToId(version)).type).to.equal('directory');
    }
    expect(() => encodeEntry(fileEntry('a', 1, content)))
      .to.throw()
      .with.property('code', 'USAGE');
    const wild = { ...directoryEntry('a', content), mode: 0o10000 };
    expect(() => encodeEntry(wild))
      .to.throw()
      .with.property('code', 'USAGE');
  });
});

describe('a walk', () => {
  async function archive() {
    const blocks = new MemoryBlocks();
    const writer = makeWriter(blocks);
    const draft = await writeFiles(writer, {
      large: randomBytes(30 * MiB, 9),
      sub: { small: randomBytes(100, 1), below: { deep: randomBytes(5, 2) } },
    });
    await writer.finish();
    return { blocks, root: await draft.settled() };
  }

  it('reaches every block, and every kind', async () => {
    const { blocks, root } = await archive();
    const reached = await collect(walkReferences(makeReader(blocks), root, 'tree'));
    expect(new Set(reached.map(({ reference }) => reference.block))).to.deep.equal(
      new Set(blocks.blocks.keys()),
    );
    expect(new Set(reached.map(({ kind }) => kind))).to.deep.equal(new Set(['tree', 'list', 'data']));
    expect(reached.filter(({ kind }) => kind === 'tree').length).to.equal(3);
  });

  it('leaves out what was walked before', async () => {
    const { blocks, root } = await archive();
    const reached = await collect(walkReferences(makeReader(blocks), root, 'tree', { enter: () => false }));
    expect(reached.length).to.equal(1);
  });

  it('goes on beside what cannot be read when told to, and throws otherwise', async () => {
    const { blocks, root } = await archive();
    const reader = makeReader(blocks);
    const lists = (await collect(walkReferences(reader, root, 'tree'))).filter(({ kind }) => kind === 'list');
    const { block, offset } = lists[0]!.reference;
    blocks.blocks.get(block)![offset + 20]! ^= 1;
    expect(await codeOf(collect(walkReferences(makeReader(blocks), root, 'tree')))).to.equal('DAMAGED');
    const failed: Reached[] = [];
    const options = { failed: (what: Reached) => failed.push(what) };
    const reached = await collect(walkReferences(makeReader(blocks), root, 'tree', options));
    expect(failed.map(({ kind }) => kind)).to.deep.equal(['list']);
    expect(reached.filter(({ kind }) => kind === 'data').length).to.equal(2);
  });
});
