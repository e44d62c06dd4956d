/**
 * An inquiry: is a peer that left a question unanswered really dead?
 *
 * It goes in rounds. In each, the suspect is asked again, and so are a few witnesses: other peers, which put the question
 * to the suspect themselves (SWIM's indirect probe; Das, Gupta and Motivala, 2002) and so tell it that it is suspected.
 * What may come of it:
 *
 * - It answers, late or not: it is alive.
 * - A witness reaches it: it is alive, and only the way from here to there is broken.
 * - Nobody answers at its address, and a witness finds the same: it is dead, after a few quick rounds.
 * - It stays silent, to us and to the witnesses, for the time that a suspect is given: it is dead.
 * - It calls us, as a suspect that was told may do, but answers nobody: it gets more time, and then counts as dead for
 *   routing all the same, for nobody could be sent to it.
 *
 * Times are as many times longer as our own health is bad (local-health.ts), and what was found out before a pause of our
 * own process counts for nothing.
 */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import type { Transport } from '../wire/transport.js';
import type { Contacts } from './contacts.js';
import { meansNoAnswer } from '../wire/errors.js';
import type { LocalHealth } from './local-health.js';

/** `vouched for`: a witness reaches it, and we do not. */
export type Finding = 'alive' | 'vouched for' | 'dead';

export interface InquiryOptions {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly contacts: Contacts;
  readonly health: LocalHealth;
  /** Peers that may know the suspect, the best first. */
  readonly witnesses: (suspect: PeerRef) => readonly PeerRef[];
}

/** What one question to the suspect came to. */
type Answer = 'answered' | 'refused' | 'silent';

export class Inquiry {
  readonly #options: InquiryOptions;
  readonly #suspect: PeerRef;
  /** Fires when it is over: nobody waits for what is still under way. */
  readonly #over: AbortSignal;
  readonly #asked = new Set<Id>();
  #sinceMs: number;
  /** Rounds in a row in which nobody was there at the suspect's address. */
  #refusals = 0;
  /** Whether a witness has not reached it either. */
  #isConfirmed = false;
  #hasAnswered = false;

  constructor(options: InquiryOptions, suspect: PeerRef, over: AbortSignal) {
    this.#options = options;
    this.#suspect = suspect;
    this.#over = over;
    this.#sinceMs = options.clock.monotonicMs();
  }

  /** @throws PeerStoreError CANCELLED when it is over before anything was found. */
  async run(): Promise<Finding> {
    const { clock, health } = this.#options;
    while (!this.#isAnswered()) {
      const roundMs = clock.monotonicMs();
      const isVouchedFor = await this.#round();
      if (this.#isAnswered()) break;
      if (isVouchedFor) return 'vouched for';
      if (health.wasPausedSince(roundMs)) this.#startAnew();
      else if (this.#isDead()) return 'dead';
      await sleep(clock, limits.inquiryPauseMs, this.#over);
    }
    return 'alive';
  }

  /** Whether the suspect has answered any of our pings so far. */
  #isAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Asks the suspect and some witnesses. @returns whether one of these vouches for it. */
  async #round(): Promise<boolean> {
    const [own, ...testimonies] = await Promise.all([
      this.#ask(),
      ...this.#nextWitnesses().map((peer) => this.#hear(peer)),
    ]);
    this.#refusals = own === 'refused' ? this.#refusals + 1 : 0;
    this.#isConfirmed ||= testimonies.includes('dead');
    return testimonies.includes('alive');
  }

  /** The suspect. An answer counts for as long as the inquiry lasts, but is waited for no longer than usual. */
  #ask(): Promise<Answer> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(limits.pingTimeoutMs, () => resolve('silent'));
      void this.#ping().then((answer) => {
        timer.cancel();
        resolve(answer);
      });
    });
  }

  async #ping(): Promise<Answer> {
    const { transport } = this.#options;
    const options = { timeoutMs: limits.suspicionMs, signal: this.#over };
    try {
      await transport.call(this.#suspect, 'ping', {}, options);
    } catch (error) {
      if (hasCode(error, 'TIMEOUT', 'CANCELLED')) return 'silent';
      if (meansNoAnswer(error)) return 'refused';
    }
    this.#hasAnswered = true;
    return 'answered';
  }

  /** A witness; undefined when it cannot say. */
  async #hear(witness: PeerRef): Promise<'alive' | 'dead' | undefined> {
    const { transport, self } = this.#options;
    const request = { suspect: this.#suspect, accuser: self };
    const options = { timeoutMs: limits.testimonyTimeoutMs, signal: this.#over };
    try {
      const { response } = await transport.call(witness, 'probe', request, options);
      return response.isAlive ? 'alive' : 'dead';
    } catch {
      return undefined;
    }
  }

  /** Others in each round, until all have been asked. */
  #nextWitnesses(): readonly PeerRef[] {
    const all = this.#options.witnesses(this.#suspect);
    let unasked = all.filter(({ id }) => !this.#asked.has(id));
    if (unasked.length === 0) {
      this.#asked.clear();
      unasked = [...all];
    }
    const next = unasked.slice(0, limits.witnesses);
    for (const { id } of next) this.#asked.add(id);
    return next;
  }

  #isDead(): boolean {
    const { clock, contacts, health } = this.#options;
    if (this.#isConfirmed && this.#refusals >= limits.inquiryRefusals) return true;
    const elapsedMs = clock.monotonicMs() - this.#sinceMs;
    const hasCalled = contacts.silentMs(this.#suspect.id) < elapsedMs;
    return elapsedMs >= health.multiplier * (hasCalled ? limits.suspicionOfCallersMs : limits.suspicionMs);
  }

  #startAnew(): void {
    this.#sinceMs = this.#options.clock.monotonicMs();
    this.#refusals = 0;
    this.#isConfirmed = false;
  }
}
