/**
 * A peer's place in the ring: carries out the steps of src/ring/steps.ts over the network.
 *
 * The protocol is correct only if each step is atomic. So operations that may change the pointers run one after the
 * other, and while one of them waits for an answer that it will apply, questions about the pointers are answered with
 * UNSETTLED: the asker knows that this peer lives, drops its own step, and comes back in a moment. (The paper lets the
 * asker wait; a refusal does the same and cannot end in peers waiting for each other in a circle.) Lookups read the
 * pointers as they are at any moment.
 */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { FingerTable } from '../ring/fingers.js';
import { type Id, shortId } from '../ring/identifier.js';
import { between } from '../ring/interval.js';
import type { LookupResult } from '../ring/lookup.js';
import type { PeerRef } from '../ring/peer.js';
import { type LookupStep, lookupStep } from '../ring/routing.js';
import { aloneState, faultIn, firstSuccessor, type Neighbourhood, type RingState } from '../ring/state.js';
import * as steps from '../ring/steps.js';
import { lookupOverWire } from '../wire/lookup.js';
import type { Endpoint, Transport } from '../wire/transport.js';
import { isDead, meansNoAnswer } from './liveness.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface MembershipOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly remembered: RememberedPeers;
  /** Entries of a successor list. */
  readonly listLength: number;
}

/** What came of a question for a peer's pointers. */
type Answer =
  | { readonly kind: 'answer'; readonly from: Neighbourhood }
  | { readonly kind: 'dead' }
  /** It lives, and cannot or would not say now. */
  | { readonly kind: 'later' };

