import { chmod, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { expect } from 'chai';
import fc from 'fast-check';

import { sha256, toHex, utf8 } from '../../src/base/bytes.js';
import { type Codec, packValue } from '../../src/base/codec.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import {
  decodeKeyFile,
  decodeKeyFilePublic,
  encodeKeyFile,
  readKeyFile,
  readKeyFilePublic,
  type UserKeyFile,
  writeKeyFile,
} from '../../src/identity/key-file.js';
import { fromBase64Url, toBase64Url } from '../../src/identity/text-bytes.js';
import { deriveUserKeys } from '../../src/identity/user-secret.js';
import { failure, keyNumber, testRing, withDirectory } from './tools.js';

const random = seededRandom(5);
const secret = random.bytes(32);
const device = keyNumber(31);
/** One guess costs little, so that the tests are quick. */
const hardness = { memoryBytes: limits.passphraseMemoryMinBytes, passes: 1 };
const protection = { passphrase: 'corrèct horse', hardness };

async function member(name = 'alice'): Promise<UserKeyFile> {
  const { authority } = await testRing();
  return {
    name,
    secret,
    device,
    addresses: ['home.example:3001', ':3002'],
    membership: {
      certificate: await authority.issueUser(
        device.publicKey,
        deriveUserKeys(secret).signing.publicKey,
        'alice',
      ),
      authority: authority.certificate,
    },
  };
}

function shown(file: UserKeyFile): object {
  const { certificate, authority } = file.membership ?? {};
  return {
    name: file.name,
    addresses: file.addresses,
    secret: toHex(file.secret),
    device: toHex(file.device.seed),
    certificate: certificate && toHex(certificate),
    authority: authority && toHex(authority.der),
  };
}

/** The file's JSON with something else in it, under a checksum that no longer fits. */
function changed(text: string, change: (json: Record<string, unknown>) => void): string {
  const json = JSON.parse(text) as Record<string, unknown>;
  change(json);
  return JSON.stringify(json);
}

/** A key file's checksum, from its JSON, as the format describes it. */
function checksumOf(json: Record<string, unknown>): Uint8Array {
  const asIs: Codec<unknown> = { encode: (value) => value, decode: (raw) => raw };
  const bytes = (text: unknown): Uint8Array => fromBase64Url(text as string)!;
  const { memoryBytes, passes, salt } = json.protection as Record<string, unknown>;
  const packed = packValue(asIs, [
    json.version,
    json.name,
    json.addresses,
    bytes(json.certificate),
    bytes(json.authority),
    [memoryBytes, passes, bytes(salt)],
  ]);
  return sha256(utf8('peerstore key file v1'), packed, bytes(json.secrets)).subarray(0, 8);
}

