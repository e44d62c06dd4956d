/**
 * Peers come and go all the time, none of them in good order, and lookups go on: beside ToN 2003, table III (about 1,000
 * peers, stabilization every 15 to 45 seconds, R joins and as many failures a second, failed lookups in 10,000).
 *
 * A lookup counts as failed when it names nobody who lives, or somebody who was the owner at no moment of the lookup. The
 * published runs have the published intervals, `--published 1`; with `--published 0` peers look after the ring as they really do.
 */
import { limits } from '../../../src/base/limits.js';
import { jittered } from '../../../src/base/random.js';
import { defaultIntervals, longestSilenceMs, type UpkeepIntervals } from '../../../src/node/upkeep.js';
import { CheckedLookups } from '../lookups.js';
import type { SimulatedPeerOptions } from '../peer.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { World } from '../world.js';

/** Failed lookups in 10,000, by joins and failures a second. */
export const publishedFailures = [
  [0.05, 0],
  [0.1, 0],
  [0.15, 2],
  [0.2, 5],
  [0.25, 6],
  [0.3, 8],
  [0.35, 16],
  [0.4, 15],
] as const;

/** Joins a second for each peer: ten times the most of the table. */
const mostChurn = (10 * 0.4) / 1000;

/** Rounds of stabilize in which the ring is ideal again: a list is mended by an entry a round, and there is room for four. */
const idealRounds = limits.successorListLength + 4;

/** Rounds 30 seconds apart, more or less, whatever happens. */
const publishedIntervals: UpkeepIntervals = {
  ...defaultIntervals,
  stabilize: { shortestMs: 30_000, longestMs: 30_000 },
  fixFingers: { shortestMs: 30_000, longestMs: 30_000 },
};

export interface ChurnOptions extends CommonOptions {
  /** Joins a second, and as many crashes. */
  readonly rate?: number | undefined;
  /** How long it goes on. */
  readonly minutes?: number | undefined;
  /** Whether peers keep the published intervals (1) or their own (0). */
  readonly published?: number | undefined;
}

export const churn = {
  summary: 'peers join and crash all the time, and lookups go on: ToN table III',
  own: { rate: undefined, minutes: undefined, published: undefined },
  draw: (random) => {
    const peers = 20 + random.below(60);
    return {
      peers,
      rate: (peers * (1 + random.below(100)) * mostChurn) / 100,
      minutes: 1 + random.below(3),
      steps: 200,
      published: random.below(2),
    };
  },
  async run(options: ChurnOptions) {
    const { seed, peers = 1000, steps = 10_000, rate = 0.4, minutes = 60, published = 1 } = options;
    const world = new World({ seed });
    const { clock, random } = world;
    const figures = new LookupFigures();
    const lookups = new CheckedLookups(world, figures);
    const kind: SimulatedPeerOptions = published > 0 ? { intervals: publishedIntervals } : {};
    await world.growInCrowds(peers, kind);
    const grownMs = clock.monotonicMs();
    const untilMs = grownMs + minutes * 60_000;
    let [joins, crashes] = [0, 0];
    const again = (everyMs: number, act: () => void): void => {
      if (everyMs === Infinity) return;
      clock.setTimer(jittered(random, everyMs, 1), () => {
        if (clock.monotonicMs() >= untilMs) return;
        act();
        again(everyMs, act);
      });
    };
    const pick = () => {
      const inside = world.live.filter(({ hasServed }) => hasServed);
      return inside[random.below(inside.length)];
    };
    again(1000 / rate, () => {
      joins += 1;
      const [peer, through] = [world.peer(kind), pick()];
      void peer.start(through === undefined ? [] : [through]).catch(() => peer.crash());
    });
    again(1000 / rate, () => {
      const victim = pick();
      if (victim === undefined || world.live.length <= peers / 2) return;
      crashes += 1;
      victim.crash();
    });
    again((minutes * 60_000) / steps, () => {
      const seeker = pick();
      if (seeker !== undefined) void lookups.random(seeker);
    });
    await clock.runFor(untilMs - clock.monotonicMs());
    const failedInTenThousand = Math.round((1e4 * figures.failedCount) / Math.max(1, figures.count));
    const { stabilize } = published > 0 ? publishedIntervals : defaultIntervals;
    const idealAfterMs = Math.round(await world.untilIdeal(idealRounds * longestSilenceMs(stabilize)));
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('churn', world, figures),
        rate,
        joins,
        crashes,
        failedInTenThousand,
        publishedFailures: publishedFailures.find(([known]) => known === rate)?.[1] ?? 'none',
        grownMs: Math.round(grownMs),
        idealAfterMs,
      },
    };
  },
} satisfies Scenario;
