import { expect } from 'chai';
import fc from 'fast-check';

import { concatBytes, fromHex, utf8 } from '../../src/base/bytes.js';
import { seededRandom } from '../../src/base/random.js';
import { openValue, sealOverheadBytes, sealValue } from '../../src/identity/sealed-value.js';
import { sodium } from '../../src/identity/sodium.js';
import { failure, flipped } from './tools.js';

const random = seededRandom(1);
const key = random.bytes(32);
const context = utf8('context');

describe('identity/sealed-value', () => {
  it('opens what it sealed, whatever the length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 50 }),
        (value, associated) => {
          const sealed = sealValue(key, value, associated, random);
          expect(sealed.length).to.equal(value.length + sealOverheadBytes);
          expect([...openValue(key, sealed, associated, 'it')]).to.deep.equal([...value]);
        },
      ),
    );
  });

  it('uses XChaCha20-Poly1305 as its draft defines it', () => {
    // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    const out = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      utf8(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
      fromHex('50515253c0c1c2c3c4c5c6c7'),
      null,
      fromHex('404142434445464748494a4b4c4d4e4f5051525354555657'),
      fromHex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'),
    );
    expect([...out.subarray(-16)]).to.deep.equal([...fromHex('c0875924c1c7987947deafd8780acf49')]);
  });

  it('seals one value differently each time', () => {
    const value = utf8('value');
    expect(sealValue(key, value, context, random)).not.to.deep.equal(sealValue(key, value, context, random));
  });

  it('refuses any bit turned over, another key and other associated data', async () => {
    const sealed = sealValue(key, utf8('value'), context, random);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      await failure('DAMAGED', () => openValue(key, flipped(sealed, bit), context, 'it'));
    }
    await failure('DAMAGED', () => openValue(flipped(key, 0), sealed, context, 'it'));
    await failure('DAMAGED', () => openValue(key, sealed, utf8('contexT'), 'it'));
  });

  it('refuses every shorter and longer version of it', async () => {
    const sealed = sealValue(key, utf8('value'), context, random);
    for (let length = 0; length < sealed.length; length += 1) {
      await failure('DAMAGED', () => openValue(key, sealed.subarray(0, length), context, 'it'));
    }
    await failure('DAMAGED', () => openValue(key, concatBytes(sealed, Uint8Array.of(0)), context, 'it'));
  });
});
