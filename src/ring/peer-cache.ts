/**
 * Every peer that somebody has heard of, as far as there is room: the short cuts of a lookup.
 *
 * In a ring that fits the cache a lookup asks the right peer first; in a larger one the first question leaps most of the
 * way. An entry is a hint and nothing more: one that is stale costs a question and never a wrong answer, since answers
 * come from the pointers of the peers that are asked.
 *
 * **What is believed.** A peer that has been spoken with is proved: the transport has checked its identifier. What one
 * peer says of another is hearsay. Hearsay never displaces a proved entry, and one source accounts for a small share of
 * it at most, so that a peer which invents others cannot flush the cache. Who was found dead is not taken from hearsay
 * again until it has been met.
 *
 * **Who leaves when it is full.** The entry whose absence costs least, of a few drawn at random. Without it a lookup for a key
 * right behind it would land on the entry before, so it costs most where the others are far away. How far is far depends
 * on the distance: the best mixture of near and distant contacts is the harmonic one, where gaps grow in proportion to
 * the distance (Kleinberg, "The small-world phenomenon", STOC 2000; Manku et al., "Symphony", USITS 2003). So the gap is
 * taken as the ratio of the distances on both of its sides; for somebody without a place on the ring, as it is.
 */
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { Circle, first } from './circle.js';
import { type Id, turnsBetween } from './identifier.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';

export interface PeerCacheOptions {
  /** The most entries. */
  readonly capacity: number;
  readonly random: Random;
  /** Whose cache it is, if it has a place on the ring: it is not kept itself. */
  readonly self?: Id;
}

interface Entry {
  peer: PeerRef;
  /** Whose word it is, unless it was met. */
  source: Id | undefined;
  isMet: boolean;
  /** How far it is from the owner of the cache. */
  readonly turns: number;
}

/** Entries among which the one to go is chosen. */
const drawn = 8;

export class PeerCache {
  readonly #options: PeerCacheOptions;
  readonly #entries = new Circle<Entry>(({ peer }) => peer.id);
  /** Entries by hearsay, by source. */
  readonly #bySource = new Map<Id, number>();
  /** Peers that were found dead, the latest last. */
  readonly #gone = new Set<Id>();

  constructor(options: PeerCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(id: Id): boolean {
    return this.#entries.get(id) !== undefined;
  }

  /** A peer was spoken with. */
  met(peer: PeerRef): void {
    if (peer.id === this.#options.self) return;
    this.#gone.delete(peer.id);
    const entry = this.#entries.get(peer.id);
    if (entry === undefined) this.#insert(peer, undefined);
    else {
      this.#disown(entry);
      entry.peer = peer;
      entry.isMet = true;
    }
  }

  /** Somebody names peers. */
  heard(peers: Iterable<PeerRef>, source: Id): void {
    for (const peer of peers) {
      if (peer.id === this.#options.self || this.#gone.has(peer.id)) continue;
      const entry = this.#entries.get(peer.id);
      if (entry === undefined) this.#hear(peer, source);
      // It may have moved, by the word of whoever named it before. Of one that was met, that is seen when it does not
      // answer any more; of all others as well: then they are named anew.
      else if (!entry.isMet && entry.source === source) entry.peer = peer;
    }
  }

  /**
   * A peer has said who follows it, and was certain: whoever else the cache has between them is not in the ring. Those
   * that were met keep their places until that is said twice.
   * @param peers the peers that follow `from`, in order
   */
  followed(from: Id, peers: readonly PeerRef[]): void {
    const last = peers.at(-1);
    if (last === undefined) return;
    const named = new Set(peers.map(({ id }) => id));
    for (const entry of this.#between(from, last.id)) {
      if (named.has(entry.peer.id)) continue;
      if (entry.isMet) entry.isMet = false;
      else this.#drop(entry.peer.id);
    }
    this.heard(peers, from);
  }

  /** A peer was found dead, or has said goodbye. */
  remove(id: Id): void {
    this.#drop(id);
    this.#gone.delete(id);
    this.#gone.add(id);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= limits.gonePeers) break;
      this.#gone.delete(oldest);
    }
  }

  /** Some peers that follow each other, beginning at random; fewer if there are no more. */
  some(count: number): readonly PeerRef[] {
    const { size } = this.#entries;
    const from = this.#entries.at(size === 0 ? 0 : this.#options.random.below(size));
    return from === undefined ? [] : this.after(from.peer.id, count);
  }

  /** The nearest peers before a key, nearest first. */
  before(key: Id, limit: number): readonly PeerRef[] {
    return first(limit, this.#entries.before(key)).map(({ peer }) => peer);
  }

  /** The peers behind a place, in the order of the ring. A peer at that place comes last. */
  after(place: Id, limit: number): readonly PeerRef[] {
    return first(limit, this.#entries.after(place)).map(({ peer }) => peer);
  }

  #hear(peer: PeerRef, source: Id): void {
    const { capacity, self } = this.#options;
    const heard = this.#bySource.get(source) ?? 0;
    const most = source === self ? capacity : Math.max(1, capacity / limits.peerSourcesMin);
    if (heard >= most) return;
    this.#bySource.set(source, heard + 1);
    this.#insert(peer, source);
  }

  #insert(peer: PeerRef, source: Id | undefined): void {
    const { capacity, self } = this.#options;
    const turns = self === undefined ? 0 : turnsBetween(self, peer.id);
    const number = this.#entries.add({ peer, source, isMet: source === undefined, turns });
    if (this.#entries.size <= capacity) return;
    const victim = this.#choose(number);
    if (victim !== undefined) this.#drop(victim.peer.id);
  }

  /** Whom to drop for a new entry, or the new one itself: hearsay before those that were met, then the cheapest. */
  #choose(added: number): Entry | undefined {
    let victim = this.#entries.at(added);
    let leastCost = this.#costOf(added);
    for (let draw = 0; draw < drawn; draw += 1) {
      const number = this.#options.random.below(this.#entries.size);
      const entry = this.#entries.at(number);
      const cost = this.#costOf(number);
      if (entry?.isMet === victim?.isMet ? cost < leastCost : victim?.isMet === true) {
        victim = entry;
        leastCost = cost;
      }
    }
    return victim;
  }

  /** What a lookup loses without this entry: how far its neighbours are apart. */
  #costOf(number: number): number {
    const before = this.#entries.at(number - 1);
    const here = this.#entries.at(number);
    const behind = this.#entries.at(number + 1);
    if (before === undefined || here === undefined || behind === undefined) return Infinity;
    if (this.#options.self === undefined) return turnsBetween(before.peer.id, behind.peer.id);
    // Its owner is next to the first entry and to the last one.
    if (before.turns >= here.turns) return Infinity;
    return (behind.turns <= here.turns ? 1 : behind.turns) / before.turns;
  }

  /** The entries strictly between two places. */
  #between(from: Id, to: Id): readonly Entry[] {
    const found: Entry[] = [];
    for (const entry of this.#entries.after(from)) {
      if (!between(from, entry.peer.id, to)) break;
      found.push(entry);
    }
    return found;
  }

  #drop(id: Id): void {
    const entry = this.#entries.remove(id);
    if (entry !== undefined) this.#disown(entry);
  }

  /** The entry is not its source's any more. */
  #disown(entry: Entry): void {
    const { source } = entry;
    if (source === undefined) return;
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left > 0) this.#bySource.set(source, left);
    else this.#bySource.delete(source);
    entry.source = undefined;
  }
}
