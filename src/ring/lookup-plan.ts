/**
 * The thinking half of a lookup: whom to ask next, given what the others have answered. It asks nobody itself.
 *
 * A ring is a chain of first successors, so there are two ways to be sure who is responsible for a key. The peer itself
 * says so, whose predecessor lies before the key. Or the nearest living peer before the key says who follows it: its
 * list, read from the key on, names the owner first, or, where that one is dead, who stands in for it. So the plan
 * goes towards the key, always to the nearest peer before it that was not asked yet, and as soon as somebody's list
 * reaches across the key it asks the one that is named there. When that one is dead or does not take itself for the
 * owner, it goes on before the key until everybody between the last peer that answered and the key has been
 * asked: then that peer's list is right, and the first one on it that lives is the owner.
 *
 * A peer on its way into the ring knows less: it believes in the predecessor and the list that it was given when it
 * joined, and others may have come in between. So a plan that has to be certain (`confirm`) takes nobody's word alone. It
 * asks everybody who was named between the nearest peers on both sides of the key that have answered; the first one from
 * the key on that lives is the owner. In a ring at rest these two name each other, and that costs no further question.
 *
 * An answer has to come closer: peers that do not lie between the answering peer and the key are ignored, and nobody is
 * asked twice. So a lookup ends, and a confused or hostile peer cannot lead it in circles.
 */
import type { Id } from './identifier.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';
import type { LookupStep } from './routing.js';

export interface PlanOptions {
  /** Whether only a peer that has answered itself is taken for the owner, and not the word of the one before it. */
  readonly confirm?: boolean;
  /** A peer that is neither asked nor named. */
  readonly except?: Id | undefined;
  /** Whether a peer is to be left to somebody else: it is not asked, and what others say of it stands. */
  readonly isTaken?: (id: Id) => boolean;
}

/** What a plan found. */
export interface Finding {
  /** The responsible peer first, then those behind it; without the ones that did not answer. */
  readonly peers: readonly PeerRef[];
  readonly answeredBy: PeerRef;
  /** Whether the responsible peer itself said that it is. */
  readonly claimed: boolean;
}

/**
 * Why a peer is asked: it is on the `way`; it is the `owner`, if it lives; or, when an owner has said that it is, as a
 * `check` whether its predecessor agrees.
 */
export type Purpose = 'way' | 'owner' | 'check';

export type Move =
  | { readonly do: 'ask'; readonly peer: PeerRef; readonly purpose: Purpose }
  | { readonly do: 'finish'; readonly finding: Finding }
  /** Nobody is left to ask who could say. `passing`: somebody lives that could not say just now. */
  | { readonly do: 'give up'; readonly passing: boolean };

/** What one peer has said of the ring from the key on. */
interface Sight {
  readonly from: PeerRef;
  after: readonly PeerRef[];
}

export class LookupPlan {
  readonly #key: Id;
  readonly #options: PlanOptions;
  /** Peers that may be asked on the way to the key. */
  readonly #waiting = new Map<Id, PeerRef>();
  readonly #asked = new Set<Id>();
  readonly #failed = new Set<Id>();
  /** Peers that live and could not say anything. */
  readonly #mute = new Set<Id>();
  /** What the answers said of the peers from the key on, the answer of the peer nearest before the key first. */
  readonly #sights: Sight[] = [];
  /** The nearest peer before the key that has answered. */
  #nearest: PeerRef | undefined;
  /** Whether it said who is responsible: then nobody lies between it and the key. */
  #isNearestFound = false;
  /** Who was asked last because a list names it as the owner. */
  #candidate: Id | undefined;
  #finding: Finding | undefined;
  /** Peers that said that they are responsible, and whom they have for predecessors. */
  readonly #claims = new Map<Id, Id | undefined>();

  /** @param start peers to begin with, in any order */
  constructor(key: Id, start: Iterable<PeerRef>, options: PlanOptions = {}) {
    this.#key = key;
    this.#options = options;
    for (const peer of start) this.#consider(peer);
  }

