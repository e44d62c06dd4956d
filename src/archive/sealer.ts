/** Who seals the chunks of files: the writer's own thread, or others (src/client/backup-threads.ts). */
import { hashToId, type Id } from '../ring/identifier.js';
import type { Compressor } from './compress.js';
import { sealChunk } from './seal.js';

/** A chunk that is to be sealed. */
export interface PlainChunk {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes. */
  readonly hash: Uint8Array;
  /** Whether it becomes a block of its own, so that its id is wanted. */
  readonly isBlock: boolean;
  /** Whether the memory of `bytes` goes over to the sealer. */
  readonly isGiven: boolean;
}

/** A chunk that was sealed. */
export interface SealedChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The hash of these bytes, when it was wanted. */
  readonly id: Id | undefined;
}

/** Wrapped, so that it is not waited for. */
export interface Sealing {
  readonly sealed: Promise<SealedChunk>;
}

export interface Sealer {
  /** Seals a chunk. When the outer promise resolves, the chunk's memory may be used again. */
  seal(chunk: PlainChunk): Promise<Sealing>;
}

/** Seals at once, in the thread that asks. */
export class SealerInPlace implements Sealer {
  readonly #compressor: Compressor;

  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  seal(chunk: PlainChunk): Promise<Sealing> {
    return new Promise((resolve) => {
      resolve({ sealed: Promise.resolve(sealed(this.#compressor, chunk)) });
    });
  }
}

/** Seals a chunk. */
export function sealed(compressor: Compressor, chunk: Omit<PlainChunk, 'isGiven'>): SealedChunk {
  const bytes = sealChunk(compressor, chunk.key, chunk.bytes, chunk.hash);
  return { bytes, id: chunk.isBlock ? hashToId(bytes) : undefined };
}
