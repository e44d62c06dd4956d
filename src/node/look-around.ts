/**
 * Finding the rest of the ring. A network that was cut leaves rings that know nothing of each other. And a ring may look right
 * to each of its peers and be wrong as a whole, when it goes round more than once before it comes back to where it began
 * (weakly stable, and loopy: Liben-Nowell, Balakrishnan and Karger, "Analysis of the evolution of peer-to-peer
 * systems", PODC 2002).
 *
 * In both cases stabilize finds nothing to mend; but somewhere two peers do not agree on who follows a third. So a peer
 * asks others who comes next after it, as they see it: its first successor, which finds a ring that is loopy (the
 * paper's strong stabilization), and in turn all that it remembers and are not its neighbours, which finds other rings.
 * Whom they name is its first successor; or lies before that one, and is adopted as a nearer one; or lies
 * behind it, and has a predecessor that has never heard of this peer: then it is told of us.
 *
 * One such meeting is enough. From there stabilize closes two rings into one like a zip, each peer telling its former
 * predecessor of the new one, in as many steps as there are peers. (To pass on to either side whoever lies in between is
 * the ring unification of Shafaat, Ghodsi and Haridi, "Handling network partitions and mergers in structured overlay
 * networks", P2P 2007. They also spread the news at random, for rings of thousands; here the peers' own rounds begin
 * a zip at many places at once.)
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import { between } from '../ring/interval.js';
import type { PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import { firstSuccessor } from '../ring/state.js';
import type { Liveness } from './liveness.js';
import type { Pointers } from './pointers.js';
import type { RememberedPeers } from './remembered-peers.js';
import type { Routes } from './routes.js';
import type { Stabilizer } from './stabilizer.js';

export interface LookAroundOptions {
  readonly self: PeerRef;
  readonly random: Random;
  readonly remembered: RememberedPeers;
  readonly routes: Pick<Routes, 'find'>;
  readonly stabilizer: Pick<Stabilizer, 'notify' | 'stabilizeFrom'>;
  readonly pointers: Pointers;
  readonly liveness: Pick<Liveness, 'answers'>;
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
    const [head] = this.#options.pointers.now.successors;
    const through = [...(head === undefined ? [] : [head]), ...this.#someUnseen()];
    // Most of them lead to the same neighbours.
    const answers = new Map<Id, Promise<LookupStep>>();
    const seen = await Promise.all(
      through.flatMap((peer) => [this.#nextAsSeenBy(peer, answers), this.#ifItIsNearer(peer)]),
    );
    const next = new Map<Id, PeerRef>();
    for (const peer of seen) if (peer !== undefined) next.set(peer.id, peer);
    let isNews = false;
    for (const peer of next.values()) if (await this.#meet(peer)) isNews = true;
    return isNews;
  }

  /**
   * Who follows this peer in the ring that another one is in: a member that says itself that it lives. A newcomer on its way
   * in comes to its place by the protocol's own steps, which pass nobody over.
   */
  async #nextAsSeenBy(peer: PeerRef, answers: Map<Id, Promise<LookupStep>>): Promise<PeerRef | undefined> {
    const { self, routes, signal } = this.#options;
    try {
      const options = { signal, except: self.id, confirm: true, answers };
      return (await routes.find(self.id, [peer], options)).peers[0];
    } catch (error) {
      // Remembered peers are gone more often than not.
      if (error instanceof PeerStoreError) return undefined;
      throw error;
    }
  }

  /**
   * A peer that lies before the first successor, if it answers. Where the list names dead ones only, this is the way on:
   * then nobody who can be asked sees past the gap.
   */
  async #ifItIsNearer(peer: PeerRef): Promise<PeerRef | undefined> {
    const { self, pointers, liveness } = this.#options;
    if (!between(self.id, peer.id, firstSuccessor(pointers.now).id)) return undefined;
    return (await liveness.answers(peer)) ? peer : undefined;
  }

  /** Somebody sees this peer before `next`. @returns whether that is news to either. */
  async #meet(next: PeerRef): Promise<boolean> {
    const { self, pointers, stabilizer } = this.#options;
    const first = firstSuccessor(pointers.now);
    if (next.id === first.id) return false;
    if (!between(self.id, next.id, first.id)) return stabilizer.notify(next);
    await stabilizer.stabilizeFrom(next);
    return true;
  }

  /** Remembered peers that are no neighbours, some in each round, until all have had their turn. */
  #someUnseen(): readonly PeerRef[] {
    const { random, remembered, pointers } = this.#options;
    const { predecessor, successors } = pointers.now;
    const neighbours = new Set([predecessor?.id, ...successors.map(({ id }) => id)]);
    const unseen = remembered.all().filter(({ id }) => !neighbours.has(id));
    const ids = new Set(unseen.map(({ id }) => id));
    for (const id of this.#hadTurn) if (!ids.has(id)) this.#hadTurn.delete(id);
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