export class Membership {
  readonly #options: MembershipOptions;
  readonly #fingers: FingerTable;
  readonly #waitingNotifies = new Map<Id, PeerRef>();
  #state: RingState;
  /** Operations that may change the pointers, one behind the other. */
  #operations: Promise<void> = Promise.resolve();
  /** Whether an operation waits for an answer that it will apply. */
  #unsettled = false;
  #nextFinger = 0;
  #doubting = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#state = aloneState(options.self);
    this.#fingers = new FingerTable(options.self.id);
  }

  /** The pointers as they are at this moment: for lookups, placement and people. */
  get state(): RingState {
    return this.#state;
  }

  /** Whether this peer is a ring of one. */
  get isAlone(): boolean {
    return this.#state.successors.length === 0;
  }

  /** The distinct peers that the fingers point to. */
  get fingers(): readonly PeerRef[] {
    return this.#fingers.peers();
  }

  /**
   * The pointers, for a peer that may base its own on them.
   * @throws PeerStoreError UNSETTLED while they are about to change.
   */
  settledState(): RingState {
    if (this.#unsettled) {
      throw new PeerStoreError('UNSETTLED', 'this peer is just changing its pointers', {
        retryAfterMs: limits.unsettledRetryMs,
      });
    }
    return this.#state;
  }

  /** One step of somebody's lookup. */
  lookupStep(key: Id): LookupStep {
    return lookupStep(this.#state, this.#fingers.peers(), key);
  }

  /**
   * Finds the peer responsible for a key, beginning here.
   * @throws PeerStoreError UNREACHABLE, CANCELLED.
   */
  lookup(key: Id, signal?: AbortSignal): Promise<LookupResult> {
    return this.#lookupFrom([this.#options.self], key, signal);
  }

  /**
   * Enters the ring that the given peers belong to.
   * @param entries whom to ask; the ids may be unknown, as of an address from an invite
   * @throws PeerStoreError UNREACHABLE when none of them leads to a ring, or what the last of them said.
   */
  async join(entries: readonly Endpoint[]): Promise<void> {
    let failure: unknown = new PeerStoreError('UNREACHABLE', 'there is no peer to join through');
    for (let attempt = 0; attempt < joinAttempts; attempt += 1) {
      for (const entry of entries) {
        try {
          await this.#exclusively(() => this.#joinThrough(entry));
          return;
        } catch (error) {
          failure = error;
          this.#options.log.debug('could not join through a peer', {
            peer: entry.address,
            error: messageOf(error),
          });
        }
      }
      // Only a ring in motion is worth another attempt; a peer that is not there will not be there in a moment.
      if (!hasCode(failure, 'UNSETTLED', 'BUSY', 'TIMEOUT')) break;
      await sleep(this.#options.clock, jittered(this.#options.random, joinPauseMs, 0.5));
    }
    throw failure;
  }

  /** Whether the ring has taken this peer in: its predecessor names it as its first successor. */
  async isTakenIn(): Promise<boolean> {
    const { predecessor, self } = this.#state;
    if (predecessor === null) return this.#state.successors.length === 0;
    const answer = await this.#ask(predecessor);
    return answer.kind === 'answer' && firstSuccessor(answer.from).id === self.id;
  }

  /** One round of stabilize: the first successor is asked, and told of us. @returns whether the pointers changed. */
  stabilize(): Promise<boolean> {
    return this.#exclusively(async () => {
      const before = this.#state;
      const head = firstSuccessor(before);
      if (head.id === before.self.id) {
        await this.#carryOut(steps.stabilize(before, before, this.#options.listLength));
      } else {
        const answer = await this.#ask(head);
        if (answer.kind === 'answer') {
          await this.#carryOut(steps.stabilize(before, answer.from, this.#options.listLength));
        } else if (answer.kind === 'dead') {
          this.#bury(head);
          await this.#carryOut(steps.stabilizeWithoutAnswer(before));
        }
      }
      this.#options.remembered.see(this.#state.successors);
      return this.#state !== before && JSON.stringify(this.#state) !== JSON.stringify(before);
    });
  }

  /** A peer says that it may be our predecessor. Answered at once, looked into in turn. */
  notified(candidate: PeerRef): void {
    this.#options.remembered.see([candidate]);
    const waits = this.#waitingNotifies.has(candidate.id);
    if (!waits && this.#waitingNotifies.size >= limits.waitingNotifies) return;
    this.#waitingNotifies.set(candidate.id, candidate);
    if (waits) return;
    void this.#exclusively(async () => {
      this.#waitingNotifies.delete(candidate.id);
      await this.#rectify(candidate);
    });
  }

  /** Asks the predecessor whether it lives, and forgets it when it does not. */
  checkPredecessor(): Promise<void> {
    return this.#exclusively(async () => {
      const { predecessor } = this.#state;
      if (predecessor === null) return;
      if (!(await this.#lives(predecessor))) {
        this.#bury(predecessor);
        this.#state = steps.forgetPredecessor(this.#state);
      }
    });
  }

  /** Somebody takes this peer for responsible where it sees its predecessor: that one may be dead. Looked into in turn. */
  doubtPredecessor(): void {
    if (this.#doubting) return;
    this.#doubting = true;
    void this.checkPredecessor().finally(() => {
      this.#doubting = false;
    });
  }

  /** Sets the fingers: those that the successor list answers, and one more by a lookup. */
  async fixFingers(): Promise<void> {
    const beyond = this.#fingers.fillFromSuccessors(this.#state);
    if (beyond.length === 0) return;
    this.#nextFinger = (this.#nextFinger + 1) % beyond.length;
    const power = beyond[this.#nextFinger] ?? 0;
    const { peers } = await this.lookup(this.#fingers.start(power));
    if (peers[0] !== undefined) this.#fingers.set(power, peers[0]);
  }

  /**
   * Looks this peer up through one that it remembers but does not see now. If that one lives in another part of a ring
   * that was cut in two, the answer is a nearer successor than ours, and adopting it joins the parts again.
   */
  async lookAround(): Promise<void> {
    const { random, remembered } = this.#options;
    const seen = new Set(this.#state.successors.map(({ id }) => id));
    const unseen = remembered.all().filter(({ id }) => !seen.has(id) && id !== this.#state.predecessor?.id);
    const through = unseen[random.below(Math.max(1, unseen.length))];
    if (through === undefined) return;
    let nearest: PeerRef | undefined;
    try {
      const { peers } = await this.#lookupFrom([through], this.#state.self.id);
      nearest = peers.find(({ id }) => id !== this.#state.self.id);
    } catch (error) {
      this.#options.log.debug('a remembered peer leads nowhere', {
        peer: through.address,
        error: messageOf(error),
      });
    }
    if (nearest === undefined) return;
    const candidate = nearest;
    await this.#exclusively(async () => {
      if (!between(this.#state.self.id, candidate.id, firstSuccessor(this.#state).id)) return;
      const answer = await this.#ask(candidate);
      if (answer.kind !== 'answer') return;
      await this.#carryOut(
        steps.stabilizeFromPredecessor(this.#state, answer.from, this.#options.listLength),
      );
    });
  }

  /** A neighbour leaves in good order. */
  neighbourLeft(leaving: Neighbourhood): void {
    if (faultIn(leaving) !== undefined) return;
    void this.#exclusively(() => {
      this.#state = steps.afterLeave(this.#state, leaving, this.#options.listLength);
      this.#fingers.remove(leaving.self.id);
      this.#options.remembered.forget(leaving.self.id);
      return Promise.resolve();
    });
  }

  /** Tells the neighbours that this peer leaves now. Whoever cannot be told finds out by itself. */
  async leave(): Promise<void> {
    const { self, predecessor, successors } = this.#state;
    const told = new Map<Id, PeerRef>();
    if (predecessor !== null) told.set(predecessor.id, predecessor);
    if (successors[0] !== undefined) told.set(successors[0].id, successors[0]);
    await Promise.all(
      [...told.values()].map(async (peer) => {
        try {
          await this.#options.transport.call(peer, 'leave', { peer: self, predecessor, successors });
        } catch (error) {
          this.#options.log.info('a neighbour could not be told that this peer leaves', {
            peer: peer.address,
            error: messageOf(error),
          });
        }
      }),
    );
  }

  /** Resolves when no operation is under way. */
  async settled(): Promise<void> {
    await this.#operations;
  }

  #exclusively<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#operations.then(operation);
    this.#operations = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #carryOut({ state, next }: steps.Step): Promise<void> {
    this.#state = state;
    if (next.do === 'notify') await this.#notify(next.peer);
    if (next.do !== 'ask') return;
    const answer = await this.#ask(next.peer);
    if (answer.kind === 'answer') {
      await this.#carryOut(steps.stabilizeFromPredecessor(state, answer.from, this.#options.listLength));
    } else if (answer.kind === 'dead') {
      await this.#carryOut(steps.stabilizeFromPredecessorWithoutAnswer(state));
    }
  }

  async #rectify(candidate: PeerRef): Promise<void> {
    const rectified = steps.rectify(this.#state, candidate);
    if (rectified !== undefined) {
      this.#state = rectified;
      return;
    }
    const { predecessor } = this.#state;
    if (predecessor === null || (await this.#lives(predecessor))) return;
    this.#bury(predecessor);
    this.#state = steps.rectifyAfterPing(this.#state, candidate);
  }

  async #joinThrough(entry: Endpoint): Promise<void> {
    const { self, transport, listLength, log } = this.#options;
    const { response } = await transport.call(entry, 'successor', { key: self.id });
    const start = response.peers.filter(({ id }) => id !== self.id);
    // The entry is the whole ring and knows us from before: it is where we belong.
    if (start.length === 0)
      throw new PeerStoreError('UNSETTLED', `the peer at ${entry.address} knows nobody yet`);
    let place = response.found ? start[0] : undefined;
    if (place === undefined) {
      const { peers } = await this.#lookupFrom(start, self.id);
      place = peers.find(({ id }) => id !== self.id);
    }
    // From the successor backwards, or forwards past newcomers, to the member that we belong behind.
    for (let step = 0; step < joinSteps && place !== undefined; step += 1) {
      const member = withoutPeer(await this.#neighbourhoodOf(place), self.id);
      if (steps.isPlaceOf(self, member)) {
        this.#state = steps.join(self, member, listLength);
        this.#options.remembered.see([member.self, ...member.successors]);
        log.debug('joined', {
          behind: shortId(member.self.id),
          before: shortId(firstSuccessor(this.#state).id),
        });
        return;
      }
      const forward = between(member.self.id, firstSuccessor(member).id, self.id);
      place = forward ? firstSuccessor(member) : (member.predecessor ?? undefined);
    }
    throw new PeerStoreError(
      'UNSETTLED',
      `the ring at ${entry.address} is changing; found no place in it yet`,
    );
  }

  async #neighbourhoodOf(peer: PeerRef): Promise<Neighbourhood> {
    const { response } = await this.#options.transport.call(
      peer,
      'successorList',
      {},
      { timeoutMs: askTimeoutMs },
    );
    const fault = faultIn(response);
    if (fault !== undefined || response.self.id !== peer.id) {
      throw new PeerStoreError(
        'PROTOCOL',
        `the pointers of ${peer.address} are refused: ${fault ?? 'not its own'}`,
      );
    }
    return response;
  }

  /** Asks for pointers that this peer will base its own on: in the meantime it does not show its own. */
  async #ask(peer: PeerRef): Promise<Answer> {
    this.#unsettled = true;
    try {
      return { kind: 'answer', from: await this.#neighbourhoodOf(peer) };
    } catch (error) {
      this.#unsettled = false;
      // That a peer is dead stays true: while that is being made sure, there is nothing to hide.
      if (meansNoAnswer(error) && (await isDead(this.#options.transport, this.#options.clock, peer))) {
        return { kind: 'dead' };
      }
      if (!hasCode(error, 'UNSETTLED')) {
        this.#options.log.debug('no use of an answer', { peer: peer.address, error: messageOf(error) });
      }
      return { kind: 'later' };
    } finally {
      this.#unsettled = false;
    }
  }

  async #lives(peer: PeerRef): Promise<boolean> {
    const { transport, clock } = this.#options;
    try {
      await transport.call(peer, 'ping', {}, { timeoutMs: limits.deathPingTimeoutMs });
      return true;
    } catch (error) {
      return !meansNoAnswer(error) || !(await isDead(transport, clock, peer));
    }
  }

  async #notify(peer: PeerRef): Promise<void> {
    try {
      await this.#options.transport.call(peer, 'notify', { peer: this.#state.self });
    } catch (error) {
      // The next round of stabilize says it again.
      this.#options.log.debug('a notify was not answered', { peer: peer.address, error: messageOf(error) });
    }
  }

  #bury(peer: PeerRef): void {
    this.#fingers.remove(peer.id);
    this.#options.log.info('a peer is gone', { peer: shortId(peer.id), address: peer.address });
  }

  #lookupFrom(start: readonly PeerRef[], key: Id, signal?: AbortSignal): Promise<LookupResult> {
    const { self, transport } = this.#options;
    return lookupOverWire(transport, key, start, {
      local: (peer) => (peer.id === self.id ? this.lookupStep(key) : undefined),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Rounds through all entries before joining is given up, and the pause between them. */
const joinAttempts = 20;
const joinPauseMs = 200;
/** Members looked at, from the one the lookup named, to find the place. */
const joinSteps = 32;
/** The deadline of a question for pointers. */
const askTimeoutMs = 1500;

/** What a member would say if a peer that has restarted, and is still in its lists, were not. */
function withoutPeer(member: Neighbourhood, id: Id): Neighbourhood {
  return {
    self: member.self,
    predecessor: member.predecessor?.id === id ? null : member.predecessor,
    successors: member.successors.filter((peer) => peer.id !== id),
  };
}
