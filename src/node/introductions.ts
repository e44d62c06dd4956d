/**
 * A newcomer's way into the ring, over the network: src/ring/entry.ts says whom it has to meet, and why.
 *
 * A member that does not see the whole ring has no list of everybody: there the newcomer has joined as soon as that
 * member, which it belongs right behind, has taken it in, and is inside when the ring shows that it knows it.
 */
import { isFailure, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import { type Acquaintance, meet, missed, noAcquaintance, strangers } from '../ring/entry.js';
import type { PeerRef } from '../ring/peer.js';
import { faultIn, type Neighbourhood, seesWholeRing } from '../ring/state.js';
import { forgetMember, isPlaceOf, join } from '../ring/steps.js';
import { takeIn, without } from '../ring/whole-ring.js';
import { meansNoAnswer } from '../wire/errors.js';
import type { Transport } from '../wire/transport.js';
import type { Liveness } from './liveness.js';
import type { Pointers } from './pointers.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface IntroductionsOptions {
  readonly self: PeerRef;
  readonly pointers: Pointers;
  readonly transport: Transport;
  readonly liveness: Liveness;
  readonly random: Random;
  readonly remembered: RememberedPeers;
  /** Entries of a successor list. */
  readonly listLength: number;
  readonly signal: AbortSignal;
}

/** What a peer answers to a newcomer: its pointers as they were before. */
export interface Welcome extends Neighbourhood {
  /** Whether it is itself inside. */
  readonly isInside: boolean;
  /** Tells its process from those before it. */
  readonly life: number;
  /** Members that are not here now, where it sees the whole ring. */
  readonly absent: readonly PeerRef[];
}

export class Introductions {
  readonly #options: IntroductionsOptions;
  readonly #life: number;
  /** Newcomers that are being called. */
  #callingBack = 0;
  /** Those that this peer has let in while it was itself on its way in. */
  #guests: PeerRef[] = [];

  constructor(options: IntroductionsOptions) {
    this.#options = options;
    this.#life = options.random.below(2 ** 32);
  }

