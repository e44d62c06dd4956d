/**
 * A share of the peers dies at one moment and nothing is repaired: ToN 2003, table II. Successor lists, fingers and caches
 * still name the dead ones; a lookup finds out by asking. static-lookups.ts says what a path and a timeout count; the
 * published path and timeouts count the same.
 *
 * Each share is measured in ten rings, and twice, with the same dead peers and the same lookups: with `fingers` and lists, as
 * in the paper, and with a cache (`cached`) that was full before. No lookup fails, and paths and timeouts are at most the published ones,
 * with and without a cache. The common fields are those of `fingers` and the largest share, and `lookups` and `failed` those
 * of all.
 *
 * The protocol assumes that everybody keeps a living successor. Of half of the peers dead, one ring in 2,000 leaves somebody
 * none, and keys that nobody living points to; then other peers are chosen.
 *
 * `--fraction` for one share, from 0 to below 1; `--peers` of each ring, `--steps` lookups for each share.
 */
import { type Random, randomFraction, seededRandom } from '../../../src/base/random.js';
import type { Id } from '../../../src/ring/identifier.js';
import { IdealRing } from '../ideal-ring.js';
import { PeerCaches } from '../peer-caches.js';
import { publishedFailures } from '../published.js';
import { type CommonOptions, LookupFigures, type Scenario } from '../scenario.js';
import { runLookups } from '../static-lookups.js';
import { type LookupCosts, StaticReport } from '../static-report.js';

const publishedPeers = 1000;
/** One ring differs from the next, by how its dead lie: timeouts by a twelfth. Together they are good to a few hundredths. */
const ringCount = 10;
/** Entries of a successor list, as in the paper: 2 log2 of the peers. */
const listLength = 20;
/** Up to here the ring is held against the paper; beyond, many lists are dead as a whole. */
const largestFraction = 0.5;

export const fail = {
  summary: 'a share of the peers dead at once, nothing repaired, beside ToN table II',
  own: { fraction: undefined },
  draw: (random) => ({
    peers: 20 + random.below(200),
    steps: 200,
    fraction: largestFraction * randomFraction(random),
  }),
  async run({
    seed,
    peers = publishedPeers,
    steps = 10_000,
    fraction,
  }: CommonOptions & { readonly fraction?: number }) {
    if (fraction !== undefined && fraction >= 1) throw new RangeError('--fraction is below 1');
    const report = new StaticReport('fail', { seed, peers, steps });
    const random = seededRandom(seed);
    const rings = Array.from({ length: ringCount }, () => new IdealRing(peers, listLength, random));
    const cachesOf = new Map(rings.map((ring) => [ring, new PeerCaches(ring, random)]));
    for (const share of fraction === undefined
      ? publishedFailures.map((line) => line.fraction)
      : [fraction]) {
      const seeds = rings.map(() => random.below(2 ** 32));
      const measure = async (isCached: boolean): Promise<LookupCosts> => {
        const figures = new LookupFigures();
        for (const [at, ring] of rings.entries()) {
          const chance = seededRandom(seeds[at]!);
          const dead = choose(ring, share, chance);
          await runLookups({
            ring,
            random: chance,
            count: Math.ceil(steps / ringCount),
            isAlive: (id) => !dead.has(id),
            caches: isCached ? cachesOf.get(ring) : undefined,
            report,
            figures,
          });
        }
        return report.condition(figures);
      };
      const cached = await measure(true);
      const fingers = await measure(false);
      judge(report, { peers, fraction: share }, { fingers, cached });
    }
    return report.outcome();
  },
} satisfies Scenario;

/** Peers that are dead: exactly their share, drawn again where a living peer would be left without a living successor. */
function choose(ring: IdealRing, share: number, random: Random): ReadonlySet<Id> {
  for (;;) {
    const dead = new Set<Id>();
    const wanted = Math.round(share * ring.peers.length);
    while (dead.size < wanted) dead.add(ring.peers[random.below(ring.peers.length)]!.id);
    if (share > largestFraction || longestRun(ring, dead) < listLength) return dead;
  }
}

/** The most dead peers that stand behind each other. */
function longestRun({ peers }: IdealRing, dead: ReadonlySet<Id>): number {
  let longest = 0;
  let run = 0;
  // Twice round: a run may lie across the end.
  for (const { id } of [...peers, ...peers]) {
    run = dead.has(id) ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

function judge(
  report: StaticReport,
  { peers, fraction }: { readonly peers: number; readonly fraction: number },
  costs: Readonly<Record<'fingers' | 'cached', LookupCosts>>,
): void {
  const { fingers, cached } = costs;
  const published =
    peers === publishedPeers ? publishedFailures.find((line) => line.fraction === fraction) : undefined;
  for (const [name, { failed, pathMean, timeoutsMean }] of Object.entries(costs)) {
    const where = `with ${100 * fraction}% of ${peers} peers dead, ${name}`;
    if (fraction <= largestFraction) report.expectAtMost(failed, 0, 'the living owner is found', where);
    if (published === undefined) continue;
    report.expectAtMost(pathMean, published.path, 'the mean path is at most the published one', where);
    report.expectAtMost(timeoutsMean, published.timeouts, 'timeouts are at most the published ones', where);
  }
  report.row('fractions', {
    fraction,
    failed: fingers.failed,
    fingersPath: fingers.pathMean,
    fingersTimeouts: fingers.timeoutsMean,
    cachedFailed: cached.failed,
    cachedPath: cached.pathMean,
    cachedTimeouts: cached.timeoutsMean,
    ...(published === undefined
      ? {}
      : { publishedPath: published.path, publishedTimeouts: published.timeouts }),
  });
}
