/** The frame parser: a stream of bytes, however it is cut, into frames within bounds. */
import { concatBytes, utf8 } from '../../../src/base/bytes.js';
import { encodeFrame, type FrameHeader } from '../../../src/wire/frame.js';
import { type FrameBounds, FrameParser, strangerBounds } from '../../../src/wire/frame-parser.js';
import { type Target, unlessRefused } from '../target.js';

/** As for members, but small enough that bodies of the largest size can be made for every input. */
const smallBounds: FrameBounds = { headerBytes: 4096, bodyBytes: 16_384, frameBytes: 8 + 4096 + 16_384 };

const headers: readonly FrameHeader[] = [
  { kind: 'request', id: 1, method: 'ping', timeoutMs: 3000, params: {} },
  { kind: 'answer', id: 1, params: { found: true } },
  { kind: 'error', id: 2, code: 'BUSY', message: 'the queue is full', retryAfterMs: 100 },
  { kind: 'cancel', id: 3 },
];

/** What a receiver has been given. */
function parse(stream: Uint8Array, pieceBytes: number, bounds: FrameBounds): void {
  let [pushedBytes, takenBytes] = [0, 0];
  const parser = new FrameParser(bounds, {
    onHeader: (header, bodyBytes) => header.kind !== 'cancel' && bodyBytes % 7 !== 6,
    memoryFor: (_, bodyBytes) => {
      takenBytes += bodyBytes;
      // Memory is taken for what has come, and for one body that is yet to come.
      if (takenBytes > pushedBytes + bounds.bodyBytes)
        throw new Error(`${takenBytes} bytes were taken for ${pushedBytes} that came`);
      return new Uint8Array(bodyBytes);
    },
    onFrame: ({ kind }) => {
      if (kind === 'cancel') throw new Error('a frame that was not wanted is given out');
    },
  });
  for (let at = 0; at < stream.length; at += pieceBytes) {
    const piece = stream.slice(at, at + pieceBytes);
    pushedBytes += piece.length;
    parser.push(piece);
    // Whoever reads may read into the same memory again.
    piece.fill(0xa5);
  }
}

/** The first byte says how the stream is cut, and for whom it is read. */
export const frames: Target = {
  what: 'the frame parser',
  seeds: () => {
    const all = headers.flatMap((header) => [encodeFrame(header, 5), utf8('12345')]);
    const each = headers.map((header) => encodeFrame(header, 0));
    return [
      concatBytes(Uint8Array.of(1), ...all),
      ...each.map((one) => concatBytes(Uint8Array.of(255), one)),
    ];
  },
  read: (input) => {
    const [first = 0] = input;
    const bounds = (first & 1) === 0 ? strangerBounds : smallBounds;
    unlessRefused(['PROTOCOL'], () => parse(input.subarray(1), 1 + (first >> 1), bounds));
  },
};
