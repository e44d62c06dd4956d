/**
 * How a newcomer gets into a ring that its members see whole.
 *
 * It asks a member, its *witness*, which takes it in at once and answers with its pointers. Then it introduces itself to
 * everybody of whom it hears, in that answer and in theirs, and each side takes the other in. When there is nobody left,
 * it asks the witness again; and when that one, still in the same life, names no stranger, the newcomer is a member.
 *
 * Why that is enough: the witness is a member, so it names every other member, and each of those has met the newcomer.
 * Two newcomers who do not know each other have both met the same witness if either's lives, and the second one to do so
 * hears of the first. A witness that has restarted remembers neither, so its word does not count.
 */
import type { Id } from './identifier.js';
import type { PeerRef } from './peer.js';
import type { Neighbourhood } from './state.js';

/** Whom a newcomer has met, and of whom it has heard. */
export interface Acquaintance {
  readonly self: Id;
  /** Introduced, or found dead. */
  readonly met: ReadonlySet<Id>;
  readonly heard: ReadonlyMap<Id, PeerRef>;
}

/** A newcomer that knows nobody. */
export function noAcquaintance(self: Id): Acquaintance {
  return { self, met: new Set(), heard: new Map() };
}

/** A peer has answered an introduction, or answers once more. */
export function meet(known: Acquaintance, { self: peer, successors }: Neighbourhood): Acquaintance {
  const heard = new Map(known.heard);
  for (const other of successors) if (other.id !== known.self) heard.set(other.id, other);
  return { ...known, met: new Set(known.met).add(peer.id), heard };
}

/** A peer that others named is dead. */
export function missed(known: Acquaintance, dead: Id): Acquaintance {
  return { ...known, met: new Set(known.met).add(dead) };
}

/** Those to whom it has yet to introduce itself. */
export function strangers({ met, heard }: Acquaintance): readonly PeerRef[] {
  return [...heard.values()].filter(({ id }) => !met.has(id));
}
