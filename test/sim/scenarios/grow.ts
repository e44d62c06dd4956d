/**
 * From one peer to many: joins at random moments, alone and in crowds, crashes while the ring grows, and lookups all the
 * while. Never two rings, never disorder; and when it is quiet, the ideal ring.
 *
 * The protocol assumes that a crash leaves everybody a live successor, and the ring a principal (principals.ts): where it
 * would not, nobody crashes.
 */
import type { Random } from '../../../src/base/random.js';
import { type Id, idFromBytes } from '../../../src/ring/identifier.js';
import type { SimulatedPeer } from '../peer.js';
import { comeToRest } from '../ideal-check.js';
import { CheckedLookups } from '../lookups.js';
import { PrincipalWatch } from '../principal-watch.js';
import { ringRulesWith } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { World } from '../world.js';

/** In this time most newcomers have come in. */
const wayInMs = 200;
/** In this time a crash is noticed. */
const crashMs = 10_000;

export const grow = {
  summary: 'one peer to many, with crashes on the way: never two rings, never disorder',
  own: { frail: 0, close: 0 },
  // Half of them stay below the length of a successor list, where every list is whole.
  draw: (random) => ({
    peers: 2 + random.below(random.below(2) === 0 ? 16 : 40),
    steps: random.below(20),
    frail: random.below(4),
    close: random.below(10),
  }),
  async run({
    seed,
    peers: wanted = 200,
    steps: changes = 0,
    frail = 0,
    close = 0,
  }: CommonOptions & { readonly frail?: number; readonly close?: number }) {
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
    const pick = (): SimulatedPeer | undefined => {
      const inside = world.live.filter(({ hasServed }) => hasServed);
      return inside[random.below(inside.length)];
    };
    /** Somebody looks keys up that a peer has just come to own, or has left to another one. */
    const askAbout = ({ id }: SimulatedPeer): void => {
      const [seeker, entry] = [pick(), pick()];
      if (seeker !== undefined) track(lookups.atEdge(seeker, id));
      if (entry !== undefined) track(lookups.plain(entry, id));
    };
    let crashedIn = -1;
    /** @returns whether it has crashed. */
    const crash = (victim: SimulatedPeer): boolean => {
      // What a crash leaves is known when its event is over.
      if (!victim.isUp || crashedIn === clock.events) return false;
      if (!principals.hasOther(victim.id) || !sparesSuccessors(world, victim)) return false;
      victim.crash();
      crashedIn = clock.events;
      crashes += 1;
      for (let times = 0; times < 4; times += 1)
        clock.setTimer(random.below(crashMs), () => askAbout(victim));
      return true;
    };
    const join = (entry: SimulatedPeer): void => {
      const isClose = random.below(10) < close;
      const peer = world.peer(isClose ? { id: beside(world.peers.at(-1)!.id, random) } : {});
      // A newcomer that crashes, or whose way in did, is gone: its operator tries again with another one.
      const way = peer.start([entry]).then(
        () => askAbout(peer),
        () => peer.isUp && peer.crash(),
      );
      track(way);
      if (random.below(10) < frail) clock.setTimer(random.below(wayInMs), () => crash(peer));
    };
    await world.grow(1);
    for (let left = changes; world.live.length < wanted || left > 0;) {
      const isFull = world.live.length >= wanted;
      if (isFull) left -= 1;
      const [victim, entry, seeker] = [pick(), pick(), pick()];
      const isCrash = victim !== undefined && (isFull || random.below(10) < crashesInTen);
      if (!(isCrash && crash(victim)) && !isFull && entry?.isUp === true) join(entry);
      if (seeker?.isUp === true) track(lookups.random(seeker));
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

/** An id that lies near another one, so that nobody is between the two but others of the kind. */
function beside(id: Id, random: Random): Id {
  const start = id.slice(0, 16);
  return `${start}${idFromBytes(random.bytes(32)).slice(start.length)}` as Id;
}

/** Whether everybody else keeps a live peer in its list when this one crashes. */
function sparesSuccessors(world: World, victim: SimulatedPeer): boolean {
  const { live } = world.checker;
  for (const [id, { successors }] of live) {
    if (id !== victim.id && !successors.some((peer) => peer.id !== victim.id && live.has(peer.id)))
      return false;
  }
  return true;
}
