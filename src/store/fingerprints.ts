/**
 * Fingerprints of ranges, cheap for a million keys: along with every change, the keys are counted, those held among them as
 * well, and their digests summed up, in buckets of equal width. A range is then the buckets that lie in it as a whole, and
 * the items of the two at its ends, which are looked up.
 */
import { asBuffer } from '../base/bytes.js';
import { assert } from '../base/errors.js';
import { type Id, idBytes } from '../ring/identifier.js';
import type { KeyRange } from '../ring/key-range.js';
import { digestBytes } from './items.js';
import type { HeldFingerprint } from './store.js';

const wordsOfSum = digestBytes / 4;

/** What counts of an item. */
export interface CountedItem {
  readonly digest: Uint8Array;
  /** Whether its value is held; it is not where a block lies in the trash or is gone. */
  readonly isHeld: boolean;
}

/** The fingerprint of some items. */
export function fingerprintOf(items: Iterable<CountedItem>): HeldFingerprint {
  const words = new Uint32Array(wordsOfSum);
  let count = 0;
  let held = 0;
  for (const { digest, isHeld } of items) {
    addTo(words, 0, digest);
    count += 1;
    held += Number(isHeld);
  }
  return { count, sum: bytesOf(words), held };
}

export class Fingerprints {
  readonly #digits: number;
  readonly #counts: Uint32Array;
  readonly #heldCounts: Uint32Array;
  readonly #words: Uint32Array;

  /** @param digits hexadecimal digits of an id that say its bucket: each bucket takes 24 bytes */
  constructor(digits: number) {
    this.#digits = digits;
    this.#counts = new Uint32Array(16 ** digits);
    this.#heldCounts = new Uint32Array(16 ** digits);
    this.#words = new Uint32Array(16 ** digits * wordsOfSum);
  }

  /** Counts a key's change from one item to the next; undefined is: not there. */
  change(id: Id, before: CountedItem | undefined, after: CountedItem | undefined): void {
    const bucket = this.#bucketOf(id);
    const count = (this.#counts[bucket] ?? 0) + Number(after !== undefined) - Number(before !== undefined);
    const held =
      (this.#heldCounts[bucket] ?? 0) + Number(after?.isHeld ?? false) - Number(before?.isHeld ?? false);
    assert(count >= 0 && held >= 0, 'a range holds no less than nothing');
    this.#counts[bucket] = count;
    this.#heldCounts[bucket] = held;
    if (before !== undefined) addTo(this.#words, bucket * wordsOfSum, before.digest);
    if (after !== undefined) addTo(this.#words, bucket * wordsOfSum, after.digest);
  }

  /**
   * The fingerprint of a range.
   * @param itemsIn all items of a narrow range, in any order
   */
  of(range: KeyRange, itemsIn: (part: KeyRange) => Iterable<CountedItem>): HeldFingerprint {
    const words = new Uint32Array(wordsOfSum);
    const [first, last] = [this.#bucketOf(range.first), this.#bucketOf(range.last)];
    let count = 0;
    let held = 0;
    for (let bucket = first; bucket <= last; bucket += 1) {
      const countOfBucket = this.#counts[bucket] ?? 0;
      if (countOfBucket === 0) continue;
      const part = bucket === first || bucket === last ? this.#partOf(range, bucket) : undefined;
      if (part === undefined) {
        count += countOfBucket;
        held += this.#heldCounts[bucket] ?? 0;
        for (let at = 0; at < wordsOfSum; at += 1) addWord(words, at, this.#words[bucket * wordsOfSum + at]);
        continue;
      }
      for (const { digest, isHeld } of itemsIn(part)) {
        count += 1;
        held += Number(isHeld);
        addTo(words, 0, digest);
      }
    }
    return { count, sum: bytesOf(words), held };
  }

  #bucketOf(id: Id): number {
    return parseInt(id.slice(0, this.#digits), 16);
  }

  /** What of a range lies in a bucket; undefined when that is the whole bucket. */
  #partOf(range: KeyRange, bucket: number): KeyRange | undefined {
    const prefix = bucket.toString(16).padStart(this.#digits, '0');
    const start = prefix.padEnd(2 * idBytes, '0') as Id;
    const end = prefix.padEnd(2 * idBytes, 'f') as Id;
    if (range.first <= start && end <= range.last) return undefined;
    return {
      first: range.first > start ? range.first : start,
      last: range.last < end ? range.last : end,
    };
  }
}

function addTo(words: Uint32Array, offset: number, digest: Uint8Array): void {
  const bytes = asBuffer(digest);
  for (let at = 0; at < wordsOfSum; at += 1) addWord(words, offset + at, bytes.readUInt32BE(4 * at));
}

function addWord(words: Uint32Array, at: number, word = 0): void {
  words[at] = (words[at] ?? 0) ^ word;
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = Buffer.alloc(digestBytes);
  words.forEach((word, at) => bytes.writeUInt32BE(word, 4 * at));
  return bytes;
}
