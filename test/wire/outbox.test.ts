import { Writable } from 'node:stream';

import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { Outbox } from '../../src/wire/outbox.js';
import { settled } from './helpers.js';

const none = new Uint8Array(0);

/** A stream that takes one write at a time, when the test says so. */
class Slow extends Writable {
  readonly writes: Buffer[] = [];
  #done: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    this.#done = done;
  }

  take(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }
}

describe('the outbox of a connection', () => {
  let stream: Slow;
  let outbox: Outbox;
  let givenBackBytes: number;

  beforeEach(() => {
    stream = new Slow();
    givenBackBytes = 0;
    outbox = new Outbox(stream, (bytes) => (givenBackBytes += bytes));
  });

  const takeAll = async (): Promise<void> => {
    for (let turn = 0; turn < 50 && !outbox.isEmpty; turn += 1) {
      await settled();
      stream.take();
    }
  };

  it('writes frames and bodies of every size in their order, whole', async () => {
    const sizes = [
      1,
      20_000,
      3,
      5,
      limits.writeAtOnceBytes,
      7,
      2 * limits.writeAtOnceBytes + 1,
      16 * 1024,
      9,
    ];
    const expected = sizes.map((size, at) => Buffer.alloc(size, at + 1));
    for (const bytes of expected) outbox.add(Uint8Array.of(0), bytes);
    await takeAll();
    const wanted = Buffer.concat(expected.flatMap((bytes) => [Buffer.of(0), bytes]));
    expect(Buffer.concat(stream.writes).equals(wanted)).to.equal(true);
    expect(outbox.takenBytes).to.equal(wanted.length);
  });

  it('gives the stream a part at a time, and shows how much of it was taken', async () => {
    outbox.add(Uint8Array.of(0), new Uint8Array(limits.blockBytes));
    await settled();
    expect(stream.writableLength).to.be.at.most(2 * limits.writeAtOnceBytes);
    stream.take();
    stream.take();
    await settled();
    expect(outbox.takenBytes).to.be.greaterThan(0).and.lessThan(limits.blockBytes);
  });

  it('counts a frame as held until all of it was taken', async () => {
    outbox.add(Uint8Array.of(0), new Uint8Array(limits.blockBytes), 100);
    outbox.add(Uint8Array.of(0), none, 10);
    while (outbox.takenBytes < limits.blockBytes - 2 * limits.writeAtOnceBytes) {
      expect(givenBackBytes).to.equal(0);
      stream.take();
      await settled();
    }
    await takeAll();
    expect(givenBackBytes).to.equal(110);
  });

  it('gives back what is held, once, when it is dropped', async () => {
    outbox.add(Uint8Array.of(0), new Uint8Array(limits.blockBytes), 100);
    await settled();
    outbox.drop();
    expect(givenBackBytes).to.equal(100);
    stream.take();
    await settled();
    expect(givenBackBytes).to.equal(100);
  });

  it('says of a frame that it was written once its beginning was', async () => {
    const first = outbox.add(Uint8Array.of(1), new Uint8Array(limits.blockBytes));
    const second = outbox.add(Uint8Array.of(2), none);
    expect(outbox.wasWritten(first)).to.equal(false);
    await settled();
    expect([outbox.wasWritten(first), outbox.wasWritten(second)]).to.deep.equal([true, false]);
    await takeAll();
    expect(outbox.wasWritten(second)).to.equal(true);
  });

  it('forgets who waited for room and has withdrawn', async () => {
    outbox.add(Uint8Array.of(0), new Uint8Array(limits.blockBytes));
    const called: number[] = [];
    const withdraw = outbox.whenRoom(() => called.push(1));
    outbox.whenRoom(() => called.push(2));
    withdraw();
    expect(called).to.deep.equal([]);
    await takeAll();
    await settled();
    expect(called).to.deep.equal([2]);
  });
});
