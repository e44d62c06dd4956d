/**
 * From one peer to many: joins at random moments, alone and in crowds, and crashes while the ring grows. Never two rings,
 * never disorder; and when it is quiet, the ideal ring.
 *
 * The protocol assumes that a crash leaves everybody a live successor; where it would not, another peer is chosen.
 */
import { idFromBytes } from '../../../src/ring/identifier.js';
import type { SimulatedPeer } from '../peer.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { World } from '../world.js';

export const grow = {
  summary: 'one peer to many, with crashes on the way: never two rings, never disorder',
  own: {},
  async run({ seed, peers: wanted = 30 }: CommonOptions) {
    const world = new World({ seed });
    const { clock, random } = world;
    const lookups = new LookupFigures();
    const joining = new Set<Promise<unknown>>();
    let crashes = 0;
    await world.grow(1);
    while (world.live.length < wanted) {
      const inside = world.live.filter(({ state }) => state !== undefined);
      const victim = inside[random.below(inside.length)]!;
      if (inside.length > 1 && random.below(4) === 0 && sparesSuccessors(world, victim)) {
        victim.crash();
        crashes += 1;
      } else {
        const through = inside[random.below(inside.length)]!;
        const peer = world.peer();
        const start = peer.start([through]).catch(() => {
          // It crashed, or the peer to join through did, and it gave up.
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
    return {
      violations: world.violations,
      figures: { ...commonFigures('grow', world, lookups), crashes, idealAfterMs },
    };
  },
} satisfies Scenario;

/** Whether everybody else keeps a live peer in its list when this one crashes. */
function sparesSuccessors(world: World, victim: SimulatedPeer): boolean {
  const living = new Set(world.live.filter((peer) => peer !== victim).map(({ id }) => id));
  return world.live.every(
    ({ id, state }) =>
      id === victim.id || state === undefined || state.successors.some((peer) => living.has(peer.id)),
  );
}