  /**
   * A newcomer has introduced itself: it takes its place in the list at once.
   * @throws PeerStoreError UNSETTLED before this peer has joined; UNREACHABLE when nobody answers at its address, for it
   *   would own keys that nobody gets to; BUSY when too many others are being called just now.
   */
  async welcome(newcomer: PeerRef): Promise<Welcome> {
    const { pointers, remembered, listLength } = this.#options;
    if (pointers.hasJoined && !(await this.#canBeCalled(newcomer))) {
      throw new PeerStoreError(
        'UNREACHABLE',
        `nobody answers at ${newcomer.address}, where others are to reach this peer; is it the right address, and is it open?`,
      );
    }
    return pointers.take(() => {
      const before = pointers.settled;
      pointers.become(takeIn(before, newcomer, listLength));
      if (!pointers.isInside) this.#guests.push(newcomer);
      else if (this.#guests.length > 0) this.#guests = [];
      const absent = seesWholeRing(before) ? remembered.absentFrom(before, listLength) : [];
      return { ...before, isInside: pointers.isInside, life: this.#life, absent };
    });
  }

  async #canBeCalled(newcomer: PeerRef): Promise<boolean> {
    if (this.#callingBack >= limits.callBacks) {
      throw new PeerStoreError(
        'BUSY',
        'too many peers are coming in here at once; come back a little later',
        {
          retryAfterMs: limits.busyRetryAfterMs,
        },
      );
    }
    this.#callingBack += 1;
    try {
      return await this.#options.liveness.answers(newcomer);
    } finally {
      this.#callingBack -= 1;
    }
  }

  /**
   * Joins the ring by a member, and enters it if that member sees the whole ring.
   * @throws PeerStoreError UNSETTLED when it is to be tried again from the beginning.
   */
  async enterBy(witness: PeerRef): Promise<void> {
    const { self, pointers, listLength } = this.#options;
    const first = await this.#introduceTo(witness);
    const member = without(first, self.id);
    if (!isPlaceOf(self, member)) throw unsettled('the place is no longer free');
    const isWhole = seesWholeRing(member);
    if (isWhole && !first.isInside) throw unsettled('the member is itself still on its way into the ring');
    if (!isWhole && member.successors.length === 0) throw unsettled('the member knows nobody else just now');
    await pointers.take(() => {
      const joined = join(self, member, listLength);
      // Who comes in anew has let others in meanwhile, of whom this member may not have heard yet.
      pointers.become(this.#guests.reduce((state, guest) => takeIn(state, guest, listLength), joined));
    });
    pointers.join();
    if (!isWhole) return;
    let known = await this.#meetAll(meet(noAcquaintance(self.id), member));
    for (let round = 0; round < limits.joinSteps; round += 1) {
      // In a crowd of newcomers the ring outgrows the lists, and it is too large for everybody to know everybody.
      if (!seesWholeRing(pointers.now)) return;
      const again = await this.#introduceTo(witness);
      if (again.life !== first.life) throw unsettled('the member that let this peer in has restarted');
      known = meet(known, again);
      if (strangers(known).length === 0) {
        pointers.enter();
        return;
      }
      known = await this.#meetAll(known);
    }
    throw unsettled('ever more peers are coming into the ring');
  }

  /** Introduces this peer to everybody of whom it hears. */
  async #meetAll(begin: Acquaintance): Promise<Acquaintance> {
    let known = begin;
    for (let round = 0; round < limits.joinSteps; round += 1) {
      const next = strangers(known);
      if (next.length === 0 || !seesWholeRing(this.#options.pointers.now)) break;
      const meetings = next.map(async (peer) => ({ peer, welcome: await this.#meet(peer) }));
      for (const { peer, welcome } of await Promise.all(meetings)) {
        known = welcome === undefined ? missed(known, peer.id) : meet(known, welcome);
      }
    }
    return known;
  }

  /** @returns what a peer answered; undefined when it is dead, or beyond our reach, where only others can tell it. */
  async #meet(peer: PeerRef): Promise<Welcome | undefined> {
    const { pointers, liveness, transport, self, listLength, signal } = this.#options;
    try {
      const { response } = await transport.call(peer, 'introduce', { peer: self }, { signal });
      this.#heed(peer, response);
      await pointers.take(() => pointers.become(takeIn(pointers.now, peer, listLength)));
      return response;
    } catch (error) {
      if (!meansNoAnswer(error)) throw passing(error);
    }
    const isDead = await liveness.isDeadForRouting(peer);
    if (!isDead && !liveness.isVouchedFor(peer)) throw unsettled('a peer did not answer, and lives');
    if (isDead) await pointers.take(() => pointers.become(forgetMember(pointers.now, peer.id)));
    return undefined;
  }

  /** Takes what a peer answers, if it can be. @throws PeerStoreError PROTOCOL. */
  #heed(from: PeerRef, welcome: Welcome): void {
    const fault = welcome.self.id === from.id ? faultIn(welcome) : 'they are not its own';
    if (fault !== undefined)
      throw new PeerStoreError('PROTOCOL', `the pointers of ${from.address} are refused: ${fault}`);
    this.#options.remembered.hearOf(welcome.absent);
  }

  async #introduceTo(witness: PeerRef): Promise<Welcome> {
    const { transport, self, signal } = this.#options;
    try {
      const { response } = await transport.call(witness, 'introduce', { peer: self }, { signal });
      this.#heed(witness, response);
      return response;
    } catch (error) {
      throw passing(error);
    }
  }
}

/** What a newcomer takes for a reason to try again, unless it is to stop altogether. */
function passing(error: unknown): unknown {
  return isFailure(error)
    ? new PeerStoreError('UNSETTLED', `could not come in yet: ${error.message}`, { cause: error })
    : error;
}

function unsettled(why: string): PeerStoreError {
  return new PeerStoreError('UNSETTLED', why, { retryAfterMs: limits.unsettledRetryMs });
}
