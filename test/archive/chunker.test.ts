import { expect } from 'chai';
import fc from 'fast-check';

import { type Chunk, Chunker, chunkSizes, type ChunkSizes } from '../../src/archive/chunker.js';
import { bytesEqual, concatBytes } from '../../src/base/bytes.js';
import { collect, MiB, pieces, randomBytes, secrets } from './support.js';

const small: ChunkSizes = { min: 64, average: 256, max: 1024 };

async function cut(bytes: Uint8Array, pieceBytes = 1 * MiB, sizes = chunkSizes): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const { bytes: chunk, end } of new Chunker(secrets.gear, sizes).chunks(
    pieces(bytes, pieceBytes),
  )) {
    chunks.push({ bytes: Uint8Array.from(chunk), end });
  }
  return chunks;
}

/** Where the chunks end, and why. */
async function ends(bytes: Uint8Array, pieceBytes: number, sizes = small): Promise<string[]> {
  return (await cut(bytes, pieceBytes, sizes)).map(({ bytes: { length }, end }) => `${length} ${end}`);
}

/** A slow restatement of the rule of docs/format.md. */
function rule(bytes: Uint8Array, sizes: ChunkSizes): string[] {
  const bits = Math.log2(sizes.average);
  const found: string[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const length = at + 1 - start;
    let hash = 0;
    for (let back = 31; back >= 0; back -= 1) {
      hash = (Math.imul(hash, 2) + secrets.gear[bytes[at - back] ?? 0]!) | 0;
    }
    const zeroBits = length <= sizes.average ? bits + 2 : bits - 2;
    const isContent = length >= sizes.min && hash >>> (32 - zeroBits) === 0;
    if (!isContent && length < sizes.max) continue;
    found.push(`${length} ${isContent ? 'content' : 'size'}`);
    start = at + 1;
  }
  if (start < bytes.length) found.push(`${bytes.length - start} end`);
  return found;
}

describe('the chunker', () => {
  it('gives back the stream, in chunks within their bounds', async () => {
    const bytes = randomBytes(24 * MiB);
    const chunks = await cut(bytes);
    expect(bytesEqual(concatBytes(...chunks.map((chunk) => chunk.bytes)), bytes)).to.equal(true);
    for (const {
      bytes: { length },
    } of chunks.slice(0, -1)) {
      expect(length).to.be.within(chunkSizes.min, chunkSizes.max);
    }
    expect(24 / chunks.length).to.be.within(0.7, 1.7);
  });

  it('cuts nothing out of nothing', async () => {
    expect(await cut(new Uint8Array(0))).to.deep.equal([]);
  });

  const { min, max } = chunkSizes;
  for (const length of [1, min - 1, min, min + 1, max - 1, max, max + 1, 2 * max]) {
    for (const pieceBytes of [64 * 1024 - 1, 1 * MiB, 16 * MiB]) {
      it(`cuts ${length} equal bytes only at the largest size, arriving by ${pieceBytes}`, async () => {
        const expected = Array.from({ length: Math.floor(length / max) }, () => `${max} size`);
        if (length % max > 0) expected.push(`${length % max} end`);
        expect(await ends(new Uint8Array(length), pieceBytes, chunkSizes)).to.deep.equal(expected);
      });
    }
  }

  it('follows the rule of docs/format.md, however the bytes arrive', async () => {
    const bytes = randomBytes(40_000, 3);
    const expected = rule(bytes, small);
    expect(expected.length).to.be.greaterThan(80);
    for (const pieceBytes of [1, 3, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 40_000]) {
      expect(await ends(bytes, pieceBytes), `pieces of ${pieceBytes}`).to.deep.equal(expected);
    }
  });

  it('says "content" for a boundary that is also the end of the stream', async () => {
    const bytes = randomBytes(40_000, 3);
    const first = (await cut(bytes, 40_000, small))[0]!;
    expect(await ends(first.bytes, 7)).to.deep.equal([`${first.bytes.length} content`]);
  });

  it('is not changed by the stream before', async () => {
    const chunker = new Chunker(secrets.gear, small);
    const lengths = async (bytes: Uint8Array): Promise<number[]> => {
      const found = [];
      for await (const { bytes: chunk } of chunker.chunks([bytes])) found.push(chunk.length);
      return found;
    };
    const alone = await lengths(randomBytes(5000, 4));
    await collect(chunker.chunks([randomBytes(777, 5)]));
    for await (const _ of chunker.chunks([randomBytes(5000, 6)])) break;
    expect(await lengths(randomBytes(5000, 4))).to.deep.equal(alone);
  });

  it('keeps most chunks over an insertion or a removal', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 60_000 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 300 }),
        async (at, inserted, removed) => {
          const bytes = randomBytes(60_000, 8);
          const changed = concatBytes(bytes.subarray(0, at), inserted, bytes.subarray(at + removed));
          const before = new Set((await cut(bytes, 60_000, small)).map((chunk) => chunk.bytes.toString()));
          const after = (await cut(changed, 60_000, small)).map((chunk) => chunk.bytes.toString());
          expect(after.filter((chunk) => !before.has(chunk)).length).to.be.lessThan(12);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });
});
