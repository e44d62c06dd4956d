/**
 * Carries out the steps of src/ring/steps.ts over the network: asks whom a step asks, applies the answer in its turn
 * (pointers.ts), and does what the step says is to be done next.
 *
 * While a step waits for an answer that it will apply, questions about this peer's pointers are answered with UNSETTLED:
 * the asker knows that this peer lives, drops its own step, and comes back in a moment. (The paper lets the asker wait; a
 * refusal does the same and cannot end in peers waiting for each other in a circle.)
 *
 * A step waits for one answer at most, and for no longer than its deadline. Whether a silent peer is dead takes longer,
 * and is found out between steps: death stays true, so the step that follows from it only looks whether the dead peer is
 * still the one that it is about.
 */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { between } from '../ring/interval.js';
import { isSamePeer, isSameReference, type PeerRef } from '../ring/peer.js';
import { firstSuccessor, type Neighbourhood, seesWholeRing } from '../ring/state.js';
import * as steps from '../ring/steps.js';
import { listThrough } from '../ring/successor-list.js';
import { withList, without } from '../ring/whole-ring.js';
import type { Transport } from '../wire/transport.js';
import { meansNoAnswer } from '../wire/errors.js';
import type { Liveness } from './liveness.js';
import { neighbourhoodOf } from './neighbourhood.js';
import type { Pointers } from './pointers.js';

export interface StabilizerOptions {
  readonly pointers: Pointers;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Entries of a successor list. */
  readonly listLength: number;
  readonly liveness: Liveness;
  /** Told of peers in the list that the first successor does not name: they may be dead. */
  readonly onUnconfirmed: (peers: readonly PeerRef[]) => void;
  /** Told of peers that were found dead here, and that somebody names: they may have come back. */
  readonly onNamedAgain: (peers: readonly PeerRef[]) => void;
  /** Every peer in the list is dead, and there were more in the ring. */
  readonly onLost: () => void;
  /** Ends every question. */
  readonly signal: AbortSignal;
}

/** What came of a question whose answer is a step. */
type Heard =
  | { readonly kind: 'answer'; readonly from: Neighbourhood; readonly next: steps.Next }
  /** Whether it lives is to be found out. */
  | { readonly kind: 'silent'; readonly peer: PeerRef }
  /** It lives, and cannot or would not say now. */
  | { readonly kind: 'later' };

/** What is left to do after a question; undefined when the one that was asked may live and did not say. */
type Outcome = steps.Next | undefined;

const nothing: steps.Next = { do: 'nothing' };

export class Stabilizer {
  readonly #options: StabilizerOptions;
  readonly #pointers: Pointers;
  /** The answer to the last question. */
  #heard: Neighbourhood | undefined;

  constructor(options: StabilizerOptions) {
    this.#options = options;
    this.#pointers = options.pointers;
  }

  /**
   * One round of stabilize: the first successor is asked, and told of us if it does not know us yet.
   * @returns whether anything is in motion: pointers that changed, a successor that was silent, busy or did not know us.
   */
  async stabilize(): Promise<boolean> {
    const before = this.#pointers.now;
    const outcome = await this.#round(() => this.#askHead());
    return outcome?.do !== 'nothing' || this.#pointers.now !== before;
  }

  /** A peer that may follow nearer than the first successor: it is asked, and adopted if it does. */
  async stabilizeFrom(candidate: PeerRef): Promise<void> {
    await this.#round(() => this.#askNearer(candidate));
  }

  /**
   * A peer says that it is our first successor and has news, or that it may be. What follows is a step that the protocol
   * may take at any time, stabilize or stabilizeFromPred; either asks before it adopts. In the protocol a nearer peer is
   * always one that our first successor has named, to which it had notified itself: it comes before that one and knows it.
   * So here a peer that skips our first successor is not adopted yet. It announces itself again when it has learned of it.
   */
  async announced(candidate: PeerRef): Promise<void> {
    await this.#round(async () => {
      const { self, successors } = this.#pointers.now;
      if (successors[0]?.id === candidate.id) return this.#askHead(candidate);
      const isNearer = between(self.id, candidate.id, firstSuccessor(this.#pointers.now).id);
      return isNearer ? this.#askNearer(candidate, (from) => this.#skipsHead(from)) : nothing;
    });
  }

