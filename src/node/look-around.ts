/**
 * Finding the rest of the ring. A network that was cut leaves rings that know nothing of each other; and a ring may be in
 * order for each of its peers and still wrong as a whole, when it goes round more than once before it comes back to
 * where it began (Liben-Nowell, Balakrishnan and Karger, "Analysis of the evolution of peer-to-peer systems", PODC 2002:
 * weakly stable, and loopy).
 *
 * In either case stabilize finds nothing to mend, but the peers disagree on who follows whom. So a peer asks others who
 * follows it, as they see it without this peer: its first successor, for a ring that is loopy (the paper's strong
 * stabilization), and in turn all that it remembers and does not see, for rings that were parted. Whom they name is
 * either the first successor already, or a nearer one, which is adopted, or one farther on, which has somebody before it
 * that does not know this peer: then that one is told of us. Any disagreement is enough: from there stabilize closes
 * the rings into one like a zip, backwards, from one peer to the next before it. (That a peer
 * passes on whoever lies in between in both directions is the ring unification of Shafaat, Ghodsi and Haridi, "Handling
 * network partitions and mergers in structured overlay networks", P2P 2007.)
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import { between } from '../ring/interval.js';
import type { PeerRef } from '../ring/peer.js';
import { firstSuccessor, type RingState } from '../ring/state.js';
import type { RememberedPeers } from './remembered-peers.js';
import type { Routes } from './routes.js';
import type { Stabilizer } from './stabilizer.js';

export interface LookAroundOptions {
  readonly self: PeerRef;
  readonly random: Random;
  readonly remembered: RememberedPeers;
  readonly routes: Routes;
  readonly stabilizer: Stabilizer;
  /** The pointers of this moment. @throws PeerStoreError UNSETTLED while the peer is outside the ring. */
  readonly state: () => RingState;
  readonly signal: AbortSignal;
}

export class LookAround {
  readonly #options: LookAroundOptions;
  /** Remembered peers that have had their turn; when all have, it begins anew. */
  readonly #hadTurn = new Set<Id>();

  constructor(options: LookAroundOptions) {
    this.#options = options;
  }

  /**
   * One round.
   * @returns whether anybody sees another place for this peer than it has itself.
   */
  async round(): Promise<boolean> {
    const [head] = this.#options.state().successors;
    const through = [...(head === undefined ? [] : [head]), ...this.#someUnseen()];
    const seen = await Promise.all(through.map((peer) => this.#nextAsSeenBy(peer)));
    const next = new Map<Id, PeerRef>();
    for (const peer of seen) if (peer !== undefined) next.set(peer.id, peer);
    let isNews = false;
    for (const peer of next.values()) if (await this.#meet(peer)) isNews = true;
    return isNews;
  }

  /** Who follows this peer in the ring that another one is in. */
  async #nextAsSeenBy(peer: PeerRef): Promise<PeerRef | undefined> {
    const { self, routes, signal } = this.#options;
    try {
      return (await routes.find(self.id, [peer], signal, { except: self.id })).peers[0];
    } catch (error) {
      // Remembered peers are gone more often than not.
      if (error instanceof PeerStoreError) return undefined;
      throw error;
    }
  }

  /** Takes a peer that follows this one for somebody into account. @returns whether there was anything to do. */
  async #meet(next: PeerRef): Promise<boolean> {
    const { self, state, stabilizer } = this.#options;
    const first = firstSuccessor(state());
    if (next.id === first.id) return false;
    if (!between(self.id, next.id, first.id)) return stabilizer.notify(next);
    await stabilizer.stabilizeFrom(next);
    return true;
  }

  /** Remembered peers that are no neighbours, some in each round, until all have had their turn. */
  #someUnseen(): readonly PeerRef[] {
    const { random, remembered, state } = this.#options;
    const { predecessor, successors } = state();
    const neighbours = new Set([predecessor?.id, ...successors.map(({ id }) => id)]);
    const unseen = remembered.all().filter(({ id }) => !neighbours.has(id));
    let waiting = unseen.filter(({ id }) => !this.#hadTurn.has(id));
    if (waiting.length === 0) {
      this.#hadTurn.clear();
      waiting = unseen;
    }
    const chosen: PeerRef[] = [];
    while (chosen.length < limits.lookAroundPeers && waiting.length > 0) {
      chosen.push(...waiting.splice(random.below(waiting.length), 1));
    }
    for (const { id } of chosen) this.#hadTurn.add(id);
    return chosen;
  }
}
