/** When a ring that has come to harm is ideal again, and what it is held to then. */
import { messageOf } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { jitterShare } from '../../src/node/periodic.js';
import { defaultIntervals } from '../../src/node/upkeep.js';
import { CheckedLookups } from './lookups.js';
import { ringRules } from './rules.js';
import type { LookupFigures } from './scenario.js';
import type { World } from './world.js';

/**
 * The longest time until rings that can hear each other are one, and ideal. In each round of looking around a peer asks
 * some of those that it remembers, so all of them have been asked after a number of rounds, each begun after the longest
 * pause at the latest; one more is for the questions themselves and for the rings to close.
 * @param known how many peers there are to remember, dead ones too
 */
export function idealWithinMs(known: number): number {
  const rounds = Math.ceil(known / limits.lookAroundPeers);
  return (rounds + 1) * defaultIntervals.lookAround.longestMs * (1 + jitterShare);
}

/** What a round of looking around takes: a few silent peers one after the other, and what follows from the answers. */
const lookingAroundMs = 10_000;

/**
 * The longest time until a part of a ring, cut off from the rest, is an ideal ring of its own. At worst its peers have lists
 * that name nobody of it, and hear so little that each doubts itself most (local-health.ts): such a list is dropped some
 * entries at a time. The peers then look around among all that they remember, or come in anew, with pauses that
 * begin short, since each neighbour that is found dead brings them back to that.
 * @param known how many peers there are to remember, dead ones too
 */
export function partIdealWithinMs(known: number): number {
  const { stabilize, lookAround } = defaultIntervals;
  const drops = Math.ceil(limits.successorListLength / limits.suspectsAtOnce);
  const dropMs =
    stabilize.longestMs * (1 + jitterShare) +
    limits.pointersTimeoutMs +
    limits.healthMultiplierMax * limits.suspicionMs;
  let looksMs = limits.rejoinPatienceMs;
  const rounds = Math.ceil(known / limits.lookAroundPeers) + 1;
  for (let round = 0; round < rounds; round += 1) {
    const pauseMs = Math.min(lookAround.shortestMs * 2 ** round, lookAround.longestMs);
    looksMs += pauseMs * (1 + jitterShare) + lookingAroundMs;
  }
  return drops * dropMs + looksMs;
}

/**
 * Lets time pass when nothing happens any more, and checks what the ring has come to.
 * @param withinMs after this long it has to be ideal
 * @returns how long it took; `withinMs` when it did not become ideal.
 */
export async function comeToRest(
  world: World,
  figures: LookupFigures,
  { withinMs, quietMs }: { readonly withinMs: number; readonly quietMs: number },
): Promise<number> {
  try {
    const idealAfterMs = await untilLastingIdeal(world, withinMs);
    await checkIdeal(world, figures, quietMs);
    return idealAfterMs;
  } catch (error) {
    world.violated('ideal', messageOf(error));
    return withinMs;
  }
}

/** In this time ends what was begun before: questions whose answers are applied, and inquiries that may find somebody dead. */
const begunMs = limits.pointersTimeoutMs + limits.healthMultiplierMax * limits.suspicionMs;

/**
 * Lets time pass until the ring is ideal, and nothing that was begun before takes anybody back by a step.
 * @returns how long it took until it was.
 * @throws Error as untilIdeal does.
 */
async function untilLastingIdeal(world: World, withinMs: number): Promise<number> {
  const { clock, listeners } = world;
  const sinceMs = clock.monotonicMs();
  for (;;) {
    await world.untilIdeal(Math.max(0, sinceMs + withinMs - clock.monotonicMs()));
    const idealAfterMs = clock.monotonicMs() - sinceMs;
    let changes = 0;
    const onChange = (): void => {
      changes += 1;
    };
    listeners.add(onChange);
    await clock.runFor(begunMs);
    listeners.delete(onChange);
    if (changes === 0) return idealAfterMs;
  }
}

/**
 * Checks of a ring that has become ideal: all rules hold, nothing changes any more, and every lookup finds the owner.
 * @param quietMs a ring that is ideal stays as it is; looked at for this long
 */
export async function checkIdeal(world: World, figures: LookupFigures, quietMs = 600_000): Promise<void> {
  const { clock } = world;
  world.require(ringRules);
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  world.listeners.add(onChange);
  await clock.runFor(quietMs);
  world.listeners.delete(onChange);
  if (changes > 0) world.violated('quiet', `${changes} changes in the ideal ring`);
  const before = figures.failedCount;
  const lookups = new CheckedLookups(world, figures);
  for (const peer of world.live) {
    const { predecessor } = peer.node.membership.state;
    const edges = [peer.id, predecessor?.id ?? peer.id];
    const asked = edges.flatMap((id) => [lookups.atEdge(peer, id), lookups.plain(peer, id)]);
    await clock.run(Promise.all([lookups.random(peer), ...asked]));
  }
  if (figures.failedCount > before) world.violated('idealRingAnswers', 'a lookup in the ideal ring failed');
}
