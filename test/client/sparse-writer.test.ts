import { expect } from 'chai';
import fc from 'fast-check';

import type { WritableFile } from '../../src/base/filesystem.js';
import { limits } from '../../src/base/limits.js';
import { SparseWriter } from '../../src/client/sparse-writer.js';

/** A file in memory that knows which of its bytes were written. */
function memoryFile(): { file: WritableFile; content: () => Buffer; written: () => number } {
  let content = Buffer.alloc(0);
  let written = 0;
  const extend = (size: number): void => {
    if (size > content.length) content = Buffer.concat([content, Buffer.alloc(size - content.length)]);
  };
  const unused = (): never => {
    throw new Error('not called by a sparse writer');
  };
  const file: WritableFile = {
    write: (bytes, position) => {
      extend(position + bytes.length);
      content.set(bytes, position);
      written += bytes.length;
      return Promise.resolve();
    },
    truncate: (size) => {
      extend(size);
      return Promise.resolve();
    },
    info: unused,
    changeOwner: unused,
    changeMode: unused,
    close: unused,
  };
  return { file, content: () => content, written: () => written };
}

async function write(pieces: readonly Uint8Array[]): Promise<{ content: Buffer; written: number }> {
  const { file, content, written } = memoryFile();
  const writer = new SparseWriter(file);
  for (const piece of pieces) await writer.write(piece);
  await writer.finish();
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  expect(writer.sizeBytes).to.equal(length);
  return { content: content(), written: written() };
}

describe('sparse writer', () => {
  const hole = limits.holeBytes;

  for (const [rule, zeros, expected] of [
    ['writes a stretch one short of a hole', hole - 1, hole - 1],
    ['leaves out a stretch that just makes a hole', hole, 0],
    ['leaves out a longer one', 5 * hole + 1, 0],
  ] as const) {
    it(`${rule}, also across pieces and at the end`, async () => {
      for (const at of [0, 1, 4095, 4096, hole / 2, zeros]) {
        const pieces = [Buffer.alloc(at), Buffer.alloc(zeros - at)];
        expect(await write(pieces), `split at ${at}`).to.deep.equal({
          content: Buffer.alloc(zeros),
          written: expected,
        });
      }
      const data = Buffer.alloc(4096, 1);
      const between = await write([data, Buffer.alloc(zeros), data]);
      // A hole ends at a cell's border, so that up to one cell of zeros may be written with the data behind it.
      expect(between.written - expected - 2 * data.length).to.be.within(0, 4095);
      expect(between.content.equals(Buffer.concat([data, Buffer.alloc(zeros), data]))).to.equal(true);
    });
  }

  it('gives the content back, whatever it is and however it is cut', async () => {
    const run = fc.record({
      byte: fc.constantFrom(0, 0, 7),
      length: fc.oneof(fc.nat(100), fc.nat(3 * hole), fc.constantFrom(4096, 8192, hole)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 8 }), fc.array(fc.nat(2 * hole)), async (runs, cuts) => {
        const whole = Buffer.concat(runs.map(({ byte, length }) => Buffer.alloc(length, byte)));
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const cut of cuts) {
          pieces.push(whole.subarray(at, at + cut));
          at = Math.min(at + cut, whole.length);
        }
        pieces.push(whole.subarray(at));
        expect((await write(pieces)).content.equals(whole)).to.equal(true);
      }),
      { numRuns: 200 },
    );
  });
});
