/** A set of ids in order. Adding moves what lies behind: fine for tens of thousands, as records and simulators have. */
import type { Id } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';

export class SortedIds {
  readonly #ids: Id[] = [];

  add(id: Id): void {
    const at = this.#placeOf(id);
    if (this.#ids[at] !== id) this.#ids.splice(at, 0, id);
  }

  delete(id: Id): void {
    const at = this.#placeOf(id);
    if (this.#ids[at] === id) this.#ids.splice(at, 1);
  }

  /** The ids from `from` on, at most `limit`. */
  from(from: Id, limit: number): readonly Id[] {
    const at = this.#placeOf(from);
    return this.#ids.slice(at, at + limit);
  }

  /** The ids of a range, at most `limit`. */
  within({ first, last }: KeyRange, limit: number): readonly Id[] {
    const end = this.#placeOf(last);
    const at = this.#placeOf(first);
    return this.#ids.slice(at, Math.min(at + limit, this.#ids[end] === last ? end + 1 : end));
  }

  /** Where the first id stands that is not below this one. */
  #placeOf(id: Id): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#ids[middle];
      if (other !== undefined && other < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A key with the kind of what it names. */
export interface ListedKey {
  readonly id: Id;
  readonly kind: 'block' | 'record';
}

/** Blocks and records, each in order, as one list in order of at most `limit`. */
export function mergeKeys(
  blocks: readonly Id[],
  records: readonly Id[],
  limit: number,
): readonly ListedKey[] {
  const keys: ListedKey[] = [];
  let block = 0;
  let record = 0;
  while (keys.length < limit) {
    const nextBlock = blocks[block];
    const nextRecord = records[record];
    if (nextBlock !== undefined && (nextRecord === undefined || nextBlock <= nextRecord)) {
      keys.push({ id: nextBlock, kind: 'block' });
      block += 1;
    } else if (nextRecord !== undefined) {
      keys.push({ id: nextRecord, kind: 'record' });
      record += 1;
    } else break;
  }
  return keys;
}
