/** How evenly keys fall on peers, with and without virtual nodes: ToN 2003, section on load balance. */
import { seededRandom } from '../../../src/base/random.js';
import { Tally } from '../figures.js';
import { IdealRing } from '../ideal-ring.js';
import { hashToId } from '../../../src/ring/identifier.js';

export interface LoadFigures {
  readonly keysMean: number;
  readonly keysP1: number;
  readonly keysP99: number;
}

/**
 * Throws keys at a ring of `peers` machines with `virtualNodes` places each.
 * @returns keys a machine, as mean and percentiles
 */
export function load(seed: number, peers: number, keys: number, virtualNodes: number): LoadFigures {
  const random = seededRandom(seed);
  const ring = new IdealRing(peers * virtualNodes, 1, random);
  // Ids are hashes: which places belong to one machine is as random as any choice.
  const machineOf = new Map(ring.peers.map(({ id }) => id).map((id) => [id, 0]));
  const places = [...machineOf.keys()];
  for (let at = places.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [places[at], places[other]] = [places[other]!, places[at]!];
  }
  for (const [at, id] of places.entries()) machineOf.set(id, at % peers);
  const held = new Array<number>(peers).fill(0);
  for (let key = 0; key < keys; key += 1) {
    const owner = ring.owner(hashToId(random.bytes(32)))!;
    held[machineOf.get(owner.id)!]! += 1;
  }
  const tally = new Tally();
  for (const count of held) tally.add(count);
  return { keysMean: tally.mean, keysP1: tally.percentile(0.01), keysP99: tally.percentile(0.99) };
}
