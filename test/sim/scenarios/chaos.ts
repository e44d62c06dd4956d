/**
 * Everything at once. The faults are drawn (swarm-plan.ts), peers join and leave in good order, and users write and read
 * through the real client all the while. Then the faults stop, everybody comes back who is to come back, and the ring
 * becomes ideal within {@link idealWithinMs}; every acknowledged value is there, and no record has become older.
 *
 * While it goes on each peer keeps the rules of its own list, all holders accept the same value for a number, and
 * answers match what was written.
 *
 * What is bounded is how many disks are lost for good, by the promise that ledger.ts states.
 */
import { messageOf } from '../../../src/base/errors.js';
import { defaultPolicy } from '../../../src/node/node.js';
import { loadCompressor } from '../../../src/archive/compress.js';
import { Detection } from '../detection.js';
import { Ledger } from '../ledger.js';
import { CheckedLookups } from '../lookups.js';
import { listRules } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { Swarm } from '../swarm.js';
import { drawSwarm } from '../swarm-plan.js';
import { Users } from '../users.js';
import { World } from '../world.js';

/**
 * How long the ring may take to become ideal once nothing goes wrong any more and everybody is back: somebody who was
 * alone for long looks for the others every two minutes and a little more.
 */
const idealWithinMs = 180_000;
/** In this time everybody has on its disk whom the ring consists of. */
const settlingMs = 5_000;
const users = 3;
const tasksAUser = 3;

export const chaos = {
  summary: 'everything at once; when it ends, the ring is ideal and every acknowledged value is there',
  own: {},
  draw: (random) => ({ peers: 1 + random.below(60), steps: 10 + random.below(80) }),
  async run({ seed, peers: wanted = 20, steps: seconds = 600 }: CommonOptions) {
    // Compiled outside of virtual time, whose events wait for nothing.
    await loadCompressor();
    const world = new World({ seed, rules: listRules });
    const { clock, random } = world;
    const plan = drawSwarm(random);
    await world.grow(wanted);
    await world.untilIdeal();
    await clock.runFor(settlingMs);
    const ledger = new Ledger(world, defaultPolicy.replicas);
    const workers = new Users(world, ledger);
    for (let at = 0; at < users; at += 1) {
      await workers.employ(`user ${at}`, tasksAUser, 500 + random.below(10_000));
    }
    const detection = new Detection(world);
    const swarm = new Swarm(world, plan, {
      mayGo: () => true,
      mayLoseDisk: (peer) => ledger.mayLose(peer),
      mayJoin: () => world.live.length < 2 * wanted,
    });
    swarm.start();
    await clock.runFor(1_000 * seconds);
    detection.stop();
    const detected = detection.figures();
    await swarm.stop();
    const idealAfterMs = await world.untilIdeal(idealWithinMs).catch((error: unknown) => {
      world.violated('theRingBecomesIdeal', messageOf(error));
      return idealWithinMs;
    });
    await workers.stop();
    await workers.checkAll();
    const figures = new LookupFigures();
    const lookups = new CheckedLookups(world, figures);
    for (const peer of world.live) await clock.run(lookups.random(peer));
    if (figures.failedCount > 0) world.violated('idealRingAnswers', 'a lookup in the ideal ring failed');
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('chaos', world, figures),
        idealAfterMs: Math.round(idealAfterMs),
        ...workers.figures,
        ...detected,
        ...swarm.figures,
        ...world.faults.figures,
      },
    };
  },
} satisfies Scenario;
