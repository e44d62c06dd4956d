import { expect } from 'chai';
import fc from 'fast-check';

import {
  binary,
  boolean,
  int64,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  packValue,
  printable,
  struct,
  text,
  tuple,
  unpackValue,
} from '../../src/base/codec.js';
import { hasCode, PeerStoreError } from '../../src/base/errors.js';

const everything = struct({
  count: integer(-5, Number.MAX_SAFE_INTEGER),
  big: int64,
  flag: boolean,
  name: text(300),
  kind: oneOf('a', 'b'),
  bytes: binary(0, 64),
  items: list(tuple(integer(0, 9), text(8)), 5),
  maybe: nullable(integer(0, 1)),
  extra: optional(text(8)),
});

const values = fc.record(
  {
    count: fc.integer({ min: -5, max: Number.MAX_SAFE_INTEGER }),
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    flag: fc.boolean(),
    name: fc.string({ maxLength: 60 }),
    kind: fc.constantFrom<'a' | 'b'>('a', 'b'),
    bytes: fc.uint8Array({ maxLength: 64 }),
    items: fc.array(fc.tuple<[number, string]>(fc.integer({ min: 0, max: 9 }), fc.string({ maxLength: 2 })), {
      maxLength: 5,
    }),
    maybe: fc.option(fc.integer({ min: 0, max: 1 })),
  },
  { noNullPrototype: true },
);

describe('codec', () => {
  it('gives back every value that it packed', () => {
    fc.assert(
      fc.property(values, (value) => {
        const back = unpackValue(everything, packValue(everything, value), 'value');
        expect({ ...back, bytes: [...back.bytes] }).to.deep.equal({ ...value, bytes: [...value.bytes] });
      }),
    );
  });

  it('answers any bytes with a value or a PROTOCOL error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          unpackValue(everything, bytes, 'value');
        } catch (error) {
          expect(hasCode(error, 'PROTOCOL'), String(error)).to.equal(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves absent optional fields out and ignores unknown ones', () => {
    const wide = struct({ a: integer(0, 1), b: integer(0, 1) });
    const narrow = struct({ a: integer(0, 1), c: optional(integer(0, 1)) });
    expect(unpackValue(narrow, packValue(wide, { a: 1, b: 0 }), 'value')).to.deep.equal({ a: 1 });
  });

  for (const [what, codec, value] of [
    ['a whole number below its range', integer(0, 9), -1],
    ['a whole number above its range', integer(0, 9), 10],
    ['a text one byte too long', text(3), 'äbc'],
    ['a text with a control character', printable(9), 'a\u009b'],
    ['one byte too many', binary(3), new Uint8Array(4)],
    ['one item too many', list(integer(0, 1), 2), [0, 0, 0]],
  ] as const) {
    it(`refuses ${what} and says where`, () => {
      const shape = struct({ field: codec as never });
      expect(() => unpackValue(shape, packValue(shape, { field: value } as never), 'message')).to.throw(
        PeerStoreError,
        'message.field',
      );
    });
  }

  it('writes large whole numbers as integers, not as floats', () => {
    const packed = packValue(integer(0, Number.MAX_SAFE_INTEGER), 2 ** 40);
    expect(packed[0]).to.be.oneOf([0xcf, 0xd3]);
  });
});
