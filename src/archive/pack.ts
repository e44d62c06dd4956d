/**
 * Packs: blocks that hold many sealed chunks, one behind the other, and padding.
 *
 * The padded size follows Padmé (Nikitin et al., "Reducing metadata leakage from encrypted files and communication with
 * PURBs", PETS 2019): a size keeps only as many bits as its magnitude has bits, which costs less than 12% and leaves
 * few sizes to tell packs apart. The padding looks like ciphertext and is a function of the pack, so that the same
 * chunks in the same order make the same block.
 */
import { createCipheriv, createHash, createHmac } from 'node:crypto';

import { limits } from '../base/limits.js';
import { type Id, idFromBytes } from '../ring/identifier.js';
import type { Home, Place } from './draft.js';
import type { Deferred } from './storage.js';

const firstBufferBytes = 64 * 1024;

/** The size that a pack of so many bytes is padded to: at least a page, never above a block. */
export function paddedSize(sizeBytes: number): number {
  if (sizeBytes <= limits.packMinBytes) return limits.packMinBytes;
  const exponent = Math.floor(Math.log2(sizeBytes));
  const step = 2 ** (exponent - Math.floor(Math.log2(exponent)) - 1);
  return Math.ceil(sizeBytes / step) * step;
}

/** A pack that chunks are added to. Trees in it can refer to it before it has an id. */
export class Pack implements Home {
  readonly #stored: Deferred<void>;
  /** Of the chunks so far: the padding's key comes from it, and it goes on to become the id. */
  readonly #hash = createHash('sha256');
  #buffer = new Uint8Array(firstBufferBytes);
  #length = 0;
  #id: Id | undefined;

  constructor(stored: Deferred<void>) {
    this.#stored = stored;
  }

  get id(): Id | undefined {
    return this.#id;
  }

  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  /** Whether a sealed chunk of this size has room. */
  fits(sizeBytes: number): boolean {
    return this.#length + sizeBytes <= limits.blockBytes;
  }

  /** Adds a sealed chunk that fits. */
  add(key: Uint8Array, sealed: Uint8Array): Place {
    const offset = this.#length;
    const length = offset + sealed.length;
    this.#reserve(length);
    this.#buffer.set(sealed, offset);
    this.#hash.update(sealed);
    this.#length = length;
    return { home: this, offset, length: sealed.length, key };
  }

  /** Pads the pack and gives it its id. Nothing is added any more. */
  close(paddingSecret: Uint8Array): { readonly id: Id; readonly bytes: Uint8Array } {
    const length = paddedSize(this.#length);
    this.#reserve(length);
    const bytes = this.#buffer.subarray(0, length);
    const padding = bytes.subarray(this.#length);
    const key = createHmac('sha256', paddingSecret).update(this.#hash.copy().digest()).digest();
    // Nothing was written there: it encrypts zeros.
    padding.set(createCipheriv('aes-256-ctr', key, new Uint8Array(16)).update(padding));
    const id = idFromBytes(this.#hash.update(padding).digest());
    this.#buffer = new Uint8Array(0);
    this.#id = id;
    return { id, bytes };
  }

  /** Says when the pack is stored. */
  settle(stored: Promise<void>): void {
    this.#stored.resolve(stored);
  }

  /** Makes room for so many bytes in all. */
  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.min(limits.blockBytes, Math.max(length, 2 * this.#buffer.length)));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
