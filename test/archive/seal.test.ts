import { createCipheriv } from 'node:crypto';

import { expect } from 'chai';

import { bytesEqual, concatBytes, sha256, toHex } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { compressIfWorthwhile, frameContentSize, openFrame } from '../../src/archive/compress.js';
import { Pack, paddedSize } from '../../src/archive/pack.js';
import { chunkKey, type ChunkKind, openChunk, sealBytes, sealChunk } from '../../src/archive/seal.js';
import { deriveArchiveSecrets } from '../../src/archive/secrets.js';
import { openHead, sealHead } from '../../src/archive/snapshot.js';
import { compressor, KiB, MiB, randomBytes, secrets } from './support.js';

const text = Buffer.from('the same line again and again\n'.repeat(3000));

function seal(plaintext: Uint8Array, kind: ChunkKind = 'data') {
  const hash = sha256(plaintext);
  const key = chunkKey(secrets, kind, hash);
  return { key, sealed: sealChunk(compressor, key, plaintext, hash) };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof PeerStoreError) return error.code;
    throw error;
  }
  return 'nothing';
}

/** Any body, sealed as a writer would that does not keep the rules. */
function sealAnything(key: Uint8Array, flags: number, body: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Uint8Array.of(flags));
  return concatBytes(Uint8Array.of(flags), nonce, cipher.update(body), cipher.final(), cipher.getAuthTag());
}

describe('the secrets of an archive', () => {
  it('are always the same for one secret, and all others for another', () => {
    const other = deriveArchiveSecrets(new Uint8Array(32).fill(8));
    expect(toHex(secrets.chunkKeys)).to.equal(
      'bda52fa7ed4aba9d46fc1ab5f09eb7643ae41e1f0d1b1b814d8401d58299abcd',
    );
    expect(toHex(secrets.chunkKeys)).to.not.equal(toHex(other.chunkKeys));
    expect(secrets.gear[0]).to.not.equal(other.gear[0]);
    expect(new Set([secrets.chunkKeys, secrets.padding, secrets.heads].map(toHex)).size).to.equal(3);
    expect(codeOf(() => deriveArchiveSecrets(new Uint8Array(31)))).to.equal('USAGE');
  });
});

describe('a sealed chunk', () => {
  for (const plaintext of [
    Uint8Array.of(0),
    randomBytes(100),
    text,
    randomBytes(64 * KiB + 1),
    randomBytes(4 * MiB),
  ]) {
    it(`gives back ${plaintext.length} bytes, and is the same each time`, () => {
      const { key, sealed } = seal(plaintext);
      expect(bytesEqual(openChunk(compressor, key, 'data', sealed, secrets), plaintext)).to.equal(true);
      expect(bytesEqual(seal(plaintext).sealed, sealed)).to.equal(true);
      expect(sealed.length).to.be.at.most(plaintext.length + sealBytes);
    });
  }

  it('is compressed where that helps, and only there', () => {
    expect(seal(text).sealed.length).to.be.lessThan(1000);
    expect(seal(text).sealed[0]).to.equal(0x11);
    expect(seal(randomBytes(1 * MiB)).sealed[0]).to.equal(0x10);
  });

  for (const plaintext of [text, randomBytes(300)]) {
    it(`is DAMAGED when any bit of it differs, or a byte is missing (${plaintext.length} bytes)`, () => {
      const { key, sealed } = seal(plaintext);
      for (let bit = 0; bit < sealed.length * 8; bit += 3) {
        const flipped = Uint8Array.from(sealed);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(
          codeOf(() => openChunk(compressor, key, 'data', flipped)),
          `bit ${bit}`,
        ).to.equal('DAMAGED');
      }
      for (const length of [0, 1, 13, sealBytes - 1, sealBytes, sealed.length - 1]) {
        expect(codeOf(() => openChunk(compressor, key, 'data', sealed.subarray(0, length)))).to.equal(
          'DAMAGED',
        );
      }
      expect(
        codeOf(() => openChunk(compressor, key, 'data', concatBytes(sealed, Uint8Array.of(0)))),
      ).to.equal('DAMAGED');
    });
  }

  it('is DAMAGED when it is opened with the key of another, or as another kind', () => {
    const { key, sealed } = seal(text);
    expect(codeOf(() => openChunk(compressor, seal(randomBytes(9)).key, 'data', sealed))).to.equal('DAMAGED');
    for (const kind of ['tree', 'list', 'catalog'] as const) {
      expect(codeOf(() => openChunk(compressor, key, kind, sealed, secrets))).to.equal('DAMAGED');
      expect(toHex(seal(text, kind).key)).to.not.equal(toHex(key));
    }
  });

  it('is DAMAGED when somebody who has its key put other bytes in its place', () => {
    const { key } = seal(text);
    const forged = sealAnything(key, 0x10, randomBytes(10));
    expect(openChunk(compressor, key, 'data', forged)).to.have.length(10);
    expect(codeOf(() => openChunk(compressor, key, 'data', forged, secrets))).to.equal('DAMAGED');
  });

  it('is never sealed twice under one nonce for different bytes', () => {
    const hash = sha256(text);
    const key = chunkKey(secrets, 'data', hash);
    const shorter = {
      ...compressor,
      compress: (bytes: Uint8Array) => compressor.compress(bytes).slice(0, -1),
    };
    const nonce = (sealed: Uint8Array): string => toHex(sealed.subarray(1, 13));
    expect(nonce(sealChunk(shorter, key, text, hash))).to.not.equal(
      nonce(sealChunk(compressor, key, text, hash)),
    );
  });

  it('does not make the reader allocate more than a chunk may hold', () => {
    const { key } = seal(text);
    const allocated: number[] = [];
    const watching = {
      ...compressor,
      decompress: (frame: Uint8Array, sizeBytes: number) => {
        allocated.push(sizeBytes);
        return compressor.decompress(frame, sizeBytes);
      },
    };
    const bomb = compressor.compress(new Uint8Array(limits.chunkMaxBytes + 1));
    expect(bomb.length).to.be.lessThan(1000);
    expect(codeOf(() => openChunk(watching, key, 'data', sealAnything(key, 0x11, bomb)))).to.equal('DAMAGED');
    expect(allocated).to.deep.equal([]);
    const largest = compressor.compress(new Uint8Array(limits.chunkMaxBytes));
    expect(openChunk(watching, key, 'data', sealAnything(key, 0x11, largest))).to.have.length(
      limits.chunkMaxBytes,
    );
  });

  it('is DAMAGED when its frame lies about its size, states none, or is none', () => {
    const frame = compressor.compress(text);
    expect(frameContentSize(frame)).to.equal(text.length);
    const lying = Uint8Array.from(frame);
    // The size field's place for a frame of this size: behind magic, descriptor and perhaps the window.
    lying[(frame[4]! & 0x20) === 0 ? 6 : 5]! ^= 1;
    for (const bad of [
      lying,
      new Uint8Array(0),
      randomBytes(50),
      frame.subarray(0, 6),
      concatBytes(frame, frame),
    ]) {
      expect(codeOf(() => openFrame(compressor, bad, limits.chunkMaxBytes))).to.equal('DAMAGED');
    }
  });

  it('is compressed to the same bytes, whatever was compressed before', () => {
    const text = Buffer.from('the same words over and over\n'.repeat(5000));
    const inputs = [text, text.subarray(0, 100), randomBytes(100_000), text.subarray(7), randomBytes(1)];
    const first = inputs.map((bytes) => toHex(compressor.compress(bytes)));
    const again = inputs.toReversed().map((bytes) => toHex(compressor.compress(bytes)));
    expect(again.reverse()).to.deep.equal(first);
  });

  it('is stored raw when compression saves too little', () => {
    expect(compressIfWorthwhile(compressor, randomBytes(1 * MiB))).to.equal(undefined);
    expect(compressIfWorthwhile(compressor, Uint8Array.of(1))).to.equal(undefined);
  });
});

