/**
 * Whether other peers live, as far as routing is concerned. One lost answer proves nothing: a peer may be paused,
 * overloaded or restarting, and a false accusation costs more than a late one (Lifeguard, 2017). So a silent peer is
 * suspected first, and an inquiry (inquiry.ts) finds out.
 *
 * Dead for routing means that nobody is to be sent to it. It says nothing about what is on its disk: whether its copies
 * have to be made anew is decided elsewhere, and later.
 *
 * A peer that others reach and we do not is not dead, and stays where it is in our pointers: they say who comes next on
 * the ring, which is true whether or not we can call it, and were it dropped, its part of the keys would be nobody's while
 * its other neighbours hold on to it. Witnesses are believed for a while only, and then others are drawn: who lies
 * for a dead peer keeps it in our pointers for some rounds of that, not for ever.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { PeerRef } from '../ring/peer.js';
import { meansNoAnswer } from '../wire/errors.js';
import { Inquiry, type InquiryOptions } from './inquiry.js';

/** What became of a suspicion, for those who count. */
export interface Verdict {
  readonly peer: PeerRef;
  readonly verdict: 'suspected' | 'acquitted' | 'dead';
  /** When it fell under suspicion, on the clock that only grows. */
  readonly suspectedAtMs: number;
}

export interface LivenessOptions extends InquiryOptions {
  readonly onVerdict: (verdict: Verdict) => void;
  /** Ends every inquiry; nobody is declared dead then. */
  readonly signal: AbortSignal;
}

/** A peer that we could not reach lately. */
interface Doubt {
  readonly peer: PeerRef;
  readonly sinceMs: number;
  readonly isVouchedFor: boolean;
}

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #inquiries = new Map<string, Promise<boolean>>();
  readonly #doubts = new Map<string, Doubt>();

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Asks a peer whether it lives; if it does not answer, an inquiry finds out. */
  async lives(peer: PeerRef): Promise<boolean> {
    return (await this.answers(peer)) || !(await this.isDeadForRouting(peer));
  }

  /** Asks a peer once. @returns whether it answered in time. */
  async answers(peer: PeerRef): Promise<boolean> {
    const { transport, signal } = this.#options;
    try {
      await transport.call(peer, 'ping', {}, { timeoutMs: limits.pingTimeoutMs, signal });
      return true;
    } catch (error) {
      return !meansNoAnswer(error);
    }
  }

  /**
   * Finds out whether a peer that has left a question unanswered is dead for routing. What was found out a moment ago
   * holds.
   */
  isDeadForRouting(peer: PeerRef): Promise<boolean> {
    const doubt = this.#doubtOf(peer);
    if (doubt !== undefined) return Promise.resolve(!doubt.isVouchedFor);
    const key = keyOf(peer);
    const known = this.#inquiries.get(key);
    if (known !== undefined) return known;
    const inquiry = this.#inquire(peer).finally(() => this.#inquiries.delete(key));
    this.#inquiries.set(key, inquiry);
    return inquiry;
  }

  /** A peer has said goodbye: whoever asks it now finds nobody, and that is no news. */
  left(peer: PeerRef): void {
    this.#note({ peer, sinceMs: this.#options.clock.monotonicMs(), isVouchedFor: false });
  }

  /** Whether a peer was found dead, or reachable for others only, and has not answered since: not worth a long wait. */
  isInDoubt(peer: PeerRef): boolean {
    return this.#doubtOf(peer) !== undefined;
  }

  /** Whether others reached a peer a moment ago that has not answered us since. */
  isVouchedFor(peer: PeerRef): boolean {
    return this.#doubtOf(peer)?.isVouchedFor === true;
  }

  async #inquire(peer: PeerRef): Promise<boolean> {
    const { clock, signal, onVerdict } = this.#options;
    const suspectedAtMs = clock.monotonicMs();
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener('abort', end, { once: true });
    onVerdict({ peer, verdict: 'suspected', suspectedAtMs });
    try {
      const finding = await new Inquiry(this.#options, peer, over.signal).run();
      const isDead = finding === 'dead';
      if (finding !== 'alive') this.#note({ peer, sinceMs: clock.monotonicMs(), isVouchedFor: !isDead });
      onVerdict({ peer, verdict: isDead ? 'dead' : 'acquitted', suspectedAtMs });
      return isDead;
    } catch (error) {
      if (error instanceof PeerStoreError) return false;
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }

  #note(doubt: Doubt): void {
    for (const [key, { peer }] of this.#doubts)
      if (this.#doubtOf(peer) === undefined) this.#doubts.delete(key);
    this.#doubts.set(keyOf(doubt.peer), doubt);
  }

  #doubtOf(peer: PeerRef): Doubt | undefined {
    const { clock, contacts } = this.#options;
    const doubt = this.#doubts.get(keyOf(peer));
    if (doubt === undefined) return undefined;
    const elapsedMs = clock.monotonicMs() - doubt.sinceMs;
    return elapsedMs < limits.doubtMs && contacts.unansweredMs(peer.id) >= elapsedMs ? doubt : undefined;
  }
}

function keyOf({ id, address }: PeerRef): string {
  return `${id} ${address}`;
}
