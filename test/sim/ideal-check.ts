/** What a ring is held to when it has become ideal. */
import { CheckedLookups } from './lookups.js';
import { ringRules } from './rules.js';
import type { LookupFigures } from './scenario.js';
import type { World } from './world.js';

/** A ring that is ideal stays as it is; looked at for this long. */
const quietMs = 600_000;

/** Checks of a ring that has become ideal: all rules hold, nothing changes any more, and every lookup finds the owner. */
export async function checkIdeal(world: World, figures: LookupFigures): Promise<void> {
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
  for (const peer of world.live) await clock.run(lookups.random(peer));
  if (figures.failedCount > before) world.violated('idealRingAnswers', 'a lookup in the ideal ring failed');
}
