import { expect } from 'chai';
import fc from 'fast-check';

import { concatBytes, utf8 } from '../../src/base/bytes.js';
import { hasCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import {
  decodeHeader,
  encodeFrame,
  type FrameHeader,
  framePrefixBytes,
  requestIdMax,
} from '../../src/wire/frame.js';
import { type FrameBounds, FrameParser, memberBounds, strangerBounds } from '../../src/wire/frame-parser.js';

interface Frame {
  readonly header: FrameHeader;
  readonly body: Uint8Array;
}

const id = fc.integer({ min: 0, max: requestIdMax });
const params = fc.oneof(
  fc.constant({}),
  fc.record({ key: fc.string(), n: fc.nat() }, { noNullPrototype: true }),
);
const headers: fc.Arbitrary<FrameHeader> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    id,
    method: fc.string({ maxLength: 16 }),
    timeoutMs: fc.integer({ min: 0, max: limits.requestTimeoutMaxMs }),
    params,
  }),
  fc.record({ kind: fc.constant('answer' as const), id, params }),
  fc.record({
    kind: fc.constant('error' as const),
    id,
    code: fc.constant('BUSY'),
    message: fc.string({ maxLength: 99 }),
  }),
  fc.record({
    kind: fc.constant('error' as const),
    id,
    code: fc.constant('BUSY'),
    message: fc.constant('later'),
    retryAfterMs: fc.integer({ min: 0, max: limits.retryAfterMaxMs }),
  }),
  fc.record({ kind: fc.constant('cancel' as const), id }),
);
const frames = fc.array(fc.record({ header: headers, body: fc.uint8Array({ maxLength: 300 }) }), {
  maxLength: 12,
});

const bytesOf = (all: readonly Frame[]): Uint8Array =>
  concatBytes(...all.flatMap(({ header, body }) => [encodeFrame(header, body.length), body]));

/** Feeds the pieces to a parser and returns what came out. */
function parse(pieces: readonly Uint8Array[], bounds: FrameBounds = memberBounds): Frame[] {
  const out: Frame[] = [];
  const parser = new FrameParser(bounds, {
    onHeader: () => true,
    onFrame: (header, body) => out.push({ header, body }),
  });
  for (const piece of pieces) parser.push(piece);
  return out;
}

const plain = (all: readonly Frame[]): unknown =>
  all.map(({ header, body }) => ({ header: { ...header }, body: [...body] }));

/** A prefix of these lengths. */
function prefix(headerBytes: number, bodyBytes: number, version = 1): Uint8Array {
  const bytes = Buffer.alloc(framePrefixBytes);
  bytes.writeUInt8(version, 0);
  bytes.writeUIntBE(headerBytes, 1, 3);
  bytes.writeUInt32BE(bodyBytes, 4);
  return bytes;
}

