/** What is on a disk of the simulated world, told at any moment and without waiting. */
import type { Id } from '../../src/ring/identifier.js';
import type { Store } from '../../src/store/store.js';

/** Told of every value that has got onto the disk, before it counts as held; a block has the number 0. */
export type OnKept = (id: Id, sequence: number, bytes: Uint8Array) => void;

export class Holdings {
  readonly #sequences = new Map<Id, number>();
  readonly #onKept: OnKept;

  constructor(onKept: OnKept) {
    this.#onKept = onKept;
  }

  /** The ids of the values that were kept. */
  get ids(): Iterable<Id> {
    return this.#sequences.keys();
  }

  /** The number of the record held under an id; 0 for a block, -1 when there is nothing. */
  sequenceOf(id: Id): number {
    return this.#sequences.get(id) ?? -1;
  }

  /** The same store, what is put into which is noted. */
  noting(store: Store): Store {
    return {
      ...bound(store),
      putBlock: async (id, bytes, owner, atMs) => {
        const answer = await store.putBlock(id, bytes, owner, atMs);
        this.#note(id, 0, bytes);
        return answer;
      },
      mergeBlock: async (id, state, bytes) => {
        const answer = await store.mergeBlock(id, state, bytes);
        // Bytes of what nobody owns any more are kept in the trash only.
        if (bytes !== undefined && (await store.getBlock(id)) !== undefined) this.#note(id, 0, bytes);
        return answer;
      },
      dropItem: async (item, options) => {
        const isGone = await store.dropItem(item, options);
        if (isGone) this.#sequences.delete(item.id);
        return isGone;
      },
      putRecord: async (record) => {
        await store.putRecord(record);
        this.#note(record.id, record.sequence, record.bytes);
      },
    };
  }

  #note(id: Id, sequence: number, bytes: Uint8Array): void {
    this.#onKept(id, sequence, bytes);
    this.#sequences.set(id, sequence);
  }
}

function bound(store: Store): Omit<Store, 'putBlock' | 'mergeBlock' | 'dropItem' | 'putRecord'> {
  return {
    getBlock: (id, options) => store.getBlock(id, options),
    trashedBytes: (id) => store.trashedBytes(id),
    blockInfo: (id) => store.blockInfo(id),
    touchBlocks: (ids, owner, atMs) => store.touchBlocks(ids, owner, atMs),
    releaseBlock: (id, owner, liveSetAtMs) => store.releaseBlock(id, owner, liveSetAtMs),
    emptyTrash: (trashedBeforeMs) => store.emptyTrash(trashedBeforeMs),
    getRecord: (id) => store.getRecord(id),
    listKeys: (from, limit) => store.listKeys(from, limit),
    fingerprint: (range) => store.fingerprint(range),
    items: (range, limit) => store.items(range, limit),
    itemOf: (id, kind) => store.itemOf(id, kind),
    holdsItem: (item) => store.holdsItem(item),
    blockStates: (ids) => store.blockStates(ids),
    scrub: (from, budgetBytes) => store.scrub(from, budgetBytes),
    lookAtDisk: () => store.lookAtDisk(),
    usedBytes: (owner) => store.usedBytes(owner),
    stats: () => store.stats(),
    close: () => store.close(),
  };
}