describe('a pack', () => {
  it('is padded by at most 12%, keeps few sizes, and never exceeds a block', () => {
    for (const [sizeBytes, padded] of [
      [1, 4096],
      [4096, 4096],
      [4097, 4352],
      [1_000_000, 1_015_808],
    ] as const) {
      expect(paddedSize(sizeBytes)).to.equal(padded);
    }
    const sizes = new Set<number>();
    for (let sizeBytes = 4097; sizeBytes <= limits.blockBytes; sizeBytes += 997) {
      const padded = paddedSize(sizeBytes);
      expect(padded).to.be.within(sizeBytes, Math.min(limits.blockBytes, sizeBytes * 1.12));
      sizes.add(padded);
    }
    expect(sizes.size).to.be.lessThan(400);
    expect(paddedSize(limits.blockBytes)).to.equal(limits.blockBytes);
    expect(paddedSize(limits.blockBytes - 1)).to.equal(limits.blockBytes);
  });

  it('is the same for the same chunks, and its padding looks like any ciphertext', () => {
    const make = () => {
      const pack = new Pack({ promise: Promise.resolve(), resolve: () => undefined });
      pack.add(new Uint8Array(32), randomBytes(70_000));
      pack.add(new Uint8Array(32), randomBytes(70_001));
      return pack.close(secrets.padding);
    };
    const { id, bytes } = make();
    expect(make().id).to.equal(id);
    expect(bytes.length).to.equal(paddedSize(140_001));
    const padding = bytes.subarray(140_001);
    expect(new Set(padding).size).to.be.greaterThan(200);
  });

  it('takes exactly a block', () => {
    const pack = new Pack({ promise: Promise.resolve(), resolve: () => undefined });
    pack.add(new Uint8Array(32), randomBytes(limits.blockBytes - 100));
    expect([99, 100, 101].map((sizeBytes) => pack.fits(sizeBytes))).to.deep.equal([true, true, false]);
    pack.add(new Uint8Array(32), randomBytes(100));
    expect(pack.close(secrets.padding).bytes.length).to.equal(limits.blockBytes);
  });
});

describe('the head of a catalog', () => {
  const head = { catalog: { depth: 0, references: [] }, decisions: { depth: 0, references: [] } };

  it('comes back with the secret, and is DAMAGED otherwise', () => {
    const sealed = sealHead(secrets, head);
    expect(openHead(secrets, sealed)).to.deep.equal(head);
    const other = deriveArchiveSecrets(new Uint8Array(32).fill(8));
    expect(codeOf(() => openHead(other, sealed))).to.equal('DAMAGED');
    for (let at = 0; at < sealed.length; at += 1) {
      const flipped = Uint8Array.from(sealed);
      flipped[at]! ^= 0x80;
      expect(codeOf(() => openHead(secrets, flipped))).to.equal('DAMAGED');
    }
    expect(codeOf(() => openHead(secrets, new Uint8Array(0)))).to.equal('DAMAGED');
  });
});
