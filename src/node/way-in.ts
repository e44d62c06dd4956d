/**
 * A peer's way into the ring: the first one, another one where whoever let it in is gone, and the way back when it has
 * lost its ring; and when the ring has taken it in.
 */
import { hasCode, isFailure, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { shuffled } from '../base/random.js';
import { between } from '../ring/interval.js';
import { isSamePeer, type PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import { aloneState, firstSuccessor } from '../ring/state.js';
import type { Endpoint } from '../wire/transport.js';
import type { Introductions } from './introductions.js';
import { enterPatiently, type PlaceTools } from './join.js';
import type { Liveness } from './liveness.js';
import { neighbourhoodOf } from './neighbourhood.js';
import type { Pointers } from './pointers.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface WayInOptions extends PlaceTools {
  readonly pointers: Pointers;
  readonly introductions: Introductions;
  readonly liveness: Liveness;
  readonly remembered: RememberedPeers;
}

export class WayIn {
  readonly #options: WayInOptions;

  constructor(options: WayInOptions) {
    this.#options = options;
  }

  /**
   * Enters the ring that the given peers belong to.
   * @param entries whom to ask; the ids may be unknown, as of an address from an invite
   * @param patienceMs how long to try while the ring is in motion
   * @throws PeerStoreError UNREACHABLE when none of them leads to a ring, or what one of them said.
   */
  join(entries: readonly Endpoint[], patienceMs: number): Promise<void> {
    return this.#join(entries, patienceMs, (member) => this.#options.introductions.enterBy(member));
  }

  async #join(
    entries: readonly Endpoint[],
    patienceMs: number,
    enterBy: (member: PeerRef) => Promise<void>,
  ): Promise<void> {
    const { pointers } = this.#options;
    try {
      // Whoever let this peer in may be dead when it has to begin again; those whom it knows by then may live.
      const known = (): readonly Endpoint[] => [...entries, ...pointers.now.successors];
      await enterPatiently(known, patienceMs, this.#options, enterBy);
    } catch (error) {
      await pointers.take(() => {
        if (!pointers.isInside) pointers.withdraw();
      });
      throw error;
    }
  }

  /**
   * Goes behind another member, where whoever let this peer in seems to be gone before others knew of it. Without
   * success it stays where it is.
   * @param entries whom to ask beside some of those that it remembers
   */
  async joinAnew(entries: readonly Endpoint[]): Promise<void> {
    const { remembered, introductions, random, log } = this.#options;
    const some = shuffled(remembered.all(), random).slice(0, limits.lookAroundPeers);
    try {
      await enterPatiently(
        () => [...entries, ...some],
        0,
        this.#options,
        (member) => introductions.enterBy(member),
      );
    } catch (error) {
      if (!(error instanceof PeerStoreError)) throw error;
      log.debug('could not join anew', { error: messageOf(error) });
    }
  }

  /**
   * Looks whether the ring has taken this peer in: its predecessor, itself inside, names it, where it is now, as its first
   * successor, and so does the list of the one before that, for else the ring would forget this peer with the predecessor;
   * and those behind it know that the keys before it are not their own any more. From then on it is inside.
   */
  async isTakenIn(): Promise<boolean> {
    const { pointers, self } = this.#options;
    if (pointers.isInside) return true;
    const { predecessor, successors } = pointers.now;
    if (predecessor === null) {
      if (successors.length === 0) pointers.enter();
      return pointers.isInside;
    }
    try {
      const { found, peers, predecessor: before } = await this.#askInside(predecessor);
      const isNamed = found && isSamePeer(peers[0], self);
      if (!isNamed || before === undefined) return pointers.isInside;
      const isKnown = before.id === self.id || (await this.#isInListOf(before));
      if (isKnown && (await this.#isKnownBehind())) pointers.enter();
      return pointers.isInside;
    } catch (error) {
      if (error instanceof PeerStoreError) return false;
      throw error;
    }
  }

  /**
   * Whether the first successor knows that the keys before this peer are not its own; and, where that one is a newcomer as
   * well, the first peer behind it that is inside: until then that one holds them to be its own.
   */
  async #isKnownBehind(): Promise<boolean> {
    const { pointers, self } = this.#options;
    for (const peer of pointers.now.successors) {
      const isFirst = peer === firstSuccessor(pointers.now);
      try {
        const { predecessor } = await this.#askInside(peer);
        if (isSamePeer(predecessor, self)) return true;
        return !isFirst && predecessor !== undefined && between(self.id, predecessor.id, peer.id);
      } catch (error) {
        if (!hasCode(error, 'UNSETTLED')) throw error;
      }
      if (isFirst && !(await this.#isBefore(peer))) return false;
    }
    // More newcomers in a row than a list is long: they come in from the front.
    return true;
  }

  /** What a peer says of this one's place. @throws PeerStoreError UNSETTLED when it is not inside, or what the network said. */
  async #askInside(peer: PeerRef): Promise<LookupStep> {
    const { transport, signal, self } = this.#options;
    const options = { timeoutMs: limits.pointersTimeoutMs, signal };
    return (await transport.call(peer, 'successor', { key: self.id }, options)).response;
  }

  async #isInListOf(peer: PeerRef): Promise<boolean> {
    const { transport, signal, self } = this.#options;
    const { successors } = await neighbourhoodOf(transport, peer, signal);
    return successors.some((one) => isSamePeer(one, self));
  }

  async #isBefore(peer: PeerRef): Promise<boolean> {
    const { transport, signal, self } = this.#options;
    const { predecessor } = await neighbourhoodOf(transport, peer, signal);
    return isSamePeer(predecessor, self);
  }

  /**
   * Back into the ring by those that this peer remembers; when none of them is there, it is a ring of its own. Where they
   * are there and lead nowhere, or back to the one that is gone, since their own lists end with it: then the next one of
   * them, clockwise, comes next, and stabilize finds who lies before that one.
   */
  async back(): Promise<void> {
    const { pointers, introductions, remembered, log } = this.#options;
    const lost = pointers.now.successors[0]?.id;
    // Others may have found this peer in the meantime.
    const isMended = (): boolean => pointers.now.successors[0]?.id !== lost;
    try {
      await this.#join(remembered.all(), limits.rejoinPatienceMs, async (member) => {
        if (!isMended()) await introductions.enterBy(member);
      });
    } catch (error) {
      if (!isFailure(error)) throw error;
      log.debug('could not come back by others', { error: messageOf(error) });
    }
    if (isMended()) return;
    const next = await this.#nextThatAnswers();
    await pointers.take(() => {
      if (isMended()) return;
      const { self, predecessor } = pointers.now;
      pointers.become(next === undefined ? aloneState(self) : { self, predecessor, successors: [next] });
    });
  }

  /** The first peer behind this one, of those that it knows, that answers. */
  async #nextThatAnswers(): Promise<PeerRef | undefined> {
    const { remembered, liveness, pointers } = this.#options;
    const { self, predecessor } = pointers.now;
    const known = [...remembered.all(), ...(predecessor === null ? [] : [predecessor])];
    const answering = await Promise.all(
      known.map(async (peer) => ((await liveness.answers(peer)) ? peer : undefined)),
    );
    return answering
      .filter((peer) => peer !== undefined)
      .sort((a, b) => (a.id === b.id ? 0 : between(self.id, a.id, b.id) ? -1 : 1))[0];
  }
}
