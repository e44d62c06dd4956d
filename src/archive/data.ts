/**
 * Finds or makes a place for each chunk of a file.
 *
 * A chunk that content ended becomes a block of its own: the secret gear table decided its size, and any device of the
 * user makes the same block of the same bytes. What is left at the end of a file goes into a pack, as its size would
 * tell the file's. A chunk that is stored already is used only after the ring has confirmed it in this run.
 */
import { sha256, toHex } from '../base/bytes.js';
import { hashToId } from '../ring/identifier.js';
import type { ChunkEnd } from './chunker.js';
import type { Compressor } from './compress.js';
import { locationOf, type Place, placeOf } from './draft.js';
import type { Packer } from './packer.js';
import type { ChunkIndex, ChunkLocation } from './ports.js';
import { chunkKey, sealBytes, sealChunk } from './seal.js';
import type { ArchiveSecrets } from './secrets.js';
import type { BlockStorage, Deferred } from './storage.js';

/** A chunk that has its place. */
export interface Placed {
  readonly place: Place;
  /** Bytes of the sealed chunk when it was made now, 0 when it was there. */
  readonly newSealedBytes: number;
}

/** A chunk, and what follows from its bytes. */
interface Hashed {
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
  readonly key: Uint8Array;
  readonly name: string;
  readonly end: ChunkEnd;
}

export class DataChunks {
  readonly #secrets: ArchiveSecrets;
  readonly #compressor: Compressor;
  readonly #index: ChunkIndex;
  readonly #storage: BlockStorage;
  readonly #packer: Packer;
  /** Chunks that are not in the index yet: the second of two equal ones waits for the first. */
  readonly #underWay = new Map<string, Promise<Placed>>();

  constructor(
    secrets: ArchiveSecrets,
    compressor: Compressor,
    index: ChunkIndex,
    storage: BlockStorage,
    packer: Packer,
  ) {
    this.#secrets = secrets;
    this.#compressor = compressor;
    this.#index = index;
    this.#storage = storage;
    this.#packer = packer;
  }

  /**
   * Starts to place a chunk. When the outer promise resolves, the chunk's memory may be used again; the inner one says
   * where it is. Waits for room.
   */
  async start(bytes: Uint8Array, end: ChunkEnd): Promise<{ readonly placed: Promise<Placed> }> {
    const hash = sha256(bytes);
    const key = chunkKey(this.#secrets, 'data', hash);
    const name = toHex(key);
    const sameChunk = this.#underWay.get(name);
    if (sameChunk !== undefined) {
      return { placed: sameChunk.then(({ place }) => ({ place, newSealedBytes: 0 })) };
    }
    const location = this.#index.get(name);
    if (location !== undefined && this.#storage.knows(location.block)) {
      return { placed: Promise.resolve({ place: placeOf(location), newSealedBytes: 0 }) };
    }
    const placed = this.#storage.promise<Placed>();
    this.#underWay.set(name, placed.promise);
    const takenBytes = bytes.length + sealBytes;
    await this.#storage.room.take(takenBytes);
    const chunk: Hashed = { bytes, hash, key, name, end };
    if (location === undefined) {
      try {
        this.#make(chunk, takenBytes, placed);
      } catch (error) {
        this.#storage.fail(error);
        throw error;
      }
      await this.#packer.admitted;
    } else {
      const copy = { ...chunk, bytes: Uint8Array.from(bytes) };
      this.#storage.track(this.#confirmOrMake(copy, location, takenBytes, placed));
    }
    return { placed: placed.promise };
  }

  async #confirmOrMake(
    chunk: Hashed,
    location: ChunkLocation,
    takenBytes: number,
    placed: Deferred<Placed>,
  ): Promise<void> {
    if (!(await this.#storage.isStored(location.block))) {
      this.#make(chunk, takenBytes, placed);
      return;
    }
    this.#storage.room.release(takenBytes);
    this.#underWay.delete(chunk.name);
    placed.resolve({ place: placeOf(location), newSealedBytes: 0 });
  }

  /** Seals a chunk and gives it a place. The room taken for it is given back when it is stored, or packed. */
  #make(chunk: Hashed, takenBytes: number, placed: Deferred<Placed>): void {
    const { key, name } = chunk;
    const sealed = sealChunk(this.#compressor, key, chunk.bytes, chunk.hash);
    let place: Place;
    if (chunk.end === 'end') {
      place = this.#packer.add(key, sealed, () => name);
      this.#storage.room.release(takenBytes);
    } else {
      const id = hashToId(sealed);
      const stored = this.#storage.store(id, sealed, takenBytes).then(() => {
        this.#index.set(name, locationOf(place));
      });
      this.#storage.track(stored);
      place = { home: { id, stored }, offset: 0, length: sealed.length, key };
    }
    place.home.stored.then(
      () => this.#underWay.delete(name),
      () => undefined, // The storage has failed, and says so.
    );
    placed.resolve({ place, newSealedBytes: sealed.length });
  }
}
