/**
 * How evenly keys fall on peers, with and without virtual nodes: ToN 2003, section on load balance.
 *
 * **Equal peers.** A machine with V places in a ring of N machines is responsible for a share of the circle that is
 * distributed as Beta(V, VN - V): for large N, as Gamma(V) with mean 1/N. The keys that fall into a share are a Poisson
 * number. So keys a machine are negative binomial with shape V, and the percentiles are exact: a hash that spreads
 * evenly can do neither better nor worse. As many machines have to lie below them as that says, but for what chance does
 * once in a million times. Three of the published
 * 99th percentiles (for 5, 10 and 20 places) lie below them, by more than chance with 10^4 machines; they stand beside.
 *
 * **Unequal peers.** Machines offer from 250 GB to 8 TB and have places in proportion. A machine holds what falls into
 * the arcs of which it is one of the holders, chosen as in production. Blocks are small beside a disk (the smallest disk
 * has room for 30,000 of the largest), so the bytes in an arc are in proportion to its length, and no keys are drawn.
 * The *used share* of a machine is what it holds by what it offers, as a multiple of the whole ring's: a ring that is
 * full to 1/max has a peer that is full.
 *
 * Places and keys are numbers of 53 bits, as if the first ones of a hash: that tells 10^6 of them apart.
 *
 * `--peers` machines, `--steps` keys, `--vnodes` places of each machine, or of each TB that it offers.
 */
import { limits } from '../../../src/base/limits.js';
import { type Random, randomFraction, seededRandom } from '../../../src/base/random.js';
import { holderOrder } from '../../../src/node/placement.js';
import { peerAt } from '../../ring/fixtures.js';
import { percentileOf } from '../figures.js';
import { publishedLoads } from '../published.js';
import type { CommonOptions, Scenario } from '../scenario.js';
import { StaticReport } from '../static-report.js';

const TB = 1e12;
const smallestCapacityBytes = 0.25 * TB;
const largestCapacityBytes = 8 * TB;
/** Places of a TB: the most with which the largest peer's fit its certificate, and less. */
const placesOfTb = [1, 2, 4, 8];
const copies = 3;
/** What happens less often than this does not happen by chance: about five standard errors. */
const chanceMin = 1e-6;

export const load = {
  summary: 'keys a peer by virtual nodes, and how full unequal peers become',
  own: { vnodes: undefined },
  draw: (random) => ({
    peers: 100 + random.below(400),
    steps: 10_000 + random.below(40_000),
    vnodes: 1 + random.below(10),
  }),
  run({ seed, peers = 10_000, steps = 1_000_000, vnodes }: CommonOptions & { readonly vnodes?: number }) {
    if (vnodes !== undefined && (vnodes < 1 || !Number.isInteger(vnodes))) {
      throw new RangeError('--vnodes is a whole number from 1');
    }
    const report = new StaticReport('load', { seed, peers, steps });
    const random = seededRandom(seed);
    for (const places of vnodes === undefined ? publishedLoads.map((line) => line.vnodes) : [vnodes]) {
      measureEqual(report, random, { machines: peers, keys: steps, places });
    }
    const capacities = Array.from({ length: peers }, () => drawCapacity(random));
    report.row('unequal', { placesOfTb: 0, ...usedShares(capacities, () => 1, random) });
    for (const ofTb of vnodes === undefined ? placesOfTb : [vnodes]) {
      const shares = usedShares(capacities, (capacityBytes) => placesFor(capacityBytes, ofTb), random);
      report.row('unequal', { placesOfTb: ofTb, ...shares });
      report.note(`unequal ${ofTb} ${JSON.stringify(shares)}`);
    }
    return Promise.resolve(report.outcome());
  },
} satisfies Scenario;

/**
 * How many places on the ring a capacity has, from 1 to what a certificate carries. It is here, and not in
 * src/node/placement.ts, as long as production gives every peer one.
 */
export function placesFor(capacityBytes: number, ofTb: number): number {
  return Math.min(limits.certificateNonces, Math.max(1, Math.round((capacityBytes / TB) * ofTb)));
}

