/**
 * Finds or makes a place for each chunk of a file.
 *
 * A chunk that content ended becomes a block of its own: the secret gear table decided its size, and any device of the
 * user makes the same block of the same bytes. What is left at the end of a file goes into a pack, as its size would
 * tell the file's. A chunk that is stored already is used only after the ring has confirmed it in this run.
 *
 * Chunks are sealed side by side, and packed in the order in which they came: so the packs do not depend on who seals.
 */
import { sha256, toHex } from '../base/bytes.js';
import type { ChunkEnd } from './chunker.js';
import { locationOf, type Place, placeOf } from './draft.js';
import type { Packer } from './packer.js';
import type { ChunkIndex, ChunkLocation } from './ports.js';
import { chunkKey, sealBytes } from './seal.js';
import type { Sealer, Sealing } from './sealer.js';
import type { ArchiveSecrets } from './secrets.js';
import type { BlockStorage, Deferred } from './storage.js';

/** A chunk that has its place. */
export interface Placed {
  readonly place: Place;
  /** Bytes of the sealed chunk when it was made now, 0 when it was there. */
  readonly newSealedBytes: number;
}

/** A chunk of a file. */
export interface DataChunk {
  readonly bytes: Uint8Array;
  readonly end: ChunkEnd;
  /** Whether the memory of `bytes` is given away with it. */
  readonly isGiven: boolean;
}

/** A chunk, and what follows from its bytes. */
interface Hashed extends DataChunk {
  readonly hash: Uint8Array;
  readonly key: Uint8Array;
  readonly name: string;
}

export class DataChunks {
  readonly #secrets: ArchiveSecrets;
  readonly #sealer: Sealer;
  readonly #index: ChunkIndex;
  readonly #storage: BlockStorage;
  readonly #packer: Packer;
  /** Chunks that are not in the index yet: the second of two equal ones waits for the first. */
  readonly #underWay = new Map<string, Promise<Placed>>();
  /** Resolves when the chunks before the next one are in their packs, or failed. */
  #packed: Promise<unknown> = Promise.resolve();

  constructor(
    secrets: ArchiveSecrets,
    sealer: Sealer,
    index: ChunkIndex,
    storage: BlockStorage,
    packer: Packer,
  ) {
    this.#secrets = secrets;
    this.#sealer = sealer;
    this.#index = index;
    this.#storage = storage;
    this.#packer = packer;
  }

  /**
   * Starts to place a chunk. When the outer promise resolves, the chunk's memory may be used again; the inner one says
   * where it is. Waits for room.
   */
  async start(chunk: DataChunk): Promise<{ readonly placed: Promise<Placed> }> {
    const hash = sha256(chunk.bytes);
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
    const takenBytes = chunk.bytes.length + sealBytes;
    await this.#storage.room.take(takenBytes);
    const hashed: Hashed = { ...chunk, hash, key, name };
    if (location === undefined) {
      const sealing = this.#seal(hashed);
      this.#storage.track(this.#make(hashed, sealing, takenBytes, placed));
      await sealing;
      await this.#packer.admitted;
    } else {
      const kept = chunk.isGiven ? hashed : { ...hashed, bytes: Uint8Array.from(chunk.bytes), isGiven: true };
      this.#storage.track(this.#confirmOrMake(kept, location, takenBytes, placed));
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
      await this.#make(chunk, this.#seal(chunk), takenBytes, placed);
      return;
    }
    this.#storage.room.release(takenBytes);
    this.#underWay.delete(chunk.name);
    placed.resolve({ place: placeOf(location), newSealedBytes: 0 });
  }

  #seal(chunk: Hashed): Promise<Sealing> {
    return this.#sealer.seal({ ...chunk, isBlock: isBlock(chunk) });
  }

  /** Gives a chunk its place when it is sealed. The room taken for it is given back when it is stored, or packed. */
  async #make(
    chunk: Hashed,
    sealing: Promise<Sealing>,
    takenBytes: number,
    placed: Deferred<Placed>,
  ): Promise<void> {
    const { key, name } = chunk;
    const sealed = sealing.then((begun) => begun.sealed);
    let place: Place;
    let newSealedBytes: number;
    if (isBlock(chunk)) {
      const { bytes, id } = await sealed;
      if (id === undefined) throw new Error('broken rule: a block has an id');
      const stored = this.#storage.store(id, bytes, takenBytes).then(() => {
        this.#index.set(name, locationOf(place));
      });
      this.#storage.track(stored);
      place = { home: { id, stored }, offset: 0, length: bytes.length, key };
      newSealedBytes = bytes.length;
    } else {
      const packed = this.#packed.then(async () => {
        const { bytes } = await sealed;
        return this.#packer.add(key, bytes, () => name);
      });
      sealed.catch(() => undefined);
      this.#packed = packed.catch(() => undefined);
      place = await packed;
      this.#storage.room.release(takenBytes);
      newSealedBytes = place.length;
    }
    place.home.stored.then(
      () => this.#underWay.delete(name),
      () => undefined, // The storage has failed, and says so.
    );
    placed.resolve({ place, newSealedBytes });
  }
}

/** Whether a chunk becomes a block of its own. */
function isBlock({ end }: DataChunk): boolean {
  return end !== 'end';
}
