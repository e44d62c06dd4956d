/**
 * Who knows whom. Peers can only find each other through somebody that one of them remembers or points to, so whether
 * parts of a ring can come together again is a question of one graph: whether it is connected, in whichever direction.
 */
import type { Id } from '../../src/ring/identifier.js';
import type { World } from './world.js';

/** The groups of live peers between which nobody knows anybody; one, when they can all come together. */
export function groupsOfAcquaintances(world: World): readonly (readonly Id[])[] {
  const links = new Map<Id, Id[]>(world.live.map(({ id }) => [id, []]));
  for (const { id, state, remembered } of world.live) {
    for (const known of [...(state?.successors ?? []), ...remembered]) {
      links.get(id)?.push(known.id);
      links.get(known.id)?.push(id);
    }
  }
  const groups: Id[][] = [];
  const seen = new Set<Id>();
  for (const start of links.keys()) {
    if (seen.has(start)) continue;
    const group = [start];
    seen.add(start);
    for (const id of group) {
      for (const known of links.get(id) ?? []) {
        if (!links.has(known) || seen.has(known)) continue;
        seen.add(known);
        group.push(known);
      }
    }
    groups.push(group);
  }
  return groups;
}