describe('identity/key-file', () => {
  it('gives back what it was made of, with and without a passphrase, in a ring and before', async () => {
    const whole = await member();
    const { membership: _, ...before } = whole;
    for (const file of [whole, before]) {
      expect(shown(decodeKeyFile(encodeKeyFile(file, random), undefined, 'it'))).to.deep.equal(shown(file));
      const locked = encodeKeyFile(file, random, protection);
      expect(shown(decodeKeyFile(locked, 'corrèct horse', 'it'))).to.deep.equal(shown(file));
    }
  });

  it('ignores a passphrase that it does not need', async () => {
    const file = await member();
    expect(shown(decodeKeyFile(encodeKeyFile(file, random), 'any', 'it'))).to.deep.equal(shown(file));
  });

  it('takes the two spellings of one passphrase for the same', async () => {
    const locked = encodeKeyFile(await member(), random, protection);
    decodeKeyFile(locked, 'corre\u0300ct horse', 'it');
  });

  it('says that the passphrase is missing, wrong or empty', async () => {
    const locked = encodeKeyFile(await member(), random, protection);
    const missing = await failure('NOT_ADMITTED', () => decodeKeyFile(locked, undefined, '/home/a/key'));
    expect(missing.message).to.equal(
      '/home/a/key is protected by a passphrase: give --passphrase-file or PEERSTORE_PASSPHRASE',
    );
    const wrong = await failure('NOT_ADMITTED', () => decodeKeyFile(locked, 'correct horse', '/home/a/key'));
    expect(wrong.message).to.include('wrong');
    await failure('USAGE', () => decodeKeyFile(locked, '', 'it'));
    await failure('USAGE', () =>
      encodeKeyFile(decodeKeyFile(locked, 'corrèct horse', 'it'), random, { ...protection, passphrase: '' }),
    );
    await failure('USAGE', () => decodeKeyFile(locked, 'x'.repeat(limits.passphraseBytes + 1), 'it'));
  });

  it('holds no secret in the open under a passphrase, and its public part needs none', async () => {
    const file = await member();
    const locked = encodeKeyFile(file, random, protection);
    for (const bytes of [secret, device.seed]) {
      // In base64 the bytes may begin at any of three places.
      for (const from of [0, 1, 2]) {
        expect(locked).not.to.include(toBase64Url(bytes.subarray(from, from + 24)).slice(0, 28));
      }
    }
    const open = decodeKeyFilePublic(locked, 'it');
    expect(open.isProtected).to.equal(true);
    expect(open.name).to.equal('alice');
    expect(open.addresses).to.deep.equal(file.addresses);
    expect(open).not.to.have.any.keys('secret', 'device');
  });

  it('uses 64 MiB and 3 passes of Argon2id unless told otherwise', async () => {
    const locked = encodeKeyFile(await member(), random, { passphrase: 'x' });
    const json = JSON.parse(locked) as { protection: object };
    expect(json.protection).to.include({ algorithm: 'argon2id', memoryBytes: 64 * 1024 * 1024, passes: 3 });
  });

  for (const [what, change] of [
    ['more memory than makes sense', { memoryBytes: limits.passphraseMemoryMaxBytes + 1 }],
    ['100 GB of memory', { memoryBytes: 100e9 }],
    ['too little memory', { memoryBytes: limits.passphraseMemoryMinBytes - 1 }],
    ['no passes', { passes: 0 }],
    ['more passes than make sense', { passes: limits.passphrasePassesMax + 1 }],
    ['another algorithm', { algorithm: 'scrypt' }],
    ['a salt of another length', { salt: 'AAAA' }],
  ] as const) {
    it(`is refused before any work is done when it asks for ${what}`, async () => {
      const locked = changed(encodeKeyFile(await member(), random, protection), (json) => {
        json.protection = { ...(json.protection as object), ...change };
      });
      await failure('DAMAGED', () => decodeKeyFile(locked, 'corrèct horse', 'it'));
    });
  }

  it('is refused with any part of another file in it', async () => {
    const other = encodeKeyFile({ ...(await member()), secret: random.bytes(32) }, random);
    const otherJson = JSON.parse(other) as Record<string, unknown>;
    const text = encodeKeyFile(await member(), random);
    await failure('DAMAGED', () =>
      decodeKeyFile(
        changed(text, (json) => {
          json.secrets = otherJson.secrets;
        }),
        undefined,
        'it',
      ),
    );
    // Its own checksum fits, but its certificate is for another user secret.
    const error = await failure('DAMAGED', () => decodeKeyFile(other, undefined, 'it'));
    expect(error.message).to.include('other keys');
    const renamed = encodeKeyFile(await member('alicia'), random);
    const name = await failure('DAMAGED', () => decodeKeyFile(renamed, undefined, 'it'));
    expect(name.message).to.include('another name');
  });

  it('does not open with a public part that was changed, even when its checksum was made anew', async () => {
    const file = await member();
    const locked = encodeKeyFile(file, random, protection);
    const withAddresses = (addresses: readonly string[]): string =>
      changed(locked, (json) => {
        json.addresses = addresses;
        json.checksum = toBase64Url(checksumOf(json));
      });
    // The checksum of the test is the checksum of the program: see what the top of key-file.ts says of it.
    decodeKeyFile(withAddresses(file.addresses), 'corrèct horse', 'it');
    const error = await failure('NOT_ADMITTED', () =>
      decodeKeyFile(withAddresses(['evil:1']), 'corrèct horse', 'it'),
    );
    expect(error.message).to.include('passphrase');
  });

  it('with any bit turned over is the same or refused, and shows no secret either way', async () => {
    const file = await member();
    const text = Buffer.from(encodeKeyFile(file, random));
    const secrets = /"secrets": "([^"]+)"/.exec(text.toString())![1]!;
    fc.assert(
      fc.property(fc.nat(text.length * 8 - 1), (bit) => {
        const copy = Buffer.from(text);
        copy[bit >> 3]! ^= 1 << (bit & 7);
        try {
          const read = decodeKeyFile(copy.toString('utf8'), undefined, 'it');
          expect(shown(read)).to.deep.equal(shown(file));
        } catch (error) {
          expect(error, String(error)).to.be.instanceOf(PeerStoreError);
          const said = inspect(error, { depth: 9 });
          expect(said).not.to.include(secrets.slice(20, 40)).and.not.to.include(toHex(secret).slice(0, 12));
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('answers any text with a PeerStoreError', async () => {
    const text = encodeKeyFile(await member(), random);
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.nat(text.length - 2).map((length) => text.slice(0, length)),
      fc
        .tuple(fc.constantFrom(...Object.keys(JSON.parse(text) as object)), fc.jsonValue())
        .map(([key, value]) =>
          changed(text, (json) => {
            json[key] = value;
          }),
        ),
    );
    fc.assert(
      fc.property(anything, (content) => {
        try {
          decodeKeyFile(content, undefined, 'it');
          expect.fail('it was taken');
        } catch (error) {
          expect(error, String(error)).to.be.instanceOf(PeerStoreError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('tells other files and later versions from its own', async () => {
    const text = encodeKeyFile(await member(), random);
    await failure('USAGE', () => decodeKeyFile('{"a":1}', undefined, 'it'));
    const later = changed(text, (json) => {
      json.version = 2;
    });
    const error = await failure('NOT_ADMITTED', () => decodeKeyFile(later, undefined, 'it'));
    expect(error.message).to.include('newer');
  });

  it('is written with mode 0600, alone, and refused when others may open it', () =>
    withDirectory(async (dir) => {
      const path = join(dir, 'user.key');
      const file = await member();
      await writeKeyFile(path, file, random, protection);
      await writeKeyFile(path, file, random);
      expect((await stat(path)).mode & 0o777).to.equal(0o600);
      expect(await readdir(dir)).to.deep.equal(['user.key']);
      expect(shown(await readKeyFile(path, undefined))).to.deep.equal(shown(file));
      for (const mode of [0o640, 0o604, 0o620, 0o601]) {
        await chmod(path, mode);
        const error = await failure('NOT_ADMITTED', () => readKeyFile(path, undefined));
        expect(error.message).to.include(`chmod 600 ${path}`);
        await failure('NOT_ADMITTED', () => readKeyFilePublic(path));
      }
      await chmod(path, 0o400);
      await readKeyFile(path, undefined);
    }));

  it('says what is wrong with the path', () =>
    withDirectory(async (dir) => {
      const error = await failure('USAGE', () => readKeyFile(join(dir, 'none'), undefined));
      expect(error.message).to.include(join(dir, 'none')).and.to.include('init');
      await failure('DAMAGED', () => readKeyFile(dir, undefined));
      const long = join(dir, 'long');
      await writeFile(long, 'x'.repeat(limits.identityFileBytes + 1), { mode: 0o600 });
      await failure('DAMAGED', () => readKeyFile(long, undefined));
      const nowhere = join(dir, 'no', 'where');
      const io = await failure('IO', async () => writeKeyFile(nowhere, await member(), random));
      expect(io.message).to.include(nowhere);
    }));
});
