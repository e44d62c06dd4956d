/**
 * A peer's place in the ring: how it gets there, what it hears from others there and tells them, and how it goes. Its
 * pointers change by the steps that stabilizer.ts carries out; lookups read them as they are at any moment.
 *
 * A peer whose list has changed announces itself to its predecessor, which asks it at once: the next stabilize, early.
 * A newcomer's list is new, so the member that it joined behind takes it in within milliseconds, and a gap that was
 * closed is known as far back as lists reach without waiting for a round of each peer in turn. Rounds then only find
 * what got lost, and may be seldom.
 *
 * A peer is outside until it has joined a ring or is the first of one. Outside, it answers no question about the ring:
 * members that remember it from before a restart would take its empty pointers for the ring's.
 */
import { setMaxListeners } from 'node:events';

import { type Clock, sleep } from '../base/clock.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { type Id, shortId } from '../ring/identifier.js';
import type { LookupResult } from '../ring/lookup.js';
import { isSamePeer, type PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import { faultIn, seesWholeRing, type RingState } from '../ring/state.js';
import * as steps from '../ring/steps.js';
import type { Endpoint, Transport } from '../wire/transport.js';
import type { Contacts } from './contacts.js';
import { Errands } from './errands.js';
import { sayGoodbye } from './goodbye.js';
import { Introductions, type Welcome } from './introductions.js';
import { Liveness, type Verdict } from './liveness.js';
import type { LocalHealth } from './local-health.js';
import { LookAround } from './look-around.js';
import { Pointers } from './pointers.js';
import type { RememberedPeers } from './remembered-peers.js';
import { Routes } from './routes.js';
import { Stabilizer } from './stabilizer.js';
import { knows, type Vicinity, witnessesOf } from './vicinity.js';
import { WayIn } from './way-in.js';
import { Witness } from './witness.js';

export interface MembershipOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly remembered: RememberedPeers;
  readonly contacts: Contacts;
  readonly health: LocalHealth;
  /** Entries of a successor list. */
  readonly listLength: number;
  /** The most peers that are kept in mind for routing. */
  readonly knownPeers: number;
  /** A predecessor that was silent for this long is asked whether it lives: longer than it may take between rounds. */
  readonly predecessorSilentMs: number;
  /** Told of every change of the pointers. */
  readonly onChange: (before: RingState, after: RingState) => void;
  /** Told of every suspicion and what became of it. */
  readonly onVerdict: (verdict: Verdict) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #routes: Routes;
  readonly #pointers: Pointers;
  readonly #liveness: Liveness;
  readonly #witness: Witness;
  readonly #stabilizer: Stabilizer;
  readonly #introductions: Introductions;
  readonly #wayIn: WayIn;
  readonly #lookAround: LookAround;
  readonly #errands: Errands;
  readonly #ended = new AbortController();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#pointers = new Pointers(options.self, options.onChange);
    this.#errands = new Errands(options.log);
    // Every question that is under way listens to it, as many as there are: that is no leak.
    setMaxListeners(0, this.#ended.signal);
    const { signal } = this.#ended;
    this.#liveness = new Liveness({
      ...options,
      witnesses: (suspect) => witnessesOf(suspect, this.#vicinity, options.random),
      onVerdict: (verdict) => this.#onVerdict(verdict),
      signal,
    });
    this.#witness = new Witness({ ...options, knows: (peer) => knows(this.#vicinity, peer) });
    this.#stabilizer = new Stabilizer({
      ...options,
      pointers: this.#pointers,
      liveness: this.#liveness,
      onUnconfirmed: (peers) => peers.forEach((peer) => this.doubt(peer)),
      onNamedAgain: (peers) => peers.forEach((peer) => this.#namedAgain(peer)),
      onLost: () => this.#errands.run('way back', options.self, () => this.#goBack()),
      signal,
    });
    this.#introductions = new Introductions({
      ...options,
      pointers: this.#pointers,
      liveness: this.#liveness,
      signal,
    });
    this.#wayIn = new WayIn({
      ...options,
      pointers: this.#pointers,
      introductions: this.#introductions,
      liveness: this.#liveness,
      signal,
    });
    this.#routes = new Routes({ ...options, pointers: this.#pointers });
    this.#lookAround = new LookAround({
      ...options,
      pointers: this.#pointers,
      routes: this.#routes,
      stabilizer: this.#stabilizer,
      liveness: this.#liveness,
      signal,
    });
  }

  /** The pointers as they are at this moment, of a peer that may still be outside. */
  get state(): RingState {
    return this.#pointers.now;
  }

  /** The distinct peers that the fingers point to. */
  get fingers(): readonly PeerRef[] {
    return this.#routes.fingers;
  }

  /** The peers that this one knows behind a place on the ring. @throws PeerStoreError UNSETTLED while it is outside. */
  knownPeers(after: Id): readonly PeerRef[] {
    return this.#routes.knownPeers(after);
  }

  /** Whether this peer has pointers that others may ask for; see pointers.ts for what is between that and being inside. */
  get hasJoined(): boolean {
    return this.#pointers.hasJoined;
  }

  /** Whether this peer has left for good, and keeps nothing new. */
  get hasDeparted(): boolean {
    return this.#pointers.hasLeft;
  }

  /** Whether this peer is part of a ring, be it a ring of one. */
  get isInside(): boolean {
    return this.#pointers.isInside;
  }

  /**
   * The pointers as they are at this moment: for lookups, placement and people.
   * @throws PeerStoreError UNSETTLED while this peer is outside the ring.
   */
  get insideState(): RingState {
    return this.#pointers.inside;
  }

  /**
   * The pointers, for a peer that may base its own on them.
   * @throws PeerStoreError UNSETTLED while they are about to change, or this peer has not joined.
   */
  settledState(): RingState {
    return this.#pointers.settled;
  }

  /**
   * One step of somebody's lookup.
   * @throws PeerStoreError UNSETTLED while this peer is outside the ring.
   */
  lookupStep(key: Id): LookupStep {
    return this.#routes.step(key);
  }

  /**
   * Finds the peer responsible for a key, for certain: see LookupOptions.confirm. Where the ring is just changing, it asks
   * again a few times.
   * @throws PeerStoreError UNREACHABLE, UNSETTLED when the ring is still changing there, CANCELLED.
   */
  async lookup(key: Id, signal: AbortSignal = this.#ended.signal): Promise<LookupResult> {
    const { clock, random } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#routes.find(key, this.#routes.start, { signal, confirm: true });
      } catch (error) {
        if (!hasCode(error, 'UNSETTLED') || attempt === limits.lookupAttempts) throw error;
      }
      await sleep(clock, jittered(random, attempt * limits.lookupPauseMs, 0.5), signal);
    }
  }

  /**
   * From now on this peer is where these pointers say, true or not.
   * @throws PeerStoreError PROTOCOL when they cannot be a peer's.
   */
  beAt({ predecessor, successors }: Pick<RingState, 'predecessor' | 'successors'>): void {
    const state = { self: this.#options.self, predecessor, successors };
    const fault = faultIn(state);
    if (fault !== undefined) throw new PeerStoreError('PROTOCOL', `no peer has these pointers: ${fault}`);
    this.#pointers.become(state);
    this.#pointers.enter();
  }

  /** Enters the ring that the given peers belong to: see WayIn.join. */
  async join(entries: readonly Endpoint[], patienceMs: number): Promise<void> {
    await this.#wayIn.join(entries, patienceMs);
    this.#rememberList();
  }

  /** Goes behind another member: see WayIn.joinAnew. */
  joinAnew(entries: readonly Endpoint[]): Promise<void> {
    return this.#wayIn.joinAnew(entries);
  }

  /** Looks whether the ring has taken this peer in: see WayIn.isTakenIn. */
  isTakenIn(): Promise<boolean> {
    return this.#wayIn.isTakenIn();
  }

  /**
   * A newcomer makes itself known. It takes its place in the list at once.
   * @returns the pointers as they were before
   * @throws PeerStoreError as Introductions.welcome does.
   */
  async introduced(newcomer: PeerRef): Promise<Welcome> {
    const welcome = await this.#introductions.welcome(newcomer);
    this.#options.remembered.see([newcomer]);
    this.#routes.met(newcomer);
    return welcome;
  }

  /** From now on this peer counts as taken in, and speaks for its keys. */
  beInside(): void {
    this.#pointers.enter();
  }

  /** One round of stabilize, and a look whether the predecessor is still there. @returns whether anything is in motion. */
  async stabilize(): Promise<boolean> {
    const isInMotion = await this.#stabilizer.stabilize();
    this.#rememberList();
    const { predecessor } = this.state;
    const { contacts, predecessorSilentMs } = this.#options;
    // The predecessor asks this peer in each of its rounds, so only one that has not needs to be asked.
    if (predecessor !== null && contacts.silentMs(predecessor.id) > predecessorSilentMs)
      this.doubtPredecessor();
    return isInMotion;
  }

  /** A peer says that it may be our predecessor. Answered at once, looked into in turn. */
  notified(candidate: PeerRef): void {
    this.#options.remembered.see([candidate]);
    this.#routes.met(candidate);
    this.#errands.run('notify', candidate, () => this.#stabilizer.rectify(candidate));
  }

  /** A peer says that it may be our first successor, or is and has news. Answered at once, looked into in turn. */
  announced(candidate: PeerRef): void {
    this.#options.remembered.see([candidate]);
    this.#routes.met(candidate);
    this.#errands.run('announcement', candidate, () => this.#stabilizer.announced(candidate));
  }

  /** Tells the predecessor to ask this peer: its list has changed, or it is new and belongs behind that one. */
  async announce(): Promise<void> {
    const { predecessor } = this.state;
    if (predecessor !== null && this.hasJoined) await this.#stabilizer.announce(predecessor);
  }

  /** Somebody takes this peer for responsible where it sees its predecessor: that one may be dead. Looked into in turn. */
  doubtPredecessor(): void {
    this.#errands.run('doubt', this.state.self, () => this.#stabilizer.checkPredecessor());
  }

  /** A peer keeps somebody waiting: it may be dead. Looked into in turn. */
  doubt(peer: PeerRef): void {
    if (peer.id === this.state.self.id) return;
    this.#errands.run('doubt', peer, async () => {
      await this.#liveness.lives(peer);
    });
  }

  /**
   * Another peer cannot reach a suspect: asks that one in its stead.
   * @returns whether it answered.
   * @throws PeerStoreError NOT_FOUND when this peer does not know the suspect, BUSY when it asks for too many already.
   */
  async testify(suspect: PeerRef, accuser: PeerRef, signal: AbortSignal): Promise<boolean> {
    const isAlive = await this.#witness.testify(suspect, accuser, signal);
    // Each member of a small ring has to find out for itself, and need not wait until its first successor has.
    if (!isAlive && seesWholeRing(this.state)) this.doubt(suspect);
    return isAlive;
  }

  /** Another peer cannot reach this one: it is shown that this one lives. Answered at once, done in turn. */
  accused(accuser: PeerRef): void {
    if (!knows(this.#vicinity, accuser)) return;
    this.#errands.run('accusation', accuser, async () => {
      await this.#liveness.answers(accuser);
    });
  }

  /**
   * Sets the fingers, those that the successor list answers and one more by a lookup, and gets to know other peers.
   * @returns whether a finger has changed.
   */
  fixFingers(): Promise<boolean> {
    return this.#routes.fixFingers(this.#ended.signal);
  }

  /**
   * Asks others who follows this peer, and mends what they and it do not agree on: see look-around.ts.
   * @returns whether there was anything.
   */
  lookAround(): Promise<boolean> {
    return this.#lookAround.round();
  }

  /** A peer leaves in good order. @param isForGood whether it does not come back */
  neighbourLeft(peer: PeerRef, isForGood: boolean): void {
    // Of strangers there is nothing to forget, however many say goodbye.
    if (!knows(this.#vicinity, peer)) return;
    this.#routes.forget(peer);
    this.#liveness.left(peer);
    this.#options.remembered.left(peer.id, isForGood);
    this.#errands.run('goodbye', peer, async () => {
      const wasNext = this.state.successors[0]?.id === peer.id;
      await this.#pointers.take(() => this.#pointers.become(steps.afterLeave(this.state, peer.id)));
      // The one behind it is to hear at once who comes before it now. (Whoever sees the whole ring knows that, and may not
      // have heard of the goodbye yet: its word would bring back who has left.)
      if (wasNext && !seesWholeRing(this.state)) await this.#stabilizer.stabilize();
    });
  }

  /** Ends what this peer does of itself for its place in the ring. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#errands.end();
    await this.#pointers.over();
  }

  /** Tells the neighbours that this peer leaves now. Whoever cannot be told finds out by itself. */
  leave(): Promise<void> {
    return sayGoodbye(this.state, this.#options);
  }

  /** Tells the neighbours that this peer leaves for good, and is outside from now on; it can still look keys up. */
  async departForGood(): Promise<void> {
    await this.#pointers.take(() => this.#pointers.leave());
    await sayGoodbye(this.state, this.#options, true);
  }

  #onVerdict(verdict: Verdict): void {
    const { log, onVerdict } = this.#options;
    if (verdict.verdict === 'dead') {
      const { id, address } = verdict.peer;
      void this.#pointers.take(() => this.#forget(verdict));
      this.#routes.forget(verdict.peer);
      log.info('a peer is gone', { peer: shortId(id), address });
    }
    onVerdict(verdict);
  }

  /** Who sees the whole ring takes the dead out of its list; unless they have come again and introduced themselves. */
  #forget({ peer, suspectedAtMs }: Verdict): void {
    const { clock, contacts } = this.#options;
    if (contacts.silentMs(peer.id) < clock.monotonicMs() - suspectedAtMs) return;
    if (this.state.successors.some((one) => isSamePeer(one, peer)))
      this.#pointers.become(steps.forgetMember(this.state, peer.id));
  }

  /** Who was paused is found dead by each on its own, and back by each on its own: as soon as anybody else has found it. */
  #namedAgain(peer: PeerRef): void {
    this.#errands.run('return', peer, async () => {
      if (await this.#liveness.answers(peer)) await this.#stabilizer.stabilize();
    });
  }

  async #goBack(): Promise<void> {
    await this.#wayIn.back();
    this.#rememberList();
  }

  /** The pointers show who is in the ring; of those who have not answered yet, others say so. */
  #rememberList(): void {
    const { remembered, contacts } = this.#options;
    remembered.seeAround(this.state, (id) => contacts.unansweredMs(id) < Infinity);
  }

  /** Those with whom this peer has to do. */
  get #vicinity(): Vicinity {
    const { fingers, state } = this;
    return { state, fingers, remembered: this.#options.remembered };
  }
}
