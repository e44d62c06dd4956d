import { expect } from 'chai';
import fc from 'fast-check';

import { concatBytes, toHex, utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { openRecord, type RecordContents, recordId, signRecord } from '../../src/identity/record.js';
import { hashToId } from '../../src/ring/identifier.js';
import { failure, flipped, keyNumber, startMs } from './tools.js';

const key = keyNumber(1);
const sample: RecordContents = {
  kind: 'snapshot',
  name: 'näme',
  sequence: 3,
  timeMs: startMs,
  deleted: false,
  value: utf8('value'),
};
const bytes = signRecord(key, sample);

const contents: fc.Arbitrary<RecordContents> = fc
  .record({
    kind: fc.string({ minLength: 1, maxLength: 60 }),
    name: fc.string({ maxLength: 60, unit: 'binary' }),
    sequence: fc.nat(Number.MAX_SAFE_INTEGER),
    timeMs: fc.nat(Number.MAX_SAFE_INTEGER),
    deleted: fc.boolean(),
    value: fc.uint8Array({ maxLength: 200 }),
  })
  .map((record) => (record.deleted ? { ...record, value: new Uint8Array() } : record));

describe('identity/record', () => {
  it('is read as it was signed', () => {
    fc.assert(
      fc.property(contents, (record) => {
        const opened = openRecord(signRecord(key, record));
        expect({ ...opened, value: [...opened.value], writer: toHex(opened.writer) }).to.deep.equal({
          ...record,
          value: [...record.value],
          writer: toHex(key.publicKey),
          id: recordId(record.kind, key.publicKey, record.name),
        });
      }),
    );
  });

  it('has the same bytes whenever the same is signed', () => {
    expect(signRecord(key, sample)).to.deep.equal(bytes);
  });

  it('is refused with any bit turned over', async () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      await failure('DAMAGED', () => openRecord(flipped(bytes, bit)));
    }
  });

  it('is refused when cut short anywhere or followed by anything', async () => {
    for (let length = 0; length < bytes.length; length += 1) {
      await failure('DAMAGED', () => openRecord(bytes.subarray(0, length)));
    }
    await failure('DAMAGED', () => openRecord(concatBytes(bytes, Uint8Array.of(0xc0))));
  });

  it('is refused where another record belongs', async () => {
    openRecord(bytes, recordId(sample.kind, key.publicKey, sample.name));
    for (const id of [
      recordId('other', key.publicKey, sample.name),
      recordId(sample.kind, keyNumber(2).publicKey, sample.name),
      recordId(sample.kind, key.publicKey, 'other'),
    ]) {
      const error = await failure('DAMAGED', () => openRecord(bytes, id));
      expect(error.message).to.include('another id');
    }
  });

  it('is refused in a second form of the same fields, even when that is signed', async () => {
    const body = Buffer.from(bytes.subarray(65));
    // The sequence number 3 as msgpack's one-byte integer, and as its four-byte one.
    const at = body.indexOf(Buffer.concat([utf8(sample.name), Uint8Array.of(3)])) + utf8(sample.name).length;
    const other = concatBytes(body.subarray(0, at), Uint8Array.of(0xce, 0, 0, 0, 3), body.subarray(at + 1));
    const sign = (signed: Uint8Array): Uint8Array =>
      concatBytes(
        Uint8Array.of(1),
        key.sign(concatBytes(utf8('peerstore record v1'), Uint8Array.of(1), signed)),
        signed,
      );
    expect(openRecord(sign(body)).sequence).to.equal(3);
    const error = await failure('DAMAGED', () => openRecord(sign(other)));
    expect(error.message).to.include('one form');
  });

  it('has an id that tells where each of its parts ends', () => {
    const { publicKey } = key;
    expect(recordId('ab', publicKey, 'c')).not.to.equal(recordId('a', publicKey, 'bc'));
    const length = (count: number): Uint8Array => Uint8Array.of(0, 0, 0, count);
    const label = utf8('peerstore record id v1');
    expect(recordId('ab', publicKey, 'ç')).to.equal(
      hashToId(label, length(2), utf8('ab'), length(32), publicKey, length(2), utf8('ç')),
    );
  });

  for (const [what, change, good] of [
    ['a value as long as may be', { value: new Uint8Array(limits.recordValueBytes) }, true],
    ['a value one byte longer', { value: new Uint8Array(limits.recordValueBytes + 1) }, false],
    ['an empty value', { value: new Uint8Array() }, true],
    ['a kind of one byte', { kind: 'k' }, true],
    ['an empty kind', { kind: '' }, false],
    ['a name of 255 bytes', { name: 'x'.repeat(255) }, true],
    ['a name of 256 bytes', { name: 'x'.repeat(256) }, false],
    ['a name that is not Unicode', { name: '\ud800' }, false],
    ['the sequence number 0', { sequence: 0 }, true],
    ['the sequence number -1', { sequence: -1 }, false],
    ['the highest sequence number', { sequence: Number.MAX_SAFE_INTEGER }, true],
    ['a sequence number beyond that', { sequence: Number.MAX_SAFE_INTEGER + 1 }, false],
    ['a tombstone', { deleted: true, value: new Uint8Array() }, true],
    ['a tombstone with a value', { deleted: true }, false],
  ] as const) {
    it(`${good ? 'can have' : 'cannot have'} ${what}`, async () => {
      const record = { ...sample, ...change };
      if (!good) {
        await failure('USAGE', () => signRecord(key, record));
        return;
      }
      const signed = signRecord(key, record);
      expect(signed.length).to.be.at.most(limits.recordBytes);
      openRecord(signed);
    });
  }

  it('keeps its bound with the longest of everything', () => {
    const longest = {
      ...sample,
      kind: 'k'.repeat(255),
      name: 'n'.repeat(255),
      sequence: Number.MAX_SAFE_INTEGER,
      timeMs: Number.MAX_SAFE_INTEGER,
      value: seededRandom(1).bytes(limits.recordValueBytes),
    };
    expect(openRecord(signRecord(key, longest)).value.length).to.equal(limits.recordValueBytes);
  });

  it('answers any bytes with a record or DAMAGED', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }).map((raw) => concatBytes(bytes.subarray(0, 66), raw)),
    );
    fc.assert(
      fc.property(anything, (raw) => {
        try {
          openRecord(raw);
          expect.fail('it was taken');
        } catch (error) {
          expect(hasCode(error, 'DAMAGED'), String(error)).to.equal(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
