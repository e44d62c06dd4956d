import { expect } from 'chai';
import fc from 'fast-check';

import { packValue, unpackValue } from '../../src/base/codec.js';
import { limits } from '../../src/base/limits.js';
import { type Id, idFromBytes } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { peerCodec } from '../../src/ring/peer-codec.js';

/** Few ids, so that they meet in the table; the slot depends on their first two bytes. */
const id = fc
  .tuple(fc.constantFrom(0, 0xab), fc.constantFrom(0, 0xcd), fc.integer({ min: 0, max: 3 }))
  .map(([first, second, last]): Id => {
    const bytes = new Uint8Array(32);
    bytes.set([first, second]);
    bytes[31] = last;
    return idFromBytes(bytes);
  });
const peer: fc.Arbitrary<PeerRef> = fc.record(
  { id, machine: id, address: fc.constantFrom('a:1', 'b:2'), zone: fc.constantFrom('attic', 'cellar') },
  { requiredKeys: ['id', 'machine', 'address'] },
);
const there = (value: PeerRef): PeerRef =>
  unpackValue(peerCodec, packValue(peerCodec, value), 'the reference');

describe('ring/peer-codec', () => {
  it('gives back what went in, whoever else came by before', () => {
    fc.assert(
      fc.property(fc.array(peer), (peers) => {
        for (const one of peers) expect(there(one)).to.deep.equal(one);
      }),
      { numRuns: 300 },
    );
  });

  it('a reference that comes again is the same one', () => {
    const one: PeerRef = { id: 'e'.repeat(64) as Id, machine: 'f'.repeat(64) as Id, address: 'c:3' };
    const first = there(one);
    expect(there({ ...one })).to.equal(first);
    expect(there({ ...one, address: 'd:4' })).to.not.equal(first);
  });

  it('refuses what is no reference, also where one like it is known', () => {
    const one: PeerRef = { id: 'e'.repeat(64) as Id, machine: 'f'.repeat(64) as Id, address: 'c:3' };
    there(one);
    const raw = peerCodec.encode(one) as Record<string, unknown>;
    const wrong = [
      null,
      7,
      [],
      { ...raw, id: 'e'.repeat(64) },
      { ...raw, id: new Uint8Array(31) },
      { ...raw, machine: new Uint8Array(33) },
      { ...raw, machine: undefined },
      { ...raw, address: 'x'.repeat(limits.addressBytes + 1) },
      { ...raw, address: 'c:3\u001b[2J' },
      { ...raw, zone: 5 },
    ];
    for (const value of wrong) expect(() => peerCodec.decode(value, 'it')).to.throw(/^it/);
  });
});
