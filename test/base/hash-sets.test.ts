import { expect } from 'chai';

import { BloomFilter } from '../../src/base/bloom-filter.js';
import { sha256, utf8 } from '../../src/base/bytes.js';
import { HashSet } from '../../src/base/hash-set.js';

const hashes = (from: number, to: number): readonly Uint8Array[] =>
  Array.from({ length: to - from }, (_, at) => sha256(utf8(`hash ${from + at}`)));

describe('a set of hashes', () => {
  it('has what was added, once, however many there are', () => {
    const set = new HashSet();
    const all = hashes(0, 50_000);
    for (const hash of all) expect(set.add(hash)).to.equal(true);
    for (const hash of all) expect(set.add(hash)).to.equal(false);
    expect(set.size).to.equal(all.length);
    expect(hashes(50_000, 60_000).every((hash) => set.add(hash))).to.equal(true);
  });

  it('takes keys that begin alike as fast as others', () => {
    // The chunks of a few blocks: 100,000 of them took more than a minute where the slot followed from the beginning alone.
    const set = new HashSet();
    const blocks = hashes(0, 4);
    for (let offset = 0; offset < 50_000; offset += 1)
      for (const block of blocks) {
        const place = Uint8Array.from(block.subarray(0, 16));
        new DataView(place.buffer).setUint32(12, 37 * offset);
        expect(set.add(place)).to.equal(true);
      }
    expect(set.size).to.equal(200_000);
  });

  it('tells keys apart that begin alike, and reads them where they lie in a larger array', () => {
    const set = new HashSet();
    const bytes = new Uint8Array(64).fill(7);
    bytes[40] = 1;
    expect(set.add(bytes.subarray(0, 32))).to.equal(true);
    expect(set.add(bytes.subarray(32))).to.equal(true);
    expect(set.add(bytes.subarray(1, 33))).to.equal(false);
  });
});

describe('a Bloom filter', () => {
  it('has everything that was added, and little else', () => {
    const filter = new BloomFilter(32 * 1024);
    const all = hashes(0, 10_000);
    for (const hash of all) filter.add(hash);
    expect(all.every((hash) => filter.has(hash))).to.equal(true);
    // 26 bits a hash: (1 - e^(-8/26))^8, which is 1 in 43,000.
    const wrong = hashes(10_000, 110_000).filter((hash) => filter.has(hash)).length;
    expect(wrong).to.be.lessThan(30);
  });
});
