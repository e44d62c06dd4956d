/**
 * From one peer to many: joins at random moments, alone and in crowds, crashes while the ring grows, and lookups all the
 * while. Never two rings, never disorder; and when it is quiet, the ideal ring.
 *
 * The protocol assumes that a crash leaves everybody a live successor, and the ring a principal (principals.ts): where it
 * would not, nobody crashes.
 */
import type { SimulatedPeer } from '../peer.js';
import { comeToRest } from '../ideal-check.js';
import { CheckedLookups } from '../lookups.js';
import { PrincipalWatch } from '../principal-watch.js';
import { ringRulesWith } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { World } from '../world.js';

export const grow = {
  summary: 'one peer to many, with crashes on the way: never two rings, never disorder',
  own: {},
  // Half of them stay below the length of a successor list, where every list is whole.
  draw: (random) => ({ peers: 2 + random.below(random.below(2) === 0 ? 16 : 40) }),
  async run({ seed, peers: wanted = 200 }: CommonOptions) {
    const principals = new PrincipalWatch();
    const world = new World({ seed, rules: ringRulesWith(principals) });
    const { clock, random } = world;
    const figures = new LookupFigures();
    const lookups = new CheckedLookups(world, figures);
    // How the ring grows is drawn for each run: in crowds or one by one, with few crashes or many.
    const crashesInTen = random.below(5);
    const crowdsInTen = random.below(10);
    const pauseMs = 10 ** (1 + random.below(4));
    const underWay = new Set<Promise<unknown>>();
    const track = (work: Promise<unknown>): void => {
      underWay.add(work);
      void work.then(() => underWay.delete(work));
    };
    let crashes = 0;
    await world.grow(1);
    while (world.live.length < wanted) {
      const inside = world.live.filter(({ hasServed }) => hasServed);
      const pick = (): SimulatedPeer => inside[random.below(inside.length)]!;
      const victim = pick();
      const isCrash = random.below(10) < crashesInTen && inside.length > 1;
      if (isCrash && principals.hasOther(victim.id) && sparesSuccessors(world, victim)) {
        victim.crash();
        crashes += 1;
      } else {
        const peer = world.peer();
        // A newcomer that crashes, or whose way in did, is gone: its operator tries again with another one.
        track(peer.start([pick()]).catch(() => peer.crash()));
      }
      const seeker = pick();
      if (seeker.isUp) track(lookups.random(seeker));
      await clock.runFor(random.below(10) < crowdsInTen ? 0 : random.below(pauseMs));
    }
    while (underWay.size > 0) await clock.run(Promise.all(underWay));
    const idealAfterMs = Math.round(await comeToRest(world, figures, { withinMs: 120_000, quietMs: 60_000 }));
    return {
      violations: world.violations,
      figures: { ...commonFigures('grow', world, figures), crashes, idealAfterMs },
    };
  },
} satisfies Scenario;

/** Whether everybody else keeps a live peer in its list when this one crashes. */
function sparesSuccessors(world: World, victim: SimulatedPeer): boolean {
  const { live } = world.checker;
  for (const [id, { successors }] of live) {
    if (id !== victim.id && !successors.some((peer) => peer.id !== victim.id && live.has(peer.id)))
      return false;
  }
  return true;
}
