import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';

import { expect } from 'chai';
import fc from 'fast-check';

import { fromHex, toHex, utf8 } from '../../src/base/bytes.js';
import {
  publicKeyFromPem,
  publicKeyToPem,
  publicKeyToSpki,
  SigningKey,
  verifySignature,
} from '../../src/identity/keys.js';
import { failure, flipped, keyNumber } from './tools.js';

describe('identity/keys', () => {
  // RFC 8032, section 7.1, tests 1 to 3.
  for (const [seed, publicKey, message, signature] of [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ] as const) {
    it(`signs the message ${message === '' ? 'of no bytes' : message} as RFC 8032 does`, () => {
      const key = SigningKey.fromSeed(fromHex(seed));
      expect(toHex(key.publicKey)).to.equal(publicKey);
      expect(toHex(key.sign(fromHex(message)))).to.equal(signature);
      expect(verifySignature(fromHex(signature), fromHex(message), key.publicKey)).to.equal(true);
    });
  }

  it('refuses a signature, message or key with any bit turned over', () => {
    const key = keyNumber(1);
    const message = utf8('a message');
    const signature = key.sign(message);
    fc.assert(
      fc.property(fc.nat(511), fc.nat(71), fc.nat(255), (inSignature, inMessage, inKey) => {
        expect(verifySignature(flipped(signature, inSignature), message, key.publicKey)).to.equal(false);
        expect(verifySignature(signature, flipped(message, inMessage), key.publicKey)).to.equal(false);
        expect(verifySignature(signature, message, flipped(key.publicKey, inKey))).to.equal(false);
      }),
    );
  });

  it('refuses signatures and keys of another length', () => {
    const key = keyNumber(1);
    const signature = key.sign(utf8('m'));
    expect(verifySignature(signature.subarray(1), utf8('m'), key.publicKey)).to.equal(false);
    expect(verifySignature(signature, utf8('m'), key.publicKey.subarray(1))).to.equal(false);
    expect(verifySignature(new Uint8Array(), utf8('m'), new Uint8Array())).to.equal(false);
  });

  it('gives back keys that went through PEM', () => {
    const key = keyNumber(2);
    expect(SigningKey.fromPem(key.toPem(), 'the file').seed).to.deep.equal(key.seed);
    expect([...publicKeyFromPem(publicKeyToPem(key.publicKey), 'the file')]).to.deep.equal([
      ...key.publicKey,
    ]);
  });

  it('writes a public key as RFC 8410 does', () => {
    const key = keyNumber(2);
    expect(toHex(publicKeyToSpki(key.publicKey))).to.equal(`302a300506032b6570032100${toHex(key.publicKey)}`);
  });

  it('reads the PEM of other programs', () => {
    const pair = generateKeyPairSync('ed25519');
    const key = SigningKey.fromPem(
      pair.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      'the file',
    );
    expect(publicKeyToPem(key.publicKey)).to.equal(pair.publicKey.export({ format: 'pem', type: 'spki' }));
  });

  it('says which file holds no key, and shows nothing of what it holds', async () => {
    const secret = keyNumber(3).toPem();
    const cut = secret.slice(0, -40);
    const error = await failure('NOT_ADMITTED', () => SigningKey.fromPem(cut, '/data/key.pem'));
    expect(error.message).to.include('/data/key.pem');
    expect(inspect(error)).not.to.include(cut.split('\n')[1]);
    await failure('USAGE', () => publicKeyFromPem('rubbish', 'a.pem'));
    await failure('USAGE', () => publicKeyFromPem('-----BEGIN PUBLIC KEY-----\nAAAA\n', 'a.pem'));
  });

  it('refuses a private key where a public one belongs', () =>
    failure('USAGE', () => publicKeyFromPem(keyNumber(3).toPem(), 'key.pem')));

  it('refuses keys of other kinds and keys under a passphrase', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const ecPrivate = ec.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
    const error = await failure('NOT_ADMITTED', () => SigningKey.fromPem(ecPrivate, 'key.pem'));
    expect(error.message).to.include('ec').and.to.include('Ed25519');
    const ecPublic = ec.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    await failure('NOT_ADMITTED', () => publicKeyFromPem(ecPublic, 'publickey.pem'));
    const locked = generateKeyPairSync('ed25519').privateKey.export({
      format: 'pem',
      type: 'pkcs8',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    }) as string;
    await failure('NOT_ADMITTED', () => SigningKey.fromPem(locked, 'key.pem'));
  });

  it('shows no seed when it is printed or turned into JSON', () => {
    const key = keyNumber(4);
    const shown = `${inspect({ key }, { depth: 9, showHidden: true })} ${JSON.stringify({ key })}`;
    expect(shown).not.to.include(toHex(key.seed));
    expect(shown).not.to.match(/seed|\d+, \d+/);
  });
});
