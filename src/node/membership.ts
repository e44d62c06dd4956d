/**
 * A peer's place in the ring: carries out the steps of src/ring/steps.ts over the network.
 *
 * The protocol is correct only if each step is atomic: the answer of another peer is applied to the state under which
 * it was asked for. So steps run one after the other, and while one of them waits for an answer that it will apply,
 * questions about the pointers are answered with UNSETTLED: the asker knows that this peer lives, drops its own step,
 * and comes back in a moment. (The paper lets the asker wait; a refusal does the same and cannot end in peers waiting
 * for each other in a circle.) Lookups read the pointers as they are at any moment.
 *
 * A step waits for one answer at most, and for no longer than its deadline. Whether a silent peer is dead takes longer,
 * and is found out between steps: death stays true, so the step that follows from it only looks whether the dead peer is
 * still the one that it is about.
 *
 * A peer is outside until it has joined a ring or is the first of one. Outside, it answers no question about the ring:
 * members that remember it from before a restart would take its empty pointers for the ring's.
 */
import { setMaxListeners } from 'node:events';

import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { type Id, shortId } from '../ring/identifier.js';
import type { LookupResult } from '../ring/lookup.js';
import { isSamePeer, type PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import { aloneState, faultIn, firstSuccessor, type Neighbourhood, type RingState } from '../ring/state.js';
import * as steps from '../ring/steps.js';
import type { Endpoint, Transport } from '../wire/transport.js';
import { findPlacePatiently } from './join.js';
import { isDead, meansNoAnswer } from './liveness.js';
import { neighbourhoodOf } from './neighbourhood.js';
import type { RememberedPeers } from './remembered-peers.js';
import { Routes } from './routes.js';

export interface MembershipOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly remembered: RememberedPeers;
  /** Entries of a successor list. */
  readonly listLength: number;
  /** Told of every neighbour that was found dead. */
  readonly onGone?: (peer: PeerRef) => void;
}

/** What came of a question whose answer is a step. */
type Heard =
  | { readonly kind: 'answer'; readonly next: steps.Next }
  /** Whether it lives is to be found out. */
  | { readonly kind: 'silent'; readonly peer: PeerRef }
  /** It lives, and cannot or would not say now. */
  | { readonly kind: 'later' };

const nothing: steps.Next = { do: 'nothing' };

export class Membership {
  readonly #options: MembershipOptions;
  readonly #routes: Routes;
  /** Notifies and goodbyes that are being looked into, by what and who. */
  readonly #waiting = new Set<string>();
  readonly #background = new Set<Promise<void>>();
  readonly #ended = new AbortController();
  #state: RingState;
  /** Steps that may change the pointers, one behind the other. */
  #steps: Promise<void> = Promise.resolve();
  /** Whether a step waits for an answer that it will apply. */
  #isAsking = false;
  #isInside = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#state = aloneState(options.self);
    // Every question that is under way listens to it: those of the background, and the handful of the timers.
    setMaxListeners(4 * limits.waitingNotifies, this.#ended.signal);
    this.#routes = new Routes({ ...options, state: () => this.insideState });
  }

  /** The pointers as they are at this moment, of a peer that may still be outside. */
  get state(): RingState {
    return this.#state;
  }

  /** Whether this peer is a ring of one. */
  get isAlone(): boolean {
    return this.#state.successors.length === 0;
  }

  /** The distinct peers that the fingers point to. */
  get fingers(): readonly PeerRef[] {
    return this.#routes.fingers;
  }

