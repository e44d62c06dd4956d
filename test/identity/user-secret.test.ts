import { hkdfSync } from 'node:crypto';

import { expect } from 'chai';
import fc from 'fast-check';

import { fromHex, toHex, utf8 } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import {
  deriveUserKeys,
  fromRecoveryPhrase,
  newUserSecret,
  toRecoveryPhrase,
} from '../../src/identity/user-secret.js';
import { failure } from './tools.js';

const secret = newUserSecret(seededRandom(1));
const phrase = toRecoveryPhrase(secret);

describe('identity/user-secret', () => {
  // The vectors of BIP-39's reference implementation for 256 bits.
  for (const [entropy, words] of [
    ['00'.repeat(32), `${'abandon '.repeat(23)}art`],
    ['ff'.repeat(32), `${'zoo '.repeat(23)}vote`],
    [
      '68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c',
      'hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis maple dilemma loan word shrug inflict delay length',
    ],
  ] as const) {
    it(`writes ${entropy.slice(0, 8)}... in the words of BIP-39`, () => {
      expect(toRecoveryPhrase(fromHex(entropy))).to.equal(words);
      expect(toHex(fromRecoveryPhrase(words))).to.equal(entropy);
    });
  }

  it('comes back from its phrase, however that is spaced and capitalised', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const words = toRecoveryPhrase(bytes).split(' ');
        expect(words.length).to.equal(24);
        expect([...fromRecoveryPhrase(`\n ${words.join(' \t\n').toUpperCase()} `)]).to.deep.equal([...bytes]);
      }),
      { numRuns: 30 },
    );
  });

  it('says which word is not one of the list, without repeating it', async () => {
    const words = phrase.split(' ');
    words[6] = 'secretish';
    words[20] = 'abondon';
    const error = await failure('NOT_ADMITTED', () => fromRecoveryPhrase(words.join(' ')));
    expect(error.message).to.include('word 7, 21 of');
    expect(error.message).not.to.match(/secretish|abondon/);
  });

  it('notices a wrong word by the checksum, and repeats none', async () => {
    const words = phrase.split(' ');
    words[3] = words[3] === 'zoo' ? 'zone' : 'zoo';
    const error = await failure('NOT_ADMITTED', () => fromRecoveryPhrase(words.join(' ')));
    expect(error.message).to.include('checksum');
    for (const word of words.filter((each) => each.length > 4)) expect(error.message).not.to.include(word);
  });

  for (const count of [0, 1, 12, 23, 25]) {
    it(`refuses a phrase of ${count} words`, async () => {
      const words = Array.from({ length: count }, () => 'abandon').join(' ');
      const error = await failure('NOT_ADMITTED', () => fromRecoveryPhrase(words));
      expect(error.message).to.include(`${count} words`);
    });
  }

  it('derives its keys by HKDF-SHA256, each with a label of its own', () => {
    const expected = (label: string): string =>
      Buffer.from(hkdfSync('sha256', secret, new Uint8Array(), utf8(label), 32)).toString('hex');
    const keys = deriveUserKeys(secret);
    expect(toHex(keys.signing.seed)).to.equal(expected('peerstore user signing v1'));
    expect(toHex(keys.archiveSecret)).to.equal(expected('peerstore archive v1'));
    expect(toHex(keys.recordSecret)).to.equal(expected('peerstore records v1'));
  });
});
