/**
 * Ranges of keys in the order of their numbers, both ends included. An arc of the ring is one range, or two where it goes
 * over zero.
 */
import { type Id, idPlusPowerOfTwo, idFromNumber, idToNumber, parseId } from './identifier.js';

/** All keys from `first` to `last`, both included. `first` is not above `last`. */
export interface KeyRange {
  readonly first: Id;
  readonly last: Id;
}

const lowest = parseId('0'.repeat(64));
const highest = parseId('f'.repeat(64));

/** All keys there are. */
export const allKeys: KeyRange = { first: lowest, last: highest };

/** The key behind one; undefined behind the last. */
export function keyAfter(key: Id): Id | undefined {
  return key >= highest ? undefined : idPlusPowerOfTwo(key, 0);
}

/** Whether a key lies in a range. */
export function isInRange(key: Id, { first, last }: KeyRange): boolean {
  return first <= key && key <= last;
}

/**
 * What a peer `upTo` with predecessor `after` is responsible for: (after, upTo]. The whole circle when both are the same.
 */
export function rangesOfArc(after: Id, upTo: Id): readonly KeyRange[] {
  if (after === upTo) return [allKeys];
  const first = idPlusPowerOfTwo(after, 0);
  if (first <= upTo) return [{ first, last: upTo }];
  return [
    { first: lowest, last: upTo },
    { first, last: highest },
  ];
}

/**
 * A range in `count` parts of about the same width, in order; fewer when it has fewer keys. What is cut where depends on
 * the range alone, so that two peers cut alike.
 */
export function partsOf({ first, last }: KeyRange, count: number): readonly KeyRange[] {
  const start = idToNumber(first);
  const keys = idToNumber(last) - start + 1n;
  const wanted = BigInt(count) < keys ? BigInt(count) : keys;
  const place = (at: bigint): bigint => start + (keys * at) / wanted;
  const parts: KeyRange[] = [];
  for (let at = 0n; at < wanted; at += 1n)
    parts.push({ first: idFromNumber(place(at)), last: idFromNumber(place(at + 1n) - 1n) });
  return parts;
}
