/** Writes a file's content front to back, and leaves long stretches of zeros out: the file has holes there. */
import { asBuffer } from '../base/bytes.js';
import type { WritableFile } from '../base/filesystem.js';
import { limits } from '../base/limits.js';

/** Holes begin and end where the blocks of common file systems do. */
const cellBytes = 4096;
const zeros = Buffer.alloc(limits.holeBytes);

/** Takes pieces of any length. A stretch of zeros counts across pieces. */
export class SparseWriter {
  readonly #file: WritableFile;
  /** Bytes taken. */
  #position = 0;
  /** Bytes before {@link #position} that are zeros and not written. */
  #pendingZeros = 0;

  constructor(file: WritableFile) {
    this.#file = file;
  }

  /** Bytes taken so far. */
  get sizeBytes(): number {
    return this.#position;
  }

  async write(piece: Uint8Array): Promise<void> {
    const bytes = asBuffer(piece);
    let dataStart = 0;
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + cellBytes - ((this.#position + at - dataStart) % cellBytes), bytes.length);
      const isZero = bytes.compare(zeros, 0, end - at, at, end) === 0;
      if (isZero) {
        await this.#writeData(bytes.subarray(dataStart, at));
        this.#pendingZeros += end - at;
        this.#position += end - at;
        dataStart = end;
      } else if (at === dataStart) {
        await this.#endZeros();
      }
      at = end;
    }
    await this.#writeData(bytes.subarray(dataStart));
  }

  /** Gives the file its length, in case that it ends in zeros. */
  async finish(): Promise<void> {
    if (this.#pendingZeros >= limits.holeBytes) await this.#file.truncate(this.#position);
    else await this.#endZeros();
  }

  async #writeData(data: Uint8Array): Promise<void> {
    if (data.length === 0) return;
    await this.#file.write(data, this.#position);
    this.#position += data.length;
  }

  /** Before data: a stretch that is too short for a hole is written after all. */
  async #endZeros(): Promise<void> {
    if (this.#pendingZeros > 0 && this.#pendingZeros < limits.holeBytes) {
      await this.#file.write(zeros.subarray(0, this.#pendingZeros), this.#position - this.#pendingZeros);
    }
    this.#pendingZeros = 0;
  }
}
