/**
 * Frames: how requests and answers lie in a stream of bytes. docs/protocol.md has the same in prose.
 *
 *     version (1 byte) | header length (3 bytes) | body length (4 bytes) | header (msgpack) | body (raw bytes)
 *
 * Lengths are big endian. The body stays outside msgpack, so that it is neither copied nor scanned. The header is a
 * list, not a map: at 100,000 requests a second the names of the fields would be most of the bytes.
 */
import { type Codec, integer, packValue, text, unpackValue } from '../base/codec.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** The version of the protocol that this code speaks: the first byte of every frame. */
export const protocolVersion = 1;
/** Bytes before the header. */
export const framePrefixBytes = 8;
/** The highest number of a request; then the numbers begin again. Number 0 is the connection itself. */
export const requestIdMax = 0x7fffffff;

/** "Do this." */
export interface RequestHeader {
  readonly kind: 'request';
  readonly id: number;
  readonly method: string;
  /** Milliseconds from the arrival of the header; then nobody waits for an answer any more. */
  readonly timeoutMs: number;
  /** What the method's request codec made. */
  readonly params: unknown;
}

/** "It is done." */
export interface AnswerHeader {
  readonly kind: 'answer';
  readonly id: number;
  /** What the method's response codec made. */
  readonly params: unknown;
}

/** "It failed." Number 0: the whole connection is refused, and nothing that was asked on it is carried out. */
export interface ErrorHeader {
  readonly kind: 'error';
  readonly id: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** "Nobody waits for this answer any more." */
export interface CancelHeader {
  readonly kind: 'cancel';
  readonly id: number;
}

export type FrameHeader = RequestHeader | AnswerHeader | ErrorHeader | CancelHeader;

const requestId = integer(0, requestIdMax);
const methodName = text(64);
const timeoutMs = integer(0, limits.requestTimeoutMaxMs);
const errorCode = text(64);
const errorMessage = text(limits.errorMessageBytes);
const retryAfterMs = integer(0, limits.retryAfterMaxMs);

/** The first item of a header. */
const kindNumbers = { request: 0, answer: 1, error: 2, cancel: 3 } as const;

/** A frame's header as a list; items behind those that we know are ignored, so that a later version may add some. */
export const headerCodec: Codec<FrameHeader> = {
  encode: (header) => {
    const kind = kindNumbers[header.kind];
    switch (header.kind) {
      case 'request':
        return [kind, header.id, header.method, header.timeoutMs, header.params];
      case 'answer':
        return [kind, header.id, header.params];
      case 'error':
        return header.retryAfterMs === undefined
          ? [kind, header.id, header.code, header.message]
          : [kind, header.id, header.code, header.message, header.retryAfterMs];
      case 'cancel':
        return [kind, header.id];
    }
  },
  decode: (raw, path) => {
    if (!Array.isArray(raw)) throw new PeerStoreError('PROTOCOL', `${path} is not a list`);
    const items: readonly unknown[] = raw;
    const id = requestId.decode(items[1], 'the request number');
    switch (items[0]) {
      case kindNumbers.request:
        return {
          kind: 'request',
          id,
          method: methodName.decode(items[2], 'the method'),
          timeoutMs: timeoutMs.decode(items[3], 'the timeout'),
          params: items[4],
        };
      case kindNumbers.answer:
        return { kind: 'answer', id, params: items[2] };
      case kindNumbers.error: {
        const code = errorCode.decode(items[2], 'the error code');
        const message = errorMessage.decode(items[3], 'the error message');
        return items[4] === undefined || items[4] === null
          ? { kind: 'error', id, code, message }
          : { kind: 'error', id, code, message, retryAfterMs: retryAfterMs.decode(items[4], 'the wait') };
      }
      case kindNumbers.cancel:
        return { kind: 'cancel', id };
      default:
        throw new PeerStoreError('PROTOCOL', `${path} is of no known kind`);
    }
  },
};

/**
 * A frame up to its body, which follows as it is.
 * @throws PeerStoreError PROTOCOL when the header or the body is longer than a frame can have.
 */
export function encodeFrame(header: FrameHeader, bodyBytes: number): Uint8Array {
  const packed = packValue(headerCodec, header);
  if (packed.length > limits.frameHeaderBytes || bodyBytes > limits.frameBodyBytes) {
    throw new PeerStoreError(
      'PROTOCOL',
      `a frame of ${packed.length} and ${bodyBytes} bytes is longer than the protocol allows ` +
        `(${limits.frameHeaderBytes} and ${limits.frameBodyBytes})`,
    );
  }
  const frame = Buffer.allocUnsafe(framePrefixBytes + packed.length);
  frame.writeUInt32BE(((protocolVersion << 24) | packed.length) >>> 0, 0);
  frame.writeUInt32BE(bodyBytes, 4);
  frame.set(packed, framePrefixBytes);
  return frame;
}

/**
 * The header in a frame's bytes.
 * @throws PeerStoreError PROTOCOL when they are not one.
 */
export function decodeHeader(bytes: Uint8Array): FrameHeader {
  return unpackValue(headerCodec, bytes, 'frame header');
}
