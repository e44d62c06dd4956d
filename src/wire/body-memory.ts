/**
 * Memory for the bodies of requests, used again and again.
 *
 * Node frees what a body took only when its garbage is collected, and fresh memory has to be mapped and cleared: with
 * 1 MiB blocks coming in at full speed that is a third of a peer's processor time, and twice the memory. A handler that
 * says when it is done with a body spares both.
 */
import { limits } from '../base/limits.js';

/** Below this, new memory costs less than keeping books. */
const smallestBytes = 64 * 1024;

export class BodyMemory {
  /** Free pieces by their size, a power of two. */
  readonly #free = new Map<number, ArrayBuffer[]>();
  #freeBytes = 0;

  /** Bytes that are kept for the next bodies. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Memory for a body, with anything in it. */
  take(sizeBytes: number): Uint8Array {
    if (sizeBytes < smallestBytes) return Buffer.allocUnsafeSlow(sizeBytes);
    const pieceBytes = pieceSize(sizeBytes);
    const piece = this.#free.get(pieceBytes)?.pop();
    if (piece === undefined) return Buffer.allocUnsafeSlow(pieceBytes).subarray(0, sizeBytes);
    this.#freeBytes -= pieceBytes;
    return Buffer.from(piece, 0, sizeBytes);
  }

  /** Takes back what {@link take} gave. Nobody looks at it any more. */
  giveBack(body: Uint8Array): void {
    const piece = body.buffer;
    if (!(piece instanceof ArrayBuffer) || piece.byteLength < smallestBytes) return;
    if (this.#freeBytes + piece.byteLength > limits.bodyMemoryKeptBytes) return;
    const pieces = this.#free.get(piece.byteLength) ?? [];
    this.#free.set(piece.byteLength, pieces);
    pieces.push(piece);
    this.#freeBytes += piece.byteLength;
  }
}

function pieceSize(sizeBytes: number): number {
  return 2 ** Math.ceil(Math.log2(sizeBytes));
}