  /** Peers that were asked. */
  get asked(): number {
    return this.#asked.size;
  }

  /** Whether this plan has had a peer asked. */
  hasAsked(id: Id): boolean {
    return this.#asked.has(id);
  }

  /** What to do now. What comes of a question is to be said with {@link answered} or {@link failed}. */
  next(): Move {
    if (this.#finding !== undefined) return { do: 'finish', finding: this.#finding };
    return this.#options.confirm === true ? this.#nextToConfirm() : this.#nextToFind();
  }

  #nextToFind(): Move {
    const sight = this.#bestSight();
    const nearer = this.#isNearestFound ? undefined : this.#nearestWaiting(this.#nearest);
    const named = sight?.after.find(({ id }) => !this.#failed.has(id));
    if (sight !== undefined && named !== undefined) {
      if (nearer === undefined) return { do: 'finish', finding: this.#findingFrom(sight) };
      // Only whom the list names first: those behind it are owners only if it is dead, and that alone does not say so.
      if (named === sight.after[0] && this.#mayAsk(named.id)) return this.#askOwner(named, 'way');
    }
    return this.#askOnTheWay(nearer);
  }

  #nextToConfirm(): Move {
    const nearer = this.#nearestWaiting(this.#nearest);
    const named = this.#nearestNamed();
    if (named === undefined) return this.#askOnTheWay(nearer);
    const isNamedFirst = named.peer.id === named.by.after[0]?.id;
    if (this.#mayAsk(named.peer.id) && (nearer === undefined || isNamedFirst)) {
      return this.#askOwner(named.peer, nearer === undefined ? 'owner' : 'way');
    }
    if (nearer !== undefined) {
      return this.#ask(nearer, this.#claims.get(named.peer.id) === nearer.id ? 'check' : 'way');
    }
    const isCertain = this.#isNearestFound || this.#claims.has(named.peer.id);
    if (!isCertain && (this.#mute.has(named.peer.id) || this.#isSomebodyMute())) {
      return { do: 'give up', passing: true };
    }
    const { peers, answeredBy } = this.#findingFrom(named.by);
    const at = peers.findIndex(({ id }) => id === named.peer.id);
    return {
      do: 'finish',
      finding: { peers: peers.slice(at), answeredBy, claimed: this.#claims.has(named.peer.id) },
    };
  }

  /** A peer has answered. */
  answered(peer: PeerRef, step: LookupStep): void {
    const peers = this.#without(step.peers);
    const claimed = step.found && step.peers[0]?.id === peer.id;
    if (step.found && this.#options.confirm !== true) {
      const living = peers.filter(({ id }) => !this.#failed.has(id));
      if (living.length > 0) this.#finding = { peers: living, answeredBy: peer, claimed };
    }
    if (claimed) this.#claims.set(peer.id, step.predecessor?.id);
    if (claimed || peer.id === this.#candidate) {
      this.#insertPredecessor(peer, step.predecessor);
    } else if (this.#nearest === undefined || isNearer(peer.id, this.#nearest.id, this.#key)) {
      this.#nearest = peer;
      this.#isNearestFound = step.found;
    }
    this.#see(peer, step.found ? peers : this.#without(step.after ?? []));
    if (step.found) return;
    for (const closer of peers) if (between(peer.id, closer.id, this.#key)) this.#consider(closer);
  }

  /** A peer lives and cannot say more now; it stays the owner where somebody else is certain that it is. */
  cannotSay(peer: PeerRef): void {
    this.#mute.add(peer.id);
  }

  /** A peer did not answer: it is taken for dead. */
  failed(peer: PeerRef): void {
    this.#failed.add(peer.id);
  }

  /** Whether somebody between the nearest answer and the key may know better than that answer. */
  #isSomebodyMute(): boolean {
    const nearest = this.#nearest;
    return [...this.#mute].some((id) => nearest === undefined || isNearer(id, nearest.id, this.#key));
  }

  #askOwner(named: PeerRef, purpose: Purpose): Move {
    this.#candidate = named.id;
    return this.#ask(named, purpose);
  }

  #askOnTheWay(nearer: PeerRef | undefined): Move {
    const next = nearer ?? this.#nearestWaiting(undefined);
    if (next !== undefined) return this.#ask(next, 'way');
    return { do: 'give up', passing: this.#mute.size > 0 };
  }

  /** The first peer from the key on that was named and is not dead, and the best list that names it. */
  #nearestNamed(): { readonly peer: PeerRef; readonly by: Sight } | undefined {
    let best: { readonly peer: PeerRef; readonly by: Sight } | undefined;
    for (const by of this.#sights) {
      const peer = by.after.find(({ id }) => !this.#failed.has(id));
      if (peer === undefined) continue;
      if (best === undefined || isFromOn(this.#key, peer.id, best.peer.id)) best = { peer, by };
    }
    return best;
  }

  #ask(peer: PeerRef, purpose: Purpose): Move {
    this.#waiting.delete(peer.id);
    this.#asked.add(peer.id);
    return { do: 'ask', peer, purpose };
  }

  #consider(peer: PeerRef): void {
    if (this.#asked.has(peer.id) || peer.id === this.#options.except) return;
    this.#waiting.set(peer.id, peer);
  }

  #mayAsk(id: Id): boolean {
    return !this.#asked.has(id) && this.#options.isTaken?.(id) !== true;
  }

  /** The predecessor of a peer that lies from the key on is nearer to the key, on this side of it or on the other. */
  #insertPredecessor({ id: named }: PeerRef, predecessor: PeerRef | undefined): void {
    if (predecessor === undefined || predecessor.id === this.#options.except) return;
    if (!isFromOn(this.#key, predecessor.id, named)) {
      if (this.#options.confirm === true) this.#consider(predecessor);
      return;
    }
    for (const sight of this.#sights) {
      const at = sight.after.findIndex(({ id }) => id === named);
      if (at < 0 || sight.after.some(({ id }) => id === predecessor.id)) continue;
      sight.after = [...sight.after.slice(0, at), predecessor, ...sight.after.slice(at)];
    }
  }

  #see(from: PeerRef, after: readonly PeerRef[]): void {
    if (after.length === 0) return;
    const at = this.#sights.findIndex((sight) => isNearer(from.id, sight.from.id, this.#key));
    this.#sights.splice(at < 0 ? this.#sights.length : at, 0, { from, after });
  }

  /** The best list that still names somebody. */
  #bestSight(): Sight | undefined {
    return this.#sights.find(({ after }) => after.some(({ id }) => !this.#failed.has(id)));
  }

  /** The nearest peer before the key that was not asked, and lies nearer than `than`. */
  #nearestWaiting(than: PeerRef | undefined): PeerRef | undefined {
    let best: PeerRef | undefined;
    for (const peer of this.#waiting.values()) {
      if (!this.#mayAsk(peer.id)) continue;
      if (than !== undefined && !isNearer(peer.id, than.id, this.#key)) continue;
      if (best === undefined || isNearer(peer.id, best.id, this.#key)) best = peer;
    }
    return best;
  }

  #findingFrom({ from, after }: Sight): Finding {
    return { peers: after.filter(({ id }) => !this.#failed.has(id)), answeredBy: from, claimed: false };
  }

  #without(peers: readonly PeerRef[]): readonly PeerRef[] {
    const { except } = this.#options;
    return except === undefined ? peers : peers.filter(({ id }) => id !== except);
  }
}

/** Whether it is a shorter way, clockwise, from `a` to the key than from `b`. */
export function isNearer(a: Id, b: Id, key: Id): boolean {
  return b !== key && a !== b && (a === key || between(b, a, key));
}

/** Whether `id` lies in [from, to), which is empty when the two are the same. */
function isFromOn(from: Id, id: Id, to: Id): boolean {
  return from !== to && (id === from || between(from, id, to));
}
