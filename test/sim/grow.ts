/**
 * From one peer to many: joins at random moments, alone and in crowds, and crashes while the ring grows. Never two rings,
 * never disorder; and when it is quiet, the ideal ring.
 *
 * A crash may only hit where the protocol bears it: while fewer peers than a handful are in the ring, or while a gap is
 * being closed, the next one waits.
 */
import { idFromBytes } from '../../src/ring/identifier.js';
import { commonFigures, LookupFigures, type Scenario, type ScenarioOptions } from './scenario.js';
import { World } from './world.js';

/** From this many members on, one may crash. */
const crashFrom = 4;
/** The time in which a gap is closed: a silent peer is found dead and dropped. */
const crashEveryMs = 15_000;

export const grow: Scenario = {
  async run({ seed, peers: wanted = 30 }: ScenarioOptions) {
    const world = new World({ seed });
    const { clock, random } = world;
    const lookups = new LookupFigures();
    const joining = new Set<Promise<unknown>>();
    let lastCrashMs = -Infinity;
    let crashes = 0;
    await world.grow(1);
    while (world.live.length < wanted) {
      const inside = world.live.filter(({ state }) => state !== undefined);
      const mayCrash = inside.length >= crashFrom && clock.monotonicMs() - lastCrashMs > crashEveryMs;
      if (mayCrash && random.below(2) === 0) {
        inside[random.below(inside.length)]!.crash();
        lastCrashMs = clock.monotonicMs();
        crashes += 1;
      } else {
        const through = inside[random.below(inside.length)]!;
        const peer = world.peer();
        const start = peer.start([through]).catch(() => {
          // The peer to join through crashed: nobody is there, and the newcomer gives up.
          peer.crash();
        });
        joining.add(start);
        void start.then(() => joining.delete(start));
      }
      await clock.runFor(random.below(10) < 3 ? 0 : random.below(3_000));
    }
    await clock.run(Promise.all(joining));
    const idealAfterMs = await world.untilIdeal();
    for (const peer of world.live) {
      const key = idFromBytes(random.bytes(32));
      try {
        const { peers, hops, failures } = await clock.run(peer.node.membership.lookup(key));
        if (peers[0]?.id === world.trueOrder(key)[0]?.id) lookups.answered(hops, failures);
        else lookups.failed();
      } catch {
        lookups.failed();
      }
    }
    return { world, figures: { ...commonFigures('grow', world, lookups), crashes, idealAfterMs } };
  },
};
