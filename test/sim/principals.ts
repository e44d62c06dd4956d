/**
 * Principals: the members that hold a ring together.
 *
 * A member's pointers claim that nobody lies between two peers that they name one after the other: between itself and
 * its first successor, between two entries of its list, and between its predecessor and itself. A ring of one claims
 * that there is nobody else. A *principal* is a live member that no live member's pointers skip in this sense.
 *
 * No step makes a claim about a stretch of the ring that was not part of an older claim, except over a peer that is
 * dead. So a principal stays one until it dies; and while there is one, every way along first live successors comes by
 * it, which makes the ring one and its order right. Zave (2017) needs more of them than a list is long, because her lists
 * run on past their owner in a ring with fewer members. Ours end before it, so that one principal is enough.
 */
import { type Id, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import { type RingState, seesWholeRing } from '../../src/ring/state.js';
import type { RuleSet, ShapeRule } from './rules.js';
import type { RingShape } from './shape.js';

/** A stretch, from one peer to the next, that somebody claims to be empty. */
export type Claim = readonly [from: Id, to: Id];

/** The principals among the live members. */
export function principals({ live }: Pick<RingShape, 'live'>): readonly Id[] {
  const claims = [...live.values()].flatMap(claimsOf);
  return [...live.keys()].filter((id) => !claims.some(([from, to]) => between(from, id, to)));
}

/** The stretches, from one peer to the next, that these pointers claim to be empty. */
export function claimsOf({ self, predecessor, successors }: RingState): readonly Claim[] {
  const list = [self, ...successors].map(({ id }) => id);
  if (list.length === 1 && predecessor === null) return [[self.id, self.id]];
  const claims = list.slice(1).map((to, at): Claim => [list[at]!, to]);
  return predecessor === null ? claims : [...claims, [predecessor.id, self.id]];
}

/**
 * There is a principal. The one thing that has to be assumed of crashes, beside a live successor for everybody; no
 * step breaks it. In a ring that has never had more members than a list has entries and one, every member is a
 * principal ({@link completeLists}), so that nothing has to be assumed there.
 */
const sufficientPrincipals: ShapeRule = (shape) =>
  shape.live.size > 0 && principals(shape).length === 0 ? 'there is no principal' : undefined;

/** Whoever sees the whole ring names every member. */
const completeLists: ShapeRule = ({ live }) => {
  for (const state of live.values()) {
    if (!seesWholeRing(state)) return `${shortId(state.self.id)} does not see the whole ring`;
    const named = new Set(state.successors.map(({ id }) => id)).add(state.self.id);
    for (const id of live.keys())
      if (!named.has(id)) return `${shortId(state.self.id)} does not name ${shortId(id)}`;
  }
  return undefined;
};

/** Between a member and its predecessor lies no other member, and only who is alone has none. */
const nearestPredecessors: ShapeRule = ({ live }) => {
  for (const { self, predecessor } of live.values()) {
    if (predecessor === null) {
      if (live.size > 1) return `${shortId(self.id)} has no predecessor`;
      continue;
    }
    for (const id of live.keys())
      if (between(predecessor.id, id, self.id))
        return `the predecessor of ${shortId(self.id)} is not ${shortId(id)}`;
  }
  return undefined;
};

/** In every network that is whole, as long as crashes leave a principal. */
export const principalRules: RuleSet = { states: {}, shapes: { sufficientPrincipals } };

/**
 * In a ring that has had, with the newcomers on their way in and the dead that are not forgotten yet, never more
 * than one peer beside those that a list names: whoever crashes. All of them are rules about every single pointer, so
 * they see at once what the rules about the ring's shape see much later or never.
 */
export const smallRingRules: RuleSet = { states: {}, shapes: { completeLists, nearestPredecessors } };