function measureEqual(
  report: StaticReport,
  random: Random,
  { machines, keys, places }: { readonly machines: number; readonly keys: number; readonly places: number },
): void {
  const ring = drawRing(new Array<number>(machines).fill(places), random);
  const held = new Uint32Array(machines);
  for (let key = 0; key < keys; key += 1) {
    const machine = ring.machines[ownerOf(ring.places, randomPlace(random))]!;
    held[machine] = held[machine]! + 1;
  }
  report.note(`keys ${places} ${held.join(' ')}`);
  held.sort();
  const mean = keys / machines;
  const expected = [0.01, 0.99].map((share) => negativeBinomial(places, mean, share));
  const found = [0.01, 0.99].map((share) => percentileOf(held, share));
  for (const { percentile, upTo } of expected) {
    const below = held.filter((count) => count <= percentile).length;
    report.expect(
      chanceOf(below, machines, upTo) >= chanceMin,
      'keys fall evenly',
      `${below} of ${machines} machines with ${places} places have at most ${percentile} keys, and not ${(upTo * machines).toFixed(1)}`,
    );
  }
  const published = publishedLoads.find(({ vnodes }) => vnodes === places);
  report.row('equal', {
    vnodes: places,
    keysMean: mean,
    keysP1: found[0]!,
    keysP99: found[1]!,
    evenP1: expected[0]!.percentile,
    evenP99: expected[1]!.percentile,
    ...(published === undefined ? {} : { publishedP1: published.p1, publishedP99: published.p99 }),
  });
}

/** Log-uniform: as many machines from 250 to 500 GB as from 4 to 8 TB. */
function drawCapacity(random: Random): number {
  return smallestCapacityBytes * (largestCapacityBytes / smallestCapacityBytes) ** randomFraction(random);
}

/** What machines hold by what they offer, as multiples of the ring's mean. */
function usedShares(
  capacities: readonly number[],
  placesOf: (capacityBytes: number) => number,
  random: Random,
): Readonly<Record<'places' | 'usedP1' | 'usedP50' | 'usedP99' | 'usedMax', number>> {
  const { places, machines } = drawRing(capacities.map(placesOf), random);
  const refs = capacities.map((_, machine) => peerAt(machine));
  const machineOf = new Map(refs.map(({ machine }, at) => [machine, at]));
  const held = new Float64Array(capacities.length);
  for (const [at, place] of places.entries()) {
    const arc = (place - places.at(at - 1)! + 1) % 1;
    const candidates = Array.from(
      { length: Math.min(limits.successorListLength + 1, places.length) },
      (_, behind) => refs[machines[(at + behind) % machines.length]!]!,
    );
    for (const { machine } of holderOrder(candidates).slice(0, copies)) {
      const holder = machineOf.get(machine)!;
      held[holder] = held[holder]! + arc;
    }
  }
  const total = capacities.reduce((sum, capacity) => sum + capacity, 0);
  const heldTotal = held.reduce((sum, share) => sum + share, 0);
  const used = held.map((share, at) => share / heldTotal / (capacities[at]! / total)).sort();
  const rounded = (value: number): number => Math.round(value * 1000) / 1000;
  return {
    places: places.length,
    usedP1: rounded(percentileOf(used, 0.01)),
    usedP50: rounded(percentileOf(used, 0.5)),
    usedP99: rounded(percentileOf(used, 0.99)),
    usedMax: rounded(used.at(-1) ?? 0),
  };
}

interface PlacesOfMachines {
  /** From 0 to below 1, in order. */
  readonly places: Float64Array;
  /** The machine at each of them. */
  readonly machines: Uint32Array;
}

/** Places are hashes: which of them belong to one machine is as random as any choice. */
function drawRing(placesOf: readonly number[], random: Random): PlacesOfMachines {
  const machines = Uint32Array.from(
    placesOf.flatMap((count, machine) => new Array<number>(count).fill(machine)),
  );
  for (let at = machines.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [machines[at], machines[other]] = [machines[other]!, machines[at]!];
  }
  const places = Float64Array.from(machines, () => randomPlace(random)).sort();
  return { places, machines };
}

function randomPlace(random: Random): number {
  return (random.below(2 ** 21) * 2 ** 32 + random.below(2 ** 32)) / 2 ** 53;
}

/** The first place at or after a key, in (pred, self] as everywhere on the ring. */
function ownerOf(places: Float64Array, key: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low % places.length;
}

/**
 * The smallest number that at least `share` of a negative binomial distribution does not exceed, and how much of it does
 * not. @param shape of the gamma distribution whose value is the mean of a Poisson number
 */
function negativeBinomial(
  shape: number,
  mean: number,
  share: number,
): { readonly percentile: number; readonly upTo: number } {
  let probability = (shape / (shape + mean)) ** shape;
  let upTo = probability;
  let percentile = 0;
  while (upTo < share) {
    percentile += 1;
    probability *= ((shape + percentile - 1) / percentile) * (mean / (shape + mean));
    upTo += probability;
  }
  return { percentile, upTo };
}

/** How likely it is that of `draws` as many hit or more, or as many or fewer, whichever is less likely. */
export function chanceOf(hits: number, draws: number, probability: number): number {
  let logTerm = draws * Math.log1p(-probability);
  let atMost = 0;
  let below = 0;
  for (let count = 0; count <= hits; count += 1) {
    below = atMost;
    atMost += Math.exp(logTerm);
    logTerm += Math.log((draws - count) / (count + 1)) + Math.log(probability / (1 - probability));
  }
  return Math.min(atMost, 1 - below);
}
