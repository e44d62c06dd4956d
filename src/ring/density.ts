/**
 * Whether a successor list is as dense as the ring.
 *
 * Identifiers are hashes, so peers lie on the ring like drops of rain: the gaps between them are exponentially
 * distributed, and a list of n peers covers a stretch whose length has a Gamma distribution of shape n. Somebody who hides peers
 * by naming only its friends, a share f of all, covers 1/f times as much. How dense the ring is nobody is told, but
 * a stretch that is known shows it: the ratio of two such lengths has a distribution that depends on the two counts
 * alone. With X for a list of n peers and Y for a reference of m peers, each in units of the mean gap,
 *
 *     P(X > t Y) = sum over k from 0 to n-1 of C(m+k-1, k) p^m q^k,   p = 1/(1+t), q = t/(1+t)
 *
 * since X > tY means that fewer than n peers fall into a length tY, and the number of drops in a length that is
 * itself Gamma distributed is negative binomial (Feller, "An Introduction to Probability Theory", vol. II, II.3 and
 * VI.7). Short lists are hardly ever implausible, as should be: they say little.
 *
 * An implausible list proves nothing. One honest list in a thousand is, and a ring that has just lost many
 * neighbours has thin places. So it is a reason to ask somebody else, and none to refuse an answer.
 */
import { type Id, turnsBetween } from './identifier.js';
import type { PeerRef } from './peer.js';

/** A number of peers that follow each other, and how much of the ring they cover, in turns. */
export interface Stretch {
  readonly peers: number;
  readonly turns: number;
}

/** Lists that are less likely than this are implausible: f of 1/4 shows among sixteen, and a second question is cheap. */
const implausible = 0.001;

/** The stretch from a place to the end of the list of peers that follow it; less than once round. */
export function stretchOf(from: Id, followers: readonly PeerRef[]): Stretch {
  const last = followers.at(-1);
  return { peers: followers.length, turns: last === undefined ? 0 : turnsBetween(from, last.id) };
}

/** Whether somebody may have been left out of a list. @param reference a stretch whose peers are all known */
export function isTooSparse(list: Stretch, reference: Stretch): boolean {
  if (list.peers === 0 || reference.peers === 0 || reference.turns === 0) return false;
  return chanceOfRatio(list.turns / reference.turns, list.peers, reference.peers) < implausible;
}

/** How likely n honest peers cover at least `ratio` times as much as m others do. @param n @param m at least 1 */
export function chanceOfRatio(ratio: number, n: number, m: number): number {
  const q = ratio / (1 + ratio);
  let term = (1 - q) ** m;
  let chance = 0;
  for (let k = 0; k < n; k += 1) {
    chance += term;
    term *= ((m + k) / (k + 1)) * q;
  }
  return Math.min(1, chance);
}
