/** Fills packs one after the other, stores each when it is closed, and then tells the index what is in it. */
import { toHex } from '../base/bytes.js';
import { locationOf, type Place } from './draft.js';
import { Pack } from './pack.js';
import type { ChunkIndex } from './ports.js';
import type { BlockStorage } from './storage.js';

interface Packed {
  readonly place: Place;
  /** Asked when the pack has its id: the name of a chunk that refers into its own pack depends on it. */
  readonly name: () => string;
}

export class Packer {
  readonly #storage: BlockStorage;
  readonly #index: ChunkIndex;
  readonly #paddingSecret: Uint8Array;
  #pack: Pack | undefined;
  /** The open pack's chunks, by key. */
  #open = new Map<string, Packed>();
  /** The chunks of closed packs that are not stored yet, by name. */
  readonly #underWay = new Map<string, Place>();
  #admitted: Promise<void> = Promise.resolve();

  constructor(storage: BlockStorage, index: ChunkIndex, paddingSecret: Uint8Array) {
    this.#storage = storage;
    this.#index = index;
    this.#paddingSecret = paddingSecret;
  }

  /** The pack that is being filled. */
  get pack(): Pack | undefined {
    return this.#pack;
  }

  /** Resolves when the packs closed so far are bounded by the room there is: a caller waits for it before it goes on. */
  get admitted(): Promise<void> {
    return this.#admitted;
  }

  /** Whether a sealed chunk of this size goes into the open pack, or the next. */
  fits(sizeBytes: number): boolean {
    return this.#pack?.fits(sizeBytes) ?? true;
  }

  /** Where a chunk is that was packed and is not in the index yet; by its name, or its key while its pack is open. */
  find(name: string): Place | undefined {
    return this.#open.get(name)?.place ?? this.#underWay.get(name);
  }

  /** Adds a sealed chunk; a pack without room for it is closed first. */
  add(key: Uint8Array, sealed: Uint8Array, name: () => string): Place {
    if (!this.fits(sealed.length)) this.close();
    this.#pack ??= new Pack(this.#storage.promise());
    const place = this.#pack.add(key, sealed);
    this.#open.set(toHex(key), { place, name });
    return place;
  }

  /** Closes the open pack, if there is one: from now on it has its id. */
  close(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    const { id, bytes } = pack.close(this.#paddingSecret);
    const chunks = [...this.#open.values()].map(({ place, name }) => ({ place, name: name() }));
    for (const { place, name } of chunks) this.#underWay.set(name, place);
    this.#pack = undefined;
    this.#open = new Map();
    const admitted = this.#storage.room.take(bytes.length);
    this.#admitted = admitted;
    admitted.catch(() => undefined);
    const stored = admitted
      .then(() => this.#storage.store(id, bytes, bytes.length))
      .then(() => {
        for (const { place, name } of chunks) {
          this.#index.set(name, locationOf(place));
          this.#underWay.delete(name);
        }
      });
    this.#storage.track(stored);
    pack.settle(stored);
  }
}
