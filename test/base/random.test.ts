import { expect } from 'chai';
import fc from 'fast-check';

import { jittered, randomFraction, seededRandom, systemRandom } from '../../src/base/random.js';

describe('a seeded generator', () => {
  it('repeats itself for one seed and differs for another', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 64 }, () => random.below(1_000_000));
    };
    expect(draw(7)).to.deep.equal(draw(7));
    expect(draw(7)).to.not.deep.equal(draw(8));
    expect(draw(7)).to.not.deep.equal(draw(7 + 2 ** 32));
  });

  it('stays below its limit and reaches every value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 1, max: 8 }), (seed, limit) => {
        const random = seededRandom(seed);
        const seen = new Set(Array.from({ length: 400 }, () => random.below(limit)));
        expect([...seen].sort((a, b) => a - b)).to.deep.equal(
          Array.from({ length: limit }, (_, value) => value),
        );
      }),
    );
  });

  it('gives as many bytes as it is asked for', () => {
    for (const length of [0, 1, 31, 32, 33]) expect(seededRandom(1).bytes(length)).to.have.length(length);
  });
});

describe('chance', () => {
  for (const [name, random] of [
    ['seeded', seededRandom(3)],
    ["the machine's", systemRandom],
  ] as const) {
    it(`${name}: a fraction lies in [0, 1), and jitter within its share`, () => {
      for (let round = 0; round < 1000; round += 1) {
        const fraction = randomFraction(random);
        expect(fraction >= 0 && fraction < 1).to.equal(true);
        expect(jittered(random, 1000, 0.3)).to.be.within(700, 1300);
      }
    });
  }
});
