/**
 * In what several holders of the same keys differ, found without listing the keys: range-based set reconciliation
 * (Aljoscha Meyer, "Range-Based Set Reconciliation", SRDS 2023).
 *
 * A range of keys that has the same fingerprint on both sides is the same. One that has not is cut into parts, and each of
 * them compared, until a side has so few keys in it that it lists them. So a million keys with ten differences cost five
 * rounds of questions and some kilobytes, and two sides that hold the same cost one question.
 *
 * The peer that asks goes down all sides in step: then it sees at one moment who has which copy of a key, and knows how
 * many there are.
 */
import { bytesEqual } from '../../base/bytes.js';
import type { Clock } from '../../base/clock.js';
import { PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { isInRange, type KeyRange, partsOf } from '../../ring/key-range.js';
import type { KeyItem, RangeFingerprint, Store } from '../../store/store.js';
import type { ResponseOf } from '../../wire/catalogue.js';

/** A range, and what the asking side has in it. */
export interface MarkedRange extends KeyRange, RangeFingerprint {}

/** What a side has in a range: the same, or other parts (as partsOf cuts it), or these items, which are all. */
export type RangeAnswer = ResponseOf<'compareRanges'>['answers'][number];

/** What a store answers to somebody who compares these ranges with its own. */
export function answersOf(
  store: Pick<Store, 'fingerprint' | 'items'>,
  ranges: readonly MarkedRange[],
): Promise<readonly RangeAnswer[]> {
  return Promise.all(
    ranges.map(async (range): Promise<RangeAnswer> => {
      const own = await store.fingerprint(range);
      if (isSame(own, range)) return { kind: 'same' };
      const parts = partsOf(range, limits.partsOfRange);
      if (own.count > limits.itemsOfRange && parts.length > 1)
        return { kind: 'parts', parts: await Promise.all(parts.map((part) => store.fingerprint(part))) };
      return { kind: 'items', items: await store.items(range, limits.itemsOfRange) };
    }),
  );
}

/** One of those that are compared with the own store. */
export interface Side {
  /** @throws PeerStoreError when it cannot be asked. */
  compare(ranges: readonly MarkedRange[]): Promise<readonly RangeAnswer[]>;
}

/**
 * A side that is waited for no longer than so, all its answers taken together: one that answers late, and with ever more
 * parts, would hold up what is found out about the others. How many ranges it may be asked about is no bound for that, nor
 * would be one that follows from its counts: it may say any.
 * @param budgetMs beyond this compare throws TIMEOUT, without asking
 */
export function waitedFor(side: Side, clock: Clock, budgetMs: number): Side {
  let waitedMs = 0;
  return {
    compare: async (ranges) => {
      if (waitedMs >= budgetMs)
        throw new PeerStoreError('TIMEOUT', `comparing keys takes this holder longer than ${budgetMs} ms`);
      const fromMs = clock.monotonicMs();
      try {
        return await side.compare(ranges);
      } finally {
        waitedMs += clock.monotonicMs() - fromMs;
      }
    },
  };
}

/** What a side has where something differs; `same` when it has what the own store has, `lost` when it cannot be asked. */
export type Theirs = readonly KeyItem[] | 'same' | 'lost';

/** A range in which somebody has something else than the own store. */
export interface Difference {
  readonly own: readonly KeyItem[];
  /** For each side, in their order. */
  readonly theirs: readonly Theirs[];
}

/** What is known of a side in a range: all of it, or its fingerprint, or nothing yet. */
type Known = Theirs | RangeFingerprint | 'unknown';

interface Place {
  readonly range: KeyRange;
  readonly known: readonly Known[];
}

/**
 * Compares the own store with others, and yields where something differs. Keys that change meanwhile may be missed: the
 * next comparison finds them.
 * @param onLost told of a side that could not be asked, or answered nonsense; it is not asked again
 */
export async function* differences(
  store: Pick<Store, 'fingerprint' | 'items'>,
  ranges: readonly KeyRange[],
  sides: readonly Side[],
  onLost: (side: number, error: unknown) => void,
): AsyncGenerator<Difference> {
  const lost = new Set<number>();
  const asked = sides.map(() => 0);
  const waiting: Place[] = ranges.map((range) => ({ range, known: sides.map(() => 'unknown') }));
  while (waiting.length > 0) {
    // The last ones first: so there are never more of them than a few ways down have parts.
    const places = await Promise.all(
      waiting.splice(-limits.comparedRanges).map(async (place) => ({
        ...place,
        own: await store.fingerprint(place.range),
        parts: partsOf(place.range, limits.partsOfRange),
      })),
    );
    const learnt = await Promise.all(
      sides.map(async (side, at): Promise<readonly (Theirs | readonly RangeFingerprint[])[]> => {
        try {
          if (!lost.has(at)) {
            asked[at] = (asked[at] ?? 0) + places.length;
            if (asked[at] <= limits.rangesAsked) return await learn(side, at, places);
            throw new PeerStoreError('PROTOCOL', 'a comparison of keys comes to no end');
          }
        } catch (error) {
          lost.add(at);
          onLost(at, error);
        }
        return places.map(() => 'lost');
      }),
    );
    for (const [at, { range, own, parts }] of places.entries()) {
      const found = learnt.map((ofSide) => ofSide[at] ?? 'lost');
      if (found.every((one) => one === 'same' || one === 'lost')) continue;
      const listed = found.filter(isListed);
      if (listed.length === found.length && (own.count <= limits.windowItems || parts.length === 1)) {
        yield { own: await store.items(range, limits.windowItems), theirs: listed };
      } else {
        for (const [index, part] of parts.entries())
          waiting.push({ range: part, known: found.map((one) => inPart(one, part, index)) });
      }
    }
  }
}

interface MarkedPlace extends Place {
  readonly own: RangeFingerprint;
  readonly parts: readonly KeyRange[];
}

/** Asks a side about those places of which not all is known. */
async function learn(
  side: Side,
  at: number,
  places: readonly MarkedPlace[],
): Promise<readonly (Theirs | readonly RangeFingerprint[])[]> {
  const before = places.map(({ known, own }): Theirs | 'unknown' => {
    const one = known[at] ?? 'unknown';
    if (typeof one === 'string' || isList(one)) return one;
    return isSame(one, own) ? 'same' : 'unknown';
  });
  const open = places.filter((_, index) => before[index] === 'unknown');
  const answers =
    open.length === 0 ? [] : await side.compare(open.map(({ range, own }) => ({ ...range, ...own })));
  const fresh = new Map(open.map((place, index) => [place, contentOf(answers[index], place)]));
  return places.map((place, index) => {
    const one = before[index];
    return one === undefined || one === 'unknown' ? (fresh.get(place) ?? 'lost') : one;
  });
}

/** @throws PeerStoreError PROTOCOL when that is no answer to the question. */
function contentOf(
  answer: RangeAnswer | undefined,
  { range, parts }: MarkedPlace,
): Theirs | readonly RangeFingerprint[] {
  const { kind, parts: prints, items } = answer ?? {};
  if (kind === 'same') return 'same';
  if (kind === 'parts' && prints?.length === parts.length && isWorthCutting(prints)) return prints;
  if (kind === 'items' && items?.every(({ id }) => isInRange(id, range)) === true) return items;
  throw new PeerStoreError('PROTOCOL', 'a comparison of keys was answered with something else');
}

/** Whether there are more keys than are listed otherwise. */
function isWorthCutting(parts: readonly RangeFingerprint[]): boolean {
  return parts.length > 1 && parts.reduce((sum, { count }) => sum + count, 0) > limits.itemsOfRange;
}

/** What is known of a side in one part of a range. */
function inPart(found: Theirs | readonly RangeFingerprint[], part: KeyRange, index: number): Known {
  if (typeof found === 'string') return found;
  if (isCut(found)) return found[index] ?? 'unknown';
  return found.filter(({ id }) => isInRange(id, part));
}

function isListed(found: Theirs | readonly RangeFingerprint[]): found is Theirs {
  return !isCut(found);
}

function isCut(found: Theirs | readonly RangeFingerprint[]): found is readonly RangeFingerprint[] {
  const [first] = found;
  return typeof first === 'object' && 'sum' in first;
}

function isList(known: Known): known is readonly KeyItem[] {
  return Array.isArray(known);
}

function isSame(a: RangeFingerprint, b: RangeFingerprint): boolean {
  return a.count === b.count && bytesEqual(a.sum, b.sum);
}
