/**
 * Two holders of many keys that differ in a few: what it costs to find these. The comparison and the fingerprints are
 * those of production, and what is sent is packed as on the wire; nothing is waited for. `[KEYS] [DIFFERENCES]`.
 */
import { packValue, unpackValue } from '../../src/base/codec.js';
import { seededRandom } from '../../src/base/random.js';
import { answersOf, differences, type Side } from '../../src/node/repair/comparison.js';
import { idBytes, idFromBytes, type Id } from '../../src/ring/identifier.js';
import { allKeys, type KeyRange } from '../../src/ring/key-range.js';
import { Fingerprints } from '../../src/store/fingerprints.js';
import { digestBytes } from '../../src/store/items.js';
import type { HeldFingerprint, KeyItem } from '../../src/store/store.js';
import { methods } from '../../src/wire/catalogue.js';

const rounds = 5;
/** As many as the store on disk has. */
const fingerprintDigits = 4;

/** Keys in order, with the fingerprints that a store keeps of them. */
class Keys {
  readonly #items: readonly KeyItem[];
  readonly #prints = new Fingerprints(fingerprintDigits);

  constructor(items: readonly KeyItem[]) {
    this.#items = [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { id, digest } of this.#items) this.#prints.change(id, undefined, { digest, isHeld: true });
  }

  items(range: KeyRange, limit: number): Promise<readonly KeyItem[]> {
    return Promise.resolve(this.#in(range, limit));
  }

  fingerprint(range: KeyRange): Promise<HeldFingerprint> {
    const itemsIn = (part: KeyRange) =>
      this.#in(part, Infinity).map(({ digest }) => ({ digest, isHeld: true }));
    return Promise.resolve(this.#prints.of(range, itemsIn));
  }

  #in({ first, last }: KeyRange, limit: number): readonly KeyItem[] {
    const found: KeyItem[] = [];
    for (let at = this.#placeOf(first); found.length < limit; at += 1) {
      const item = this.#items[at];
      if (item === undefined || item.id > last) break;
      found.push(item);
    }
    return found;
  }

  #placeOf(id: Id): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#items[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Measures `bytes` (of headers, both ways), `questions` and `ms` (the median of some rounds, both sides on one core). */
export async function run(): Promise<Record<string, unknown>> {
  const [, , , ...sizes] = process.argv;
  const [keys = 1_000_000, differing = 10] = sizes.map(Number);
  const random = seededRandom(1);
  const item = (): KeyItem => ({
    id: idFromBytes(random.bytes(idBytes)),
    kind: 'block',
    digest: random.bytes(digestBytes),
  });
  const common = Array.from({ length: keys - differing }, item);
  const more = (count: number): KeyItem[] => Array.from({ length: count }, item);
  const own = new Keys([...common, ...more(Math.ceil(differing / 2))]);
  const theirs = new Keys([...common, ...more(Math.floor(differing / 2))]);
  const { request: asked, response: answered } = methods.compareRanges;
  let [bytes, questions, found] = [0, 0, 0];
  const side: Side = {
    compare: async (ranges) => {
      const request = packValue(asked, { ranges });
      const read = unpackValue(asked, request, 'request').ranges;
      const response = packValue(answered, { answers: await answersOf(theirs, read) });
      bytes += request.length + response.length;
      questions += 1;
      return unpackValue(answered, response, 'response').answers;
    },
  };
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    [bytes, questions, found] = [0, 0, 0];
    const startedMs = performance.now();
    for await (const difference of differences(own, [allKeys], [side], (_, error) => {
      throw error;
    })) {
      const mine = new Set(difference.own.map(({ id }) => id));
      const [other = []] = difference.theirs;
      if (typeof other === 'string') continue;
      const yours = new Set(other.map(({ id }) => id));
      found +=
        [...mine].filter((id) => !yours.has(id)).length + [...yours].filter((id) => !mine.has(id)).length;
    }
    times.push(performance.now() - startedMs);
  }
  if (found !== differing) throw new Error(`${found} differences were found, of ${differing}`);
  const ms = Math.round(times.sort((a, b) => a - b)[Math.floor(rounds / 2)]! * 10) / 10;
  return { keys, differences: differing, bytes, questions, ms, listBytes: keys * (idBytes + digestBytes) };
}
