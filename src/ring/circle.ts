/** Things that have a place on the ring, kept in the order of their identifiers, and walked in both directions. */
import type { Id } from './identifier.js';

export class Circle<T> {
  readonly #idOf: (item: T) => Id;
  readonly #items: T[] = [];
  /** Their places, so that looking for one touches nothing else. */
  readonly #ids: Id[] = [];

  /** @param idOf the place of an item; it never changes, and no two items have the same */
  constructor(idOf: (item: T) => Id) {
    this.#idOf = idOf;
  }

  get size(): number {
    return this.#items.length;
  }

  get(id: Id): T | undefined {
    const index = this.#indexOf(id);
    return this.#ids[index] === id ? this.#items[index] : undefined;
  }

  /** Adds an item whose place is free. @returns its number. */
  add(item: T): number {
    const id = this.#idOf(item);
    const number = this.#indexOf(id);
    this.#items.splice(number, 0, item);
    this.#ids.splice(number, 0, id);
    return number;
  }

  /** @returns what was there. */
  remove(id: Id): T | undefined {
    const index = this.#indexOf(id);
    if (this.#ids[index] !== id) return undefined;
    this.#ids.splice(index, 1);
    return this.#items.splice(index, 1)[0];
  }

  /** One of the items, by its number in the order of the identifiers. @param number from -1, which is the last one, to size, which is the first. */
  at(number: number): T | undefined {
    return this.#items[number === this.size ? 0 : number < 0 ? number + this.size : number];
  }

  /** The items before a place, nearest first, once round. An item at that place comes last. */
  *before(place: Id): Generator<T> {
    const from = this.#indexOf(place);
    yield* this.#read(from - 1, -1, 0);
    yield* this.#read(this.size - 1, -1, from);
  }

  /** The items behind a place, nearest first, once round. An item at that place comes last. */
  *after(place: Id): Generator<T> {
    const index = this.#indexOf(place);
    const from = this.#ids[index] === place ? index + 1 : index;
    yield* this.#read(from, 1, this.size - 1);
    yield* this.#read(0, 1, from - 1);
  }

  *#read(from: number, step: 1 | -1, to: number): Generator<T> {
    for (let index = from; step * (to - index) >= 0; index += step) {
      const item = this.#items[index];
      if (item !== undefined) yield item;
    }
  }

  /** How many items lie before `id` when they are read from zero on. */
  #indexOf(id: Id): number {
    let low = 0;
    let high = this.#ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const place = this.#ids[middle];
      if (place !== undefined && place < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The first items of a sequence. */
export function first<T>(count: number, items: Iterable<T>): T[] {
  const taken: T[] = [];
  if (count <= 0) return taken;
  for (const item of items) {
    taken.push(item);
    if (taken.length >= count) break;
  }
  return taken;
}
