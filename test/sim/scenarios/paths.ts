/**
 * How long lookups are in rings of 8 to 16,384 peers: SIGCOMM 2001, figure 10a. static-lookups.ts says what a path counts.
 *
 * Each ring is measured three times, with the same peers and the same lookups:
 * - `plain`: fingers, each with a stand-in, and one successor, which is next to what the paper has;
 * - `fingers`: fingers and successor lists, as in production;
 * - `cached`: a cache of peers met beside them. A ring that fits the cache takes one hop, a larger one fewer than with
 *   fingers.
 *
 * Mean and 99th percentile are at most the published ones in all three. The common fields are those of `fingers` in the
 * largest ring, and `lookups` and `failed` those of all.
 *
 * `--peers` for one ring, `--steps` lookups in each.
 */
import { limits } from '../../../src/base/limits.js';
import { seededRandom } from '../../../src/base/random.js';
import { IdealRing } from '../ideal-ring.js';
import { PeerCaches } from '../peer-caches.js';
import { publishedPaths } from '../published.js';
import { type CommonOptions, LookupFigures, type Scenario } from '../scenario.js';
import { runLookups } from '../static-lookups.js';
import { type LookupCosts, StaticReport } from '../static-report.js';

export const paths = {
  summary: 'path lengths with fingers, and with the peer cache, beside SIGCOMM figure 10a',
  own: {},
  // Not the published sizes: so few lookups are too few to hold their mean against a published one.
  draw: (random) => ({ peers: 2 * random.below(200) + 1, steps: 200 }),
  async run({ seed, peers, steps = 4000 }: CommonOptions) {
    const sizes = peers === undefined ? publishedPaths.map((line) => line.peers) : [peers];
    const report = new StaticReport('paths', { seed, peers: Math.max(...sizes), steps });
    for (const size of sizes) {
      const measure = async (ring: IdealRing, caches?: PeerCaches): Promise<LookupCosts> => {
        const figures = new LookupFigures();
        await runLookups({ ring, caches, random: seededRandom(seed), count: steps, report, figures });
        return report.condition(figures);
      };
      const bare = new IdealRing(size, 1, seededRandom(seed));
      const random = seededRandom(seed);
      const ring = new IdealRing(size, limits.successorListLength, random);
      const plain = await measure(bare);
      const cached = await measure(ring, new PeerCaches(ring, random));
      const fingers = await measure(ring);
      judge(report, size, { plain, fingers, cached });
    }
    return report.outcome();
  },
} satisfies Scenario;

function judge(
  report: StaticReport,
  peers: number,
  costs: Readonly<Record<'plain' | 'fingers' | 'cached', LookupCosts>>,
): void {
  const { plain, fingers, cached } = costs;
  const published = publishedPaths.find((line) => line.peers === peers);
  for (const [name, { failed, pathMean, pathP99 }] of Object.entries(costs)) {
    const where = `in a ring of ${peers}, ${name}`;
    report.expectAtMost(failed, 0, 'the owner is found', where);
    if (published === undefined) continue;
    report.expectAtMost(pathMean, published.mean, 'the mean path is at most the published one', where);
    report.expectAtMost(pathP99, published.p99, 'the 99th percentile is at most the published one', where);
  }
  const fits = peers - 1 <= limits.knownPeers;
  const where = `in a ring of ${peers}, cached`;
  report.expectAtMost(cached.pathMean, fits ? 1 : fingers.pathMean, 'the cache makes paths shorter', where);
  report.expectAtMost(cached.pathP99, fits ? 1 : fingers.pathP99, 'the cache makes paths shorter', where);
  report.row('rings', {
    peers,
    plainMean: plain.pathMean,
    plainP99: plain.pathP99,
    fingersMean: fingers.pathMean,
    fingersP99: fingers.pathP99,
    cachedMean: cached.pathMean,
    cachedP99: cached.pathP99,
    ...(published === undefined ? {} : { publishedMean: published.mean, publishedP99: published.p99 }),
  });
}