describe('frames', () => {
  it('lie in the stream as docs/protocol.md says', () => {
    const header: FrameHeader = { kind: 'request', id: 5, method: 'ping', timeoutMs: 3000, params: {} };
    expect(Buffer.from(encodeFrame(header, 258)).toString('hex')).to.equal(
      '01' + '00000c' + '00000102' + '950005a470696e67cd0bb880',
    );
    expect(decodeHeader(Buffer.from('9203' + '07', 'hex'))).to.deep.equal({ kind: 'cancel', id: 7 });
  });

  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(4000), { maxLength: 40 }), (all, cuts) => {
        const bytes = bytesOf(all);
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(plain(parse(pieces))).to.deep.equal(plain(all));
      }),
    );
  });

  it('come out as they went in, one byte at a time', () => {
    fc.assert(
      fc.property(frames, (all) => {
        const pieces = [...bytesOf(all)].map((byte) => Uint8Array.of(byte));
        expect(plain(parse(pieces))).to.deep.equal(plain(all));
      }),
      { numRuns: 30 },
    );
  });

  it('are never made out of garbage: it is refused, or more is waited for', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // With a prefix that holds, so that the header is what is wrong.
      fc
        .uint8Array({ minLength: 1, maxLength: 60 })
        .map((bytes) => concatBytes(prefix(bytes.length, 0), bytes)),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        try {
          parse([bytes]);
        } catch (error) {
          expect(hasCode(error, 'PROTOCOL'), String(error)).to.equal(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('are refused at the first byte when it is not our version', () => {
    for (const version of [0, 2, 0x16, 0x47, 255]) {
      expect(() => parse([Uint8Array.of(version)])).to.throw(PeerStoreError, `version ${version}`);
    }
    expect(parse([Uint8Array.of(1)])).to.deep.equal([]);
  });

  const { headerBytes, bodyBytes } = memberBounds;
  const stranger = strangerBounds.frameBytes - framePrefixBytes;
  for (const [what, bounds, header, body, isTaken] of [
    ['no header', memberBounds, 0, 0, false],
    ['a header of one byte', memberBounds, 1, 0, true],
    ['a header one byte below the limit', memberBounds, headerBytes - 1, 0, true],
    ['a header at the limit', memberBounds, headerBytes, 0, true],
    ['a header one byte above the limit', memberBounds, headerBytes + 1, 0, false],
    ['the longest header there can be', memberBounds, 0xffffff, 0, false],
    ['a body one byte below the limit', memberBounds, 1, bodyBytes - 1, true],
    ['a body at the limit', memberBounds, 1, bodyBytes, true],
    ['a body one byte above the limit', memberBounds, 1, bodyBytes + 1, false],
    ['the longest body there can be', memberBounds, 1, 0xffffffff, false],
    ["a stranger's frame one byte below the limit", strangerBounds, stranger - 1, 0, true],
    ["a stranger's frame at the limit", strangerBounds, stranger - 1, 1, true],
    ["a stranger's frame one byte above the limit", strangerBounds, stranger, 1, false],
    ["a stranger's header above the limit", strangerBounds, stranger + 1, 0, false],
  ] as const) {
    it(`with ${what} are ${isTaken ? 'waited for' : 'refused before their header comes'}`, () => {
      const feed = (): unknown => parse([prefix(header, body)], bounds);
      if (isTaken) feed();
      else expect(feed).to.throw(PeerStoreError).with.property('code', 'PROTOCOL');
    });
  }

  it('are not made longer than they may be', () => {
    const header: FrameHeader = { kind: 'answer', id: 1, params: 'x'.repeat(limits.frameHeaderBytes) };
    expect(() => encodeFrame(header, 0))
      .to.throw(PeerStoreError)
      .with.property('code', 'PROTOCOL');
    const small: FrameHeader = { kind: 'cancel', id: 1 };
    encodeFrame(small, limits.frameBodyBytes);
    expect(() => encodeFrame(small, limits.frameBodyBytes + 1)).to.throw(PeerStoreError);
  });

  it('whose body is not wanted pass by, and the next ones come', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 99 }), (size, body) => {
        const bytes = bytesOf([
          { header: { kind: 'cancel', id: 1 }, body: new Uint8Array(body) },
          { header: { kind: 'cancel', id: 2 }, body: utf8('kept') },
        ]);
        const out: number[] = [];
        const parser = new FrameParser(memberBounds, {
          onHeader: (header) => header.id === 2,
          onFrame: (header) => out.push(header.id),
        });
        for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
        expect(out).to.deep.equal([2]);
        expect(parser.isInsideFrame).to.equal(false);
      }),
    );
  });

  it('can be dropped while their body arrives', () => {
    const bytes = bytesOf([
      { header: { kind: 'cancel', id: 1 }, body: new Uint8Array(10) },
      { header: { kind: 'cancel', id: 2 }, body: new Uint8Array(10) },
    ]);
    const out: number[] = [];
    const parser = new FrameParser(memberBounds, {
      onHeader: () => true,
      onFrame: (header) => out.push(header.id),
    });
    parser.push(bytes.subarray(0, 15));
    parser.dropBody();
    parser.push(bytes.subarray(15));
    expect(out).to.deep.equal([2]);
  });

  it('are known to be cut short at every place but their ends', () => {
    const frame = bytesOf([{ header: { kind: 'cancel', id: 1 }, body: utf8('body') }]);
    for (let end = 0; end <= frame.length; end += 1) {
      const parser = new FrameParser(memberBounds, { onHeader: () => true, onFrame: () => undefined });
      parser.push(frame.subarray(0, end));
      expect(parser.isInsideFrame, `after ${end} bytes`).to.equal(end > 0 && end < frame.length);
    }
  });
});
