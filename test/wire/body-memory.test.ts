import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { BodyMemory } from '../../src/wire/body-memory.js';

const MiB = 1024 * 1024;

describe('The memory of request bodies', () => {
  it('is as long as the body, whatever the piece behind it', () => {
    const memory = new BodyMemory();
    for (const sizeBytes of [0, 1, 65_535, 65_536, 65_537, MiB, MiB + 29, limits.blockBytes]) {
      const body = memory.take(sizeBytes);
      expect(body).to.have.length(sizeBytes);
      memory.giveBack(body);
      expect(memory.take(sizeBytes)).to.have.length(sizeBytes);
    }
  });

  it('holds the next body only after it was given back', () => {
    const memory = new BodyMemory();
    const first = memory.take(MiB);
    const second = memory.take(MiB);
    expect(second.buffer).not.to.equal(first.buffer);
    memory.giveBack(first);
    expect(memory.take(MiB - 7).buffer).to.equal(first.buffer);
    expect(memory.take(MiB).buffer).not.to.equal(first.buffer);
  });

  it('is kept up to a bound', () => {
    const memory = new BodyMemory();
    const bodies = Array.from({ length: 100 }, () => memory.take(MiB));
    for (const body of bodies) memory.giveBack(body);
    expect(memory.freeBytes).to.equal(limits.bodyMemoryKeptBytes);
  });

  it('does not keep small bodies', () => {
    const memory = new BodyMemory();
    memory.giveBack(memory.take(1000));
    expect(memory.freeBytes).to.equal(0);
  });
});
