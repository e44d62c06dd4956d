/**
 * Getting to know the ring: how a peer fills its cache of others, and keeps it true.
 *
 * A newcomer asks for pages of known peers, each from the last peer on the page before, until it is round or has no more
 * room: sixteen questions at most, of as many peers. What it hears that way is as old as others' memories. So from then
 * on it walks round the ring, a few questions now and then, and has peers say who follows them, which they know for
 * certain: newcomers come in, and those who left without a word go out. In a ring of n peers that takes n divided by the
 * length of a list, and by two, rounds. In between there is news: from lookups, and from peers that come or leave.
 *
 * The list on disk (remembered-peers.ts) has another purpose, and other entries: peers that were members for certain,
 * living or not, through which the ring is found again.
 */
import { limits } from '../base/limits.js';
import { type Id, idPlusPowerOfTwo } from '../ring/identifier.js';
import type { LookupResult } from '../ring/lookup.js';
import type { PeerCache } from '../ring/peer-cache.js';
import type { PeerRef } from '../ring/peer.js';
import { seesWholeRing } from '../ring/state.js';
import { stretchUpTo } from '../ring/successor-list.js';
import type { Finder } from '../wire/lookup.js';
import type { Pointers } from './pointers.js';

export interface AcquaintancesOptions {
  readonly self: PeerRef;
  readonly finder: Finder;
  readonly cache: PeerCache;
  readonly pointers: Pointers;
  /** Looks a key up, beginning here. */
  readonly find: (key: Id, signal: AbortSignal) => Promise<LookupResult>;
}

/** Stretches of the ring that are looked at in a round. */
const stretchesInRound = 2;

export class Acquaintances {
  readonly #options: AcquaintancesOptions;
  #isFilled = false;
  /** How far the walk round the ring has come; undefined where it begins, at the end of the own list. */
  #seenTo: Id | undefined;

  constructor(options: AcquaintancesOptions) {
    this.#options = options;
  }

  /**
   * The known peers behind a place, this peer's own successors included.
   * @throws PeerStoreError UNSETTLED while this peer is outside the ring.
   */
  page(place: Id): readonly PeerRef[] {
    const { self, cache, pointers } = this.#options;
    cache.followed(self.id, pointers.inside.successors);
    return cache.after(place, limits.knownPeersPage);
  }

  /** One round of it. @throws PeerStoreError UNREACHABLE, CANCELLED. */
  async round(signal: AbortSignal): Promise<void> {
    const { self, cache, finder, pointers } = this.#options;
    const { successors } = pointers.now;
    const last = successors.at(-1);
    // Whose list names everybody has nothing to learn.
    if (last === undefined || seesWholeRing(pointers.now)) return;
    cache.followed(self.id, successors);
    if (!this.#isFilled) await finder.learnAll(last, self.id, signal);
    this.#isFilled = true;
    for (let at = 0; at < stretchesInRound; at += 1) await this.#lookAtStretch(signal);
  }

  /** Asks who follows the last stretch that was looked at. */
  async #lookAtStretch(signal: AbortSignal): Promise<void> {
    const { self, pointers, find } = this.#options;
    const from = this.#seenTo ?? pointers.now.successors.at(-1)?.id ?? self.id;
    this.#seenTo = undefined;
    const { peers } = await find(idPlusPowerOfTwo(from, 0), signal);
    const last = stretchUpTo(self.id, from, peers).at(-1);
    this.#seenTo = last?.id;
  }
}
