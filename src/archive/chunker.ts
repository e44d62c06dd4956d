/**
 * Cuts a stream of bytes where its content says so, so that an insertion moves the boundaries around it and no others.
 *
 * The gear hash (Xia et al., "Ddelta", 2014) shifts left by one and adds a table value for each byte: in 32 bits, what
 * came more than 32 bytes ago has been shifted out. A chunk ends behind a byte where the top bits of the hash are zero.
 * As in FastCDC (Xia et al., USENIX ATC 2016) nothing is judged, nor hashed, before the smallest size, and two masks
 * narrow the spread of the sizes: two bits more than the average asks for before it, two bits fewer behind it. Of
 * random bytes about one chunk in 160,000 then reaches the largest size; with one mask it would be one in twenty.
 *
 * The table is secret: whoever knows a file still does not know where it is cut, and sizes of blocks say little.
 */
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** Why a chunk ends where it does: the content, the largest size, or the end of the stream. */
export type ChunkEnd = 'content' | 'size' | 'end';

export interface Chunk {
  /** The chunker's own memory: valid until the next chunk is asked for. */
  readonly bytes: Uint8Array;
  readonly end: ChunkEnd;
}

/** Bounds of a chunk in bytes; the average is a power of two. */
export interface ChunkSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

/** The sizes of the format. */
export const chunkSizes: ChunkSizes = {
  min: limits.chunkMinBytes,
  average: limits.chunkAverageBytes,
  max: limits.chunkMaxBytes,
};

/** Bytes that one value of the hash depends on. */
const windowBytes = 32;
/** Bits that the two masks have more and fewer than the average asks for. */
const normalisation = 2;
const firstBufferBytes = 64 * 1024;

/** A chunker, used for one stream after another; its memory is kept between them. */
export class Chunker {
  readonly #gear: Int32Array;
  readonly #sizes: ChunkSizes;
  readonly #hardMask: number;
  readonly #easyMask: number;
  #buffer = new Uint8Array(0);
  #length = 0;
  #hash = 0;

  constructor(gear: Int32Array, sizes: ChunkSizes = chunkSizes) {
    const bits = Math.log2(sizes.average);
    assert(
      Number.isInteger(bits) && bits > normalisation && bits <= 28,
      'an average chunk is a power of two',
    );
    assert(
      sizes.min >= windowBytes && sizes.min < sizes.average && sizes.average < sizes.max,
      'chunk sizes grow',
    );
    this.#gear = gear;
    this.#sizes = sizes;
    this.#hardMask = -1 << (32 - bits - normalisation);
    this.#easyMask = -1 << (32 - bits + normalisation);
  }

  /** The chunks of a stream, in order; none is empty. They do not depend on the sizes of the pieces. */
  async *chunks(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Chunk, void> {
    this.#length = 0;
    for await (const piece of pieces) {
      let from = 0;
      while (from < piece.length) {
        const space = Math.min(piece.length, from + this.#sizes.max - this.#length);
        const cut = this.#scan(piece, from, space);
        const to = cut < 0 ? space : cut;
        this.#append(piece, from, to);
        from = to;
        if (cut >= 0) yield this.#take('content');
        else if (this.#length === this.#sizes.max) yield this.#take('size');
      }
    }
    if (this.#length > 0) yield this.#take('end');
  }

  #take(end: ChunkEnd): Chunk {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return { bytes, end };
  }

  #append(piece: Uint8Array, from: number, to: number): void {
    const length = this.#length + to - from;
    if (length > this.#buffer.length) {
      const wanted = Math.max(length, 2 * this.#buffer.length, firstBufferBytes);
      const larger = new Uint8Array(Math.min(wanted, this.#sizes.max));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(piece.subarray(from, to), this.#length);
    this.#length = length;
  }

  /** Reads on in the current chunk. @returns the place behind the byte that ends it, or -1. */
  #scan(piece: Uint8Array, from: number, to: number): number {
    const { min, average } = this.#sizes;
    // Where in the piece the chunk began: may be negative.
    const start = from - this.#length;
    const warm = Math.max(from, start + min - windowBytes);
    const judged = Math.max(from, start + min - 1);
    const easy = Math.max(from, start + average);
    if (this.#length <= min - windowBytes) this.#hash = 0;
    this.#search(piece, warm, Math.min(judged, to), 0);
    const cut = this.#search(piece, judged, Math.min(easy, to), this.#hardMask);
    return cut >= 0 ? cut : this.#search(piece, easy, to, this.#easyMask);
  }

  /**
   * Hashes bytes until the masked hash is zero; a mask of 0 means never. Four bytes a turn: twice the speed of one.
   * @returns the place behind the byte where it is, or -1.
   */
  #search(piece: Uint8Array, from: number, to: number, mask: number): number {
    const gear = this.#gear;
    let hash = this.#hash;
    let at = from;
    if (mask === 0) {
      for (; at < to; at += 1) hash = ((hash << 1) + (gear[piece[at] as number] as number)) | 0;
      this.#hash = hash;
      return -1;
    }
    for (const last = to - 3; at < last; at += 4) {
      hash = ((hash << 1) + (gear[piece[at] as number] as number)) | 0;
      if ((hash & mask) === 0) return at + 1;
      hash = ((hash << 1) + (gear[piece[at + 1] as number] as number)) | 0;
      if ((hash & mask) === 0) return at + 2;
      hash = ((hash << 1) + (gear[piece[at + 2] as number] as number)) | 0;
      if ((hash & mask) === 0) return at + 3;
      hash = ((hash << 1) + (gear[piece[at + 3] as number] as number)) | 0;
      if ((hash & mask) === 0) return at + 4;
    }
    for (; at < to; at += 1) {
      hash = ((hash << 1) + (gear[piece[at] as number] as number)) | 0;
      if ((hash & mask) === 0) return at + 1;
    }
    this.#hash = hash;
    return -1;
  }
}
