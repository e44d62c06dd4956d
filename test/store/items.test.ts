import { expect } from 'chai';

import { toHex } from '../../src/base/bytes.js';
import { newEntry } from '../../src/store/block-entry.js';
import { blockDigest, recordDigest } from '../../src/store/items.js';
import { recordEntryOf } from '../../src/store/record-rule.js';
import { owned } from './exchange.conformance.js';
import { alice, blockOf, bob, recordOf } from './store.conformance.js';

// Peers compare these over the network: another digest for the same is another protocol.
describe('the digest of an item', () => {
  const { id } = blockOf('a block');
  const entry = newEntry(7, 1);

  for (const [what, digest, expected] of [
    ['a block that nobody is known to own', blockDigest(id, entry), 'c9c49b6f940b2bd224c407c8e06b0825'],
    [
      'a block with owners',
      blockDigest(id, { ...entry, ownerships: [owned(alice, 1_700_000_000_000), owned(bob, 1, 2)] }),
      '6e7317256e971c8913e669a728afc5da',
    ],
    [
      'a record',
      recordDigest(alice, recordEntryOf(recordOf('a', 5, 'five'))),
      '19d18e20e232210a3d2ea1955136c9c6',
    ],
  ] as const) {
    it(`is what it was for ${what}`, () => expect(toHex(digest)).to.equal(expected));
  }

  it('leaves out what a holder decides alone', () => {
    const other = { ...newEntry(9, 5), trashedAtMs: 6 };
    expect(blockDigest(id, other)).to.deep.equal(blockDigest(id, entry));
  });
});
