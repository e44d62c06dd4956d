/** The walk of a scrub over a store's keys: both stores take it. */
import { hasCode, messageOf } from '../base/errors.js';
import { type Id, idPlusPowerOfTwo } from '../ring/identifier.js';
import { allKeys } from '../ring/key-range.js';
import { isAboutFile } from './disk-errors.js';
import type { ListedKey } from './sorted-ids.js';
import type { ScrubResult } from './store.js';

/** Keys that are listed at once. */
const pageKeys = 256;

/** What the walk asks of a store. */
export interface Scrubbed {
  /** As {@link Store.listKeys}. */
  readonly list: (from: Id, limit: number) => Promise<readonly ListedKey[]>;
  /** Bytes of a value; 0 when it is gone by now. */
  readonly sizeOf: (key: ListedKey) => number;
  /** Reads a value and checks it. @throws PeerStoreError DAMAGED after it was set aside. */
  readonly read: (key: ListedKey) => Promise<unknown>;
}

/** As {@link Store.scrub}. */
export async function scrubKeys(store: Scrubbed, from: Id, budgetBytes: number): Promise<ScrubResult> {
  const damaged: Id[] = [];
  const unreadable: { id: Id; reason: string }[] = [];
  let readBytes = 0;
  for (let next: Id = from; ;) {
    const page = await store.list(next, pageKeys);
    for (const key of page) {
      if (readBytes >= budgetBytes) return { next: key.id, readBytes, damaged, unreadable };
      readBytes += store.sizeOf(key);
      try {
        await store.read(key);
      } catch (error) {
        // One file must not keep the walk from all behind it.
        if (hasCode(error, 'DAMAGED')) damaged.push(key.id);
        else if (isAboutFile(error)) unreadable.push({ id: key.id, reason: messageOf(error) });
        else throw error;
      }
    }
    const last = page.at(-1)?.id;
    if (last === undefined || last === allKeys.last)
      return { next: undefined, readBytes, damaged, unreadable };
    next = idPlusPowerOfTwo(last, 0);
  }
}
