/**
 * A set of SHA-256 hashes that never forgets one and now and then believes to have one that it has not (Bloom, "Space/time
 * trade-offs in hash coding with allowable errors", CACM 1970), in memory that does not grow.
 */

/** Probes for each hash: the eight words of a SHA-256 hash are as random as any function of it. */
const probes = 8;

export class BloomFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** @param sizeBytes a power of two from 4 to 2^28. With 27 bits a hash, one in about 500,000 is believed wrongly. */
  constructor(sizeBytes: number) {
    this.#words = new Uint32Array(sizeBytes / 4);
    this.#mask = sizeBytes * 8 - 1;
  }

  /** @param hash 32 bytes */
  add(hash: Uint8Array): void {
    const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength);
    for (let probe = 0; probe < probes; probe += 1) {
      const bit = (view.getUint32(4 * probe) & this.#mask) >>> 0;
      const at = bit >>> 5;
      this.#words[at] = (this.#words[at] ?? 0) | (1 << (bit & 31));
    }
  }

  /** @returns false for certain; true for what was added, and seldom for others. */
  has(hash: Uint8Array): boolean {
    const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength);
    for (let probe = 0; probe < probes; probe += 1) {
      const bit = (view.getUint32(4 * probe) & this.#mask) >>> 0;
      if (((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}