  /**
   * rectify: a peer says that it may be our predecessor. If it is, the one that was is told at once, so that it asks us,
   * and finds the other between itself and us: where two rings become one, they have not heard of each other.
   */
  async rectify(candidate: PeerRef): Promise<void> {
    const { listLength, liveness } = this.#options;
    // Who can call and cannot be called would own keys that nobody gets to. Where others reach it, the fault is ours.
    const isKnown = isSamePeer(this.#pointers.now.predecessor, candidate);
    if (!isKnown && !(await liveness.answers(candidate)) && !liveness.isVouchedFor(candidate)) return;
    const { before, isAdopted } = await this.#pointers.take(() => {
      const state = this.#pointers.now;
      const rectified = steps.rectify(state, candidate, listLength);
      if (rectified !== undefined) this.#pointers.become(rectified);
      return { before: state.predecessor, isAdopted: rectified !== undefined };
    });
    if (before === null) return;
    if (isAdopted) {
      if (before.id !== candidate.id) await this.announce(before);
      return;
    }
    if (await this.#options.liveness.lives(before)) return;
    await this.#forgetPredecessor(before);
    // Meanwhile somebody may have come between the candidate and us: it is to look again, and says so if not.
    await this.announce(candidate);
  }

  /** Asks the predecessor whether it lives, and forgets it when it does not. */
  async checkPredecessor(): Promise<void> {
    const { predecessor } = this.#pointers.now;
    if (predecessor === null || (await this.#options.liveness.lives(predecessor))) return;
    await this.#forgetPredecessor(predecessor);
  }

  #forgetPredecessor(dead: PeerRef): Promise<void> {
    return this.#pointers.take(() => {
      const state = this.#pointers.now;
      if (isSamePeer(state.predecessor, dead)) this.#pointers.become(steps.forgetPredecessor(state));
    });
  }

  /**
   * A round: a question, and what follows from its answer. Where a crowd joins at one place, the peer that was asked names
   * a nearer one, and that one another: they are asked in a row. One that is changing its pointers is asked again in a
   * moment.
   */
  async #round(ask: () => Promise<Outcome>): Promise<Outcome> {
    const { clock, random, signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      let outcome = await ask();
      for (let asked = 0; outcome?.do === 'ask' && asked < limits.nearerPeersAtOnce; asked += 1) {
        // Another round may put somebody nearer in the place of the one that named it: that round goes on from there.
        const namedBy = firstSuccessor(this.#pointers.now).id;
        outcome = await this.#askNearer(
          outcome.peer,
          () => firstSuccessor(this.#pointers.now).id !== namedBy,
        );
      }
      if (outcome?.do === 'notify') await this.notify(outcome.peer);
      if (outcome !== undefined || attempt >= limits.roundAttempts || signal.aborted) return outcome;
      await sleep(clock, jittered(random, limits.unsettledRetryMs, 0.5), signal);
    }
  }

  /**
   * stabilize: the first successor.
   * @param announced the first successor as it has just said that it is: at another address, perhaps
   */
  async #askHead(announced?: PeerRef): Promise<Outcome> {
    const { listLength, liveness } = this.#options;
    const step = (from: Neighbourhood): steps.Step => {
      this.#options.onUnconfirmed(steps.unconfirmed(this.#pointers.now, from));
      return steps.stabilize(this.#pointers.now, from, listLength);
    };
    if (this.#pointers.now.successors.length === 0) {
      return this.#pointers.take(() =>
        this.#pointers.now.successors.length === 0 ? this.#apply(step(this.#pointers.now)) : nothing,
      );
    }
    const head = firstSuccessor(this.#pointers.now);
    if (announced === undefined && (await this.#isOutOfReach(head))) {
      return liveness.isVouchedFor(head) ? this.#lookPast(head) : this.#dropDeadHead(head);
    }
    const heard = await this.#ask(() => {
      const now = firstSuccessor(this.#pointers.now);
      return announced?.id === now.id ? announced : now;
    }, step);
    if (heard.kind === 'answer') return heard.next;
    return heard.kind === 'silent' ? this.#dropDeadHead(heard.peer) : undefined;
  }

  /** stabilize, when the first successor does not answer. The ones behind it may have died with it. */
  async #dropDeadHead(head: PeerRef): Promise<Outcome> {
    const { liveness } = this.#options;
    const behind = this.#pointers.now.successors.slice(1, limits.suspectsAtOnce);
    const suspects: readonly (readonly [PeerRef, Promise<boolean>])[] = [
      [head, liveness.isDeadForRouting(head)],
      ...behind.map((peer) => [peer, liveness.lives(peer).then((lives) => !lives)] as const),
    ];
    let outcome: Outcome;
    for (const [peer, isDead] of suspects) {
      if (!(await isDead)) break;
      const next = await this.#pointers.take(() =>
        isSamePeer(this.#pointers.now.successors[0], peer)
          ? this.#apply(steps.stabilizeWithoutAnswer(this.#pointers.now))
          : undefined,
      );
      if (next === undefined) break;
      if (next.do === 'enter again') this.#options.onLost();
      outcome = next;
    }
    return outcome === undefined && liveness.isVouchedFor(head) ? this.#lookPast(head) : outcome;
  }

  /**
   * stabilize, while the first successor is out of our reach and not of others': it stays, and the ones behind it say what
   * comes after them, so that the list does not grow old meanwhile.
   */
  async #lookPast(head: PeerRef): Promise<Outcome> {
    for (const peer of this.#pointers.now.successors.slice(1, limits.suspectsAtOnce)) {
      if (await this.#learnFrom(peer, head)) break;
      if (await this.#options.liveness.lives(peer)) continue;
      await this.#pointers.take(() => {
        const state = this.#pointers.now;
        if (isSamePeer(state.successors[0], head)) this.#pointers.become(without(state, peer.id));
      });
    }
    return nothing;
  }

  /**
   * Takes over what comes after a peer that stands behind the first successor; or after its predecessor, and so on, if that
   * one has come between them.
   * @returns whether it answered.
   */
  async #learnFrom(peer: PeerRef, head: PeerRef): Promise<boolean> {
    const { listLength } = this.#options;
    const learn = ({ self, successors: tail }: Neighbourhood): steps.Step => {
      const state = this.#pointers.now;
      if (!isSamePeer(state.successors[0], head)) return { state, next: nothing };
      const list = listThrough(state.self.id, state.successors, self, tail, listLength);
      return { state: withList(state, list, listLength), next: nothing };
    };
    let asked = peer;
    for (let question = 0; question < limits.suspectsAtOnce; question += 1) {
      const whom = asked;
      const heard = await this.#ask(() => whom, learn);
      if (heard.kind !== 'answer') return question > 0;
      const { predecessor } = heard.from;
      if (predecessor === null || !between(head.id, predecessor.id, asked.id)) break;
      asked = predecessor;
    }
    return true;
  }

  /**
   * stabilizeFromPred: a peer that may be a nearer successor.
   * @param isUnfit whether it is not to be adopted, as it has answered
   * @returns undefined when it may live, and did not say.
   */
  async #askNearer(
    candidate: PeerRef,
    isUnfit: (from: Neighbourhood) => boolean = () => false,
  ): Promise<Outcome> {
    const { liveness, listLength } = this.#options;
    if (await this.#isOutOfReach(candidate)) return nothing;
    const heard = await this.#ask(
      () => candidate,
      (from) =>
        isUnfit(from)
          ? { state: this.#pointers.now, next: nothing }
          : steps.stabilizeFromPredecessor(this.#pointers.now, from, listLength),
    );
    if (heard.kind === 'answer') return heard.next;
    if (heard.kind === 'later' || !(await liveness.isDeadForRouting(candidate))) return undefined;
    return steps.stabilizeFromPredecessorWithoutAnswer(this.#pointers.now).next;
  }

  /** Whether a peer's list goes past our first successor without naming it. */
  #skipsHead(from: Neighbourhood): boolean {
    const { self } = this.#pointers.now;
    const head = firstSuccessor(this.#pointers.now);
    const past = from.successors.find(({ id }) => !between(self.id, id, head.id));
    return past !== undefined && past.id !== head.id;
  }

  /** Whether a peer that did not answer lately still does not: found out before a step that holds up those who ask us. */
  async #isOutOfReach(peer: PeerRef): Promise<boolean> {
    const { liveness } = this.#options;
    return liveness.isInDoubt(peer) && !(await liveness.answers(peer));
  }

  /** One step: asks a peer for its pointers and applies them. In the meantime this peer does not show its own. */
  #ask(whom: () => PeerRef, step: (from: Neighbourhood) => steps.Step): Promise<Heard> {
    const { transport, log, signal } = this.#options;
    return this.#pointers.ask(async () => {
      const peer = whom();
      if (peer.id === this.#pointers.now.self.id) return { kind: 'later' };
      try {
        const before = this.#heard?.self.id === peer.id ? this.#heard : undefined;
        this.#heard = await neighbourhoodOf(transport, peer, signal, before);
        const from = this.#withoutDead(this.#heard);
        const next = this.#apply(step(from));
        return { kind: 'answer', from, next: this.#isKnownTo(from, next) ? nothing : next };
      } catch (error) {
        if (!(error instanceof PeerStoreError)) throw error;
        if (meansNoAnswer(error)) return { kind: 'silent', peer };
        if (!hasCode(error, 'UNSETTLED')) {
          log.debug('no use of an answer', { peer: peer.address, error: messageOf(error) });
        }
        return { kind: 'later' };
      }
    });
  }

  /**
   * Whether a notify would say what the other side knows: its answer named this peer as its predecessor. Rectify with
   * the predecessor itself changes nothing, so leaving the notify out is the same run as one in which it arrived at the
   * moment of the answer; and when the pointer changes after that moment, the next round's answer shows it.
   */
  #isKnownTo({ self: peer, predecessor }: Neighbourhood, next: steps.Next): boolean {
    return (
      next.do === 'notify' &&
      next.peer.id === peer.id &&
      isSameReference(predecessor, this.#pointers.now.self)
    );
  }

  /**
   * In a small ring everybody finds out about the dead, each at its own time, and keeps who is in its list until then: it
   * does not take them in again from those who have not found out yet, unless they answer.
   */
  #withoutDead(from: Neighbourhood): Neighbourhood {
    if (!seesWholeRing(this.#pointers.now)) return from;
    const { liveness, onNamedAgain } = this.#options;
    const isDead = (peer: PeerRef): boolean => liveness.isInDoubt(peer) && !liveness.isVouchedFor(peer);
    const dead = from.successors.filter(isDead);
    if (dead.length === 0) return from;
    onNamedAgain(dead);
    return { ...from, successors: from.successors.filter((peer) => !dead.includes(peer)) };
  }

  #apply({ state, next }: steps.Step): steps.Next {
    this.#pointers.become(state);
    return next;
  }

  /** Tells a peer that this one may be its predecessor. @returns whether it answered. */
  async notify(peer: PeerRef): Promise<boolean> {
    const { transport, log, signal } = this.#options;
    try {
      await transport.call(peer, 'notify', { peer: this.#pointers.now.self }, { signal });
      return true;
    } catch (error) {
      log.debug('a notify was not answered', { peer: peer.address, error: messageOf(error) }); // said again next round
      return false;
    }
  }

  /** Tells a peer to ask this one: it may be its first successor, or is and has news. */
  async announce(peer: PeerRef): Promise<void> {
    const { transport, log, signal } = this.#options;
    try {
      await transport.call(peer, 'announce', { peer: this.#pointers.now.self }, { signal });
    } catch (error) {
      // It comes to ask by itself, a little later.
      log.debug('an announcement was not answered', { peer: peer.address, error: messageOf(error) });
    }
  }
}