  /** Whether this peer is part of a ring, be it a ring of one. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /**
   * The pointers as they are at this moment: for lookups, placement and people.
   * @throws PeerStoreError UNSETTLED while this peer is outside the ring.
   */
  get insideState(): RingState {
    if (!this.#isInside) throw unsettled('this peer is still on its way into the ring');
    return this.#state;
  }

  /**
   * The pointers, for a peer that may base its own on them.
   * @throws PeerStoreError UNSETTLED while they are about to change, or this peer is outside the ring.
   */
  settledState(): RingState {
    if (this.#isAsking) throw unsettled('this peer is just changing its pointers');
    return this.insideState;
  }

  /**
   * One step of somebody's lookup.
   * @throws PeerStoreError UNSETTLED while this peer is outside the ring.
   */
  lookupStep(key: Id): LookupStep {
    return this.#routes.step(key);
  }

  /**
   * Finds the peer responsible for a key, beginning here. It has said itself that it lives.
   * @throws PeerStoreError UNREACHABLE, CANCELLED; UNSETTLED while this peer is outside the ring.
   */
  lookup(key: Id, signal: AbortSignal = this.#ended.signal): Promise<LookupResult> {
    return this.#routes.find(key, [this.#options.self], signal, { confirm: true });
  }

  /** From now on this peer is a ring of its own. */
  beAlone(): void {
    this.#isInside = true;
  }

  /**
   * Enters the ring that the given peers belong to.
   * @param entries whom to ask; the ids may be unknown, as of an address from an invite
   * @param patienceMs how long to try while the ring is in motion
   * @throws PeerStoreError UNREACHABLE when none of them leads to a ring, or what one of them said.
   */
  async join(entries: readonly Endpoint[], patienceMs: number): Promise<void> {
    const { self, log, remembered, listLength } = this.#options;
    const member = await findPlacePatiently(entries, patienceMs, {
      ...this.#options,
      signal: this.#ended.signal,
    });
    this.#state = steps.join(self, member, listLength);
    this.#isInside = true;
    remembered.see([member.self, ...member.successors]);
    log.debug('joined', { behind: shortId(member.self.id) });
  }

  /** Whether the ring has taken this peer in: its predecessor names it, where it is now, as its first successor. */
  async isTakenIn(): Promise<boolean> {
    const { predecessor, successors, self } = this.#state;
    if (predecessor === null) return successors.length === 0;
    try {
      const from = await neighbourhoodOf(this.#options.transport, predecessor, this.#ended.signal);
      return isSamePeer(firstSuccessor(from), self);
    } catch (error) {
      if (error instanceof PeerStoreError) return false;
      throw error;
    }
  }

  /** One round of stabilize: the first successor is asked, and told of us. */
  async stabilize(): Promise<void> {
    let next = await this.#askHead();
    if (next.do === 'ask') next = await this.#askNearer(next.peer);
    this.#options.remembered.see(this.#state.successors);
    if (next.do === 'notify') await this.#notify(next.peer);
  }

  /** A peer says that it may be our predecessor. Answered at once, looked into in turn. */
  notified(candidate: PeerRef): void {
    this.#options.remembered.see([candidate]);
    this.#lookInto('notify', candidate, () => this.#rectify(candidate));
  }

  /** Asks the predecessor whether it lives, and forgets it when it does not. */
  async checkPredecessor(): Promise<void> {
    const { predecessor } = this.#state;
    if (predecessor === null || (await this.#lives(predecessor))) return;
    await this.#exclusively(() => {
      if (isSamePeer(this.#state.predecessor, predecessor))
        this.#state = steps.forgetPredecessor(this.#state);
    });
  }

  /** Somebody takes this peer for responsible where it sees its predecessor: that one may be dead. Looked into in turn. */
  doubtPredecessor(): void {
    this.#lookInto('doubt', this.#state.self, () => this.checkPredecessor());
  }

  /** A peer keeps somebody waiting: it may be dead. Looked into in turn. */
  doubt(peer: PeerRef): void {
    if (peer.id === this.#state.self.id) return;
    this.#lookInto('doubt', peer, async () => {
      await this.#isGone(peer);
    });
  }

  /** Sets the fingers: those that the successor list answers, and one more by a lookup. */
  fixFingers(): Promise<void> {
    return this.#routes.fixFingers(this.#ended.signal);
  }

  /**
   * Looks this peer up through one that it remembers but does not see now. If that one lives in another part of a ring
   * that was cut in two, the answer is a nearer successor than ours, and adopting it joins the parts again.
   */
  async lookAround(): Promise<void> {
    const candidate = await this.#routes.findNearer(this.#ended.signal);
    if (candidate === undefined) return;
    const next = await this.#askNearer(candidate);
    if (next.do === 'notify') await this.#notify(next.peer);
  }

  /** A neighbour leaves in good order. */
  neighbourLeft(leaving: Neighbourhood): void {
    if (faultIn(leaving) !== undefined) return;
    const { self: peer } = leaving;
    this.#routes.forget(peer);
    this.#options.remembered.left(peer.id);
    this.#lookInto('leave', peer, () =>
      this.#exclusively(() => {
        this.#state = steps.afterLeave(this.#state, leaving, this.#options.listLength);
      }),
    );
  }

  /** Ends what this peer does of itself for its place in the ring. */
  async end(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#background);
    await this.#steps;
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

  /** Runs a step when those before it are over. */
  #exclusively<T>(step: () => T | Promise<T>): Promise<T> {
    const result = this.#steps.then(step);
    this.#steps = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Does something that nobody waits for, once at a time for each peer, and not for too many. */
  #lookInto(what: string, peer: PeerRef, work: () => Promise<void>): void {
    const key = `${what} ${peer.id}`;
    if (this.#ended.signal.aborted || this.#waiting.has(key)) return;
    if (this.#waiting.size >= 2 * limits.waitingNotifies) return;
    this.#waiting.add(key);
    const done = work()
      .catch((error: unknown) =>
        this.#options.log.error(`a ${what} could not be looked into`, { error: messageOf(error) }),
      )
      .finally(() => {
        this.#waiting.delete(key);
        this.#background.delete(done);
      });
    this.#background.add(done);
  }

  /** stabilize: the first successor. */
  async #askHead(): Promise<steps.Next> {
    const { listLength } = this.#options;
    if (this.#state.successors.length === 0) {
      return this.#exclusively(() =>
        this.#state.successors.length === 0
          ? this.#apply(steps.stabilize(this.#state, this.#state, listLength))
          : nothing,
      );
    }
    const heard = await this.#ask(
      () => firstSuccessor(this.#state),
      (from) => steps.stabilize(this.#state, from, listLength),
    );
    if (heard.kind === 'answer') return heard.next;
    return heard.kind === 'silent' ? this.#dropDeadHead(heard.peer) : nothing;
  }

  /** stabilize, when the first successor does not answer. The ones behind it may have died with it. */
  async #dropDeadHead(head: PeerRef): Promise<steps.Next> {
    const suspects = [head, ...this.#state.successors.slice(1, limits.suspectsAtOnce)];
    const verdicts = await Promise.all(suspects.map((peer) => this.#isGone(peer)));
    const dead = suspects.filter((_, at) => verdicts[at] === true);
    return this.#exclusively(() => {
      let next = nothing;
      while (dead.some((peer) => isSamePeer(this.#state.successors[0], peer))) {
        next = this.#apply(steps.stabilizeWithoutAnswer(this.#state));
      }
      return next;
    });
  }

  /** stabilizeFromPred: a peer that may be a nearer successor. */
  async #askNearer(candidate: PeerRef): Promise<steps.Next> {
    const heard = await this.#ask(
      () => candidate,
      (from) => steps.stabilizeFromPredecessor(this.#state, from, this.#options.listLength),
    );
    if (heard.kind === 'answer') return heard.next;
    if (heard.kind === 'later' || !(await this.#isGone(candidate))) return nothing;
    return steps.stabilizeFromPredecessorWithoutAnswer(this.#state).next;
  }

  async #rectify(candidate: PeerRef): Promise<void> {
    const doubted = await this.#exclusively(() => {
      const rectified = steps.rectify(this.#state, candidate);
      if (rectified === undefined) return this.#state.predecessor;
      this.#state = rectified;
      return null;
    });
    if (doubted === null || (await this.#lives(doubted))) return;
    await this.#exclusively(() => {
      this.#state = isSamePeer(this.#state.predecessor, doubted)
        ? steps.rectifyAfterPing(this.#state, candidate)
        : (steps.rectify(this.#state, candidate) ?? this.#state);
    });
  }

  /** One step: asks a peer for its pointers and applies them. In the meantime this peer does not show its own. */
  #ask(whom: () => PeerRef, step: (from: Neighbourhood) => steps.Step): Promise<Heard> {
    return this.#exclusively(async () => {
      const peer = whom();
      if (peer.id === this.#state.self.id) return { kind: 'later' };
      this.#isAsking = true;
      try {
        const from = await neighbourhoodOf(this.#options.transport, peer, this.#ended.signal);
        return { kind: 'answer', next: this.#apply(step(from)) };
      } catch (error) {
        if (!(error instanceof PeerStoreError)) throw error;
        if (meansNoAnswer(error)) return { kind: 'silent', peer };
        if (!hasCode(error, 'UNSETTLED')) {
          this.#options.log.debug('no use of an answer', { peer: peer.address, error: messageOf(error) });
        }
        return { kind: 'later' };
      } finally {
        this.#isAsking = false;
      }
    });
  }

  #apply({ state, next }: steps.Step): steps.Next {
    this.#state = state;
    return next;
  }

  async #lives(peer: PeerRef): Promise<boolean> {
    const options = { timeoutMs: limits.deathPingTimeoutMs, signal: this.#ended.signal };
    try {
      await this.#options.transport.call(peer, 'ping', {}, options);
      return true;
    } catch (error) {
      return !meansNoAnswer(error) || !(await this.#isGone(peer));
    }
  }

  async #isGone(peer: PeerRef): Promise<boolean> {
    const { transport, clock, log, onGone } = this.#options;
    if (!(await isDead(transport, clock, peer, this.#ended.signal))) return false;
    this.#routes.forget(peer);
    log.info('a peer is gone', { peer: shortId(peer.id), address: peer.address });
    onGone?.(peer);
    return true;
  }

  async #notify(peer: PeerRef): Promise<void> {
    const { transport, log } = this.#options;
    try {
      await transport.call(peer, 'notify', { peer: this.#state.self }, { signal: this.#ended.signal });
    } catch (error) {
      log.debug('a notify was not answered', { peer: peer.address, error: messageOf(error) }); // said again next round
    }
  }
}

function unsettled(why: string): PeerStoreError {
  return new PeerStoreError('UNSETTLED', why, { retryAfterMs: limits.unsettledRetryMs });
}
