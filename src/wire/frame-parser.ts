/**
 * Takes a stream of bytes apart into frames, however the bytes are cut.
 *
 * No piece of the stream is kept: it may be overwritten when {@link FrameParser.push} returns. Memory for a body is taken once, after its prefix was
 * found to be within the bounds and the receiver, who has seen the header, said that it wants it; a body that it does
 * not want passes by without being kept.
 */
import { asBuffer } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { decodeHeader, type FrameHeader, framePrefixBytes, protocolVersion } from './frame.js';

/** Who receives the frames. What it throws ends the parsing. */
export interface FrameReceiver {
  /** A header is complete. @returns whether the frame is wanted: {@link onFrame} follows when its body is there. */
  onHeader(header: FrameHeader, bodyBytes: number): boolean;
  /** Memory for the body of a frame that is wanted; by default it is new. */
  memoryFor?(header: FrameHeader, bodyBytes: number): Uint8Array;
  /** A frame that was wanted is complete. The body belongs to the receiver. */
  onFrame(header: FrameHeader, body: Uint8Array): void;
}

/** The longest frames that the other side may send. */
export interface FrameBounds {
  readonly headerBytes: number;
  readonly bodyBytes: number;
  /** Prefix, header and body together. */
  readonly frameBytes: number;
}

/** For callers and peers with a certificate. */
export const memberBounds: FrameBounds = {
  headerBytes: limits.frameHeaderBytes,
  bodyBytes: limits.frameBodyBytes,
  frameBytes: framePrefixBytes + limits.frameHeaderBytes + limits.frameBodyBytes,
};

/** For callers without a certificate. */
export const strangerBounds: FrameBounds = {
  headerBytes: limits.strangerFrameBytes,
  bodyBytes: limits.strangerFrameBytes,
  frameBytes: limits.strangerFrameBytes,
};

/** A body that is under way. */
interface AwaitedBody {
  readonly header: FrameHeader;
  /** Undefined while the body passes by without being kept. */
  kept: Uint8Array | undefined;
  filledBytes: number;
}

const noBytes = new Uint8Array(0);

/** An incremental parser of one direction of one connection. */
export class FrameParser {
  readonly #bounds: FrameBounds;
  readonly #receiver: FrameReceiver;
  /** A prefix or header of which only a part has come, and how much. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Zero while a prefix is awaited. */
  #headerBytes = 0;
  #bodyBytes = 0;
  /** Set while a body is awaited. */
  #awaited: AwaitedBody | undefined;

  constructor(bounds: FrameBounds, receiver: FrameReceiver) {
    this.#bounds = bounds;
    this.#receiver = receiver;
  }

  /** Whether a frame has begun and not ended: bytes that stop here were cut short. */
  get isInsideFrame(): boolean {
    return this.#heldBytes > 0 || this.#headerBytes > 0 || this.#awaited !== undefined;
  }

  /** Lets the rest of the body that is under way pass by; its memory is given back, {@link FrameReceiver.onFrame} not called. */
  dropBody(): void {
    if (this.#awaited !== undefined) this.#awaited.kept = undefined;
  }

  /**
   * Takes the next bytes.
   * @throws PeerStoreError PROTOCOL when they are not frames of this protocol within the bounds. The parser is of no
   * use afterwards: where the next frame begins is not known.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#awaited !== undefined) at = this.#takeBody(this.#awaited, chunk, at);
      else if (this.#headerBytes > 0) at = this.#takeHeader(chunk, at);
      else at = this.#takePrefix(chunk, at);
    }
  }

  #takePrefix(chunk: Uint8Array, at: number): number {
    // Checked first, so that a caller of another protocol is told at its first byte.
    if (this.#heldBytes === 0 && chunk[at] !== protocolVersion) {
      throw new PeerStoreError(
        'PROTOCOL',
        `a frame of version ${chunk[at] ?? 0}; this side speaks version ${protocolVersion}`,
      );
    }
    if (this.#heldBytes === 0 && chunk.length - at >= framePrefixBytes) {
      this.#readPrefix(chunk, at);
      return at + framePrefixBytes;
    }
    const next = this.#hold(chunk, at, framePrefixBytes);
    const prefix = this.#takeHeld(framePrefixBytes);
    if (prefix !== undefined) this.#readPrefix(prefix, 0);
    return next;
  }

  #readPrefix(bytes: Uint8Array, at: number): void {
    const prefix = asBuffer(bytes);
    const headerBytes = prefix.readUIntBE(at + 1, 3);
    const bodyBytes = prefix.readUInt32BE(at + 4);
    if (headerBytes === 0) throw new PeerStoreError('PROTOCOL', 'a frame without a header');
    if (
      headerBytes > this.#bounds.headerBytes ||
      bodyBytes > this.#bounds.bodyBytes ||
      framePrefixBytes + headerBytes + bodyBytes > this.#bounds.frameBytes
    ) {
      throw new PeerStoreError(
        'PROTOCOL',
        `a frame of ${headerBytes} and ${bodyBytes} bytes; at most ${this.#bounds.headerBytes} and ` +
          `${this.#bounds.bodyBytes}, together ${this.#bounds.frameBytes}, are taken`,
      );
    }
    this.#headerBytes = headerBytes;
    this.#bodyBytes = bodyBytes;
  }

  #takeHeader(chunk: Uint8Array, at: number): number {
    const length = this.#headerBytes;
    if (this.#heldBytes === 0 && chunk.length - at >= length) {
      // What is read of it may keep parts of it, while the chunk may be overwritten.
      this.#readHeader(Uint8Array.prototype.slice.call(chunk, at, at + length));
      return at + length;
    }
    const next = this.#hold(chunk, at, length);
    const header = this.#takeHeld(length);
    if (header !== undefined) this.#readHeader(header);
    return next;
  }

  #readHeader(bytes: Uint8Array): void {
    const header = decodeHeader(bytes);
    this.#headerBytes = 0;
    const wanted = this.#receiver.onHeader(header, this.#bodyBytes);
    if (this.#bodyBytes === 0) {
      if (wanted) this.#receiver.onFrame(header, noBytes);
      return;
    }
    const kept = wanted
      ? (this.#receiver.memoryFor?.(header, this.#bodyBytes) ?? Buffer.allocUnsafeSlow(this.#bodyBytes))
      : undefined;
    this.#awaited = { header, kept, filledBytes: 0 };
  }

  #takeBody(awaited: AwaitedBody, chunk: Uint8Array, at: number): number {
    const take = Math.min(chunk.length - at, this.#bodyBytes - awaited.filledBytes);
    awaited.kept?.set(chunk.subarray(at, at + take), awaited.filledBytes);
    awaited.filledBytes += take;
    if (awaited.filledBytes === this.#bodyBytes) {
      this.#awaited = undefined;
      if (awaited.kept !== undefined) this.#receiver.onFrame(awaited.header, awaited.kept);
    }
    return at + take;
  }

  /** Keeps what there is of a prefix or header of `length` bytes. @returns where the rest of the chunk begins. */
  #hold(chunk: Uint8Array, at: number, length: number): number {
    this.#held ??= Buffer.allocUnsafeSlow(length);
    const take = Math.min(chunk.length - at, length - this.#heldBytes);
    this.#held.set(chunk.subarray(at, at + take), this.#heldBytes);
    this.#heldBytes += take;
    return at + take;
  }

  /** What was held, if it is complete. */
  #takeHeld(length: number): Buffer | undefined {
    if (this.#heldBytes < length) return undefined;
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    return held;
  }
}
