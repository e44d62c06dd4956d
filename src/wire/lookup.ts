/** Lookups over the network, and what is learnt from the answers. For peers, and for clients, which are no part of the ring. */
import { isFailure } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { isTooSparse, type Stretch, stretchOf } from '../ring/density.js';
import type { Id } from '../ring/identifier.js';
import { lookup, lookupDisjoint, type LookupOptions, type LookupResult } from '../ring/lookup.js';
import type { PeerCache } from '../ring/peer-cache.js';
import type { PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import { stretchUpTo } from '../ring/successor-list.js';
import { meansNoAnswer } from './errors.js';
import type { Transport } from './transport.js';

export interface FinderOptions {
  readonly transport: Transport;
  /** Learns from every answer. */
  readonly cache: PeerCache;
  /** A list that shows how dense the ring is, with the place that it follows: much thinner ones are not learnt from. */
  readonly reference: () => Stretch | undefined;
  /** Told of every peer that did not answer. */
  readonly onSilent?: (peer: PeerRef) => void;
}

export interface FindOptions extends Omit<LookupOptions, 'ask'> {
  /** What peers have answered, for several lookups of one key at one time: nobody is asked twice. */
  readonly answers?: Map<Id, Promise<LookupStep>>;
}

export class Finder {
  readonly #options: FinderOptions;

  constructor(options: FinderOptions) {
    this.#options = options;
  }

  /**
   * Finds the peer responsible for a key, asking one peer after the other.
   * @param start peers to begin with, in any order
   * @throws PeerStoreError UNREACHABLE when no peer is left to ask, CANCELLED.
   */
  find(key: Id, start: Iterable<PeerRef>, options: FindOptions = {}): Promise<LookupResult> {
    return lookup(key, start, { ...options, ask: (peer) => this.#askOnce(peer, key, options) });
  }

  /** The same along two paths that share no peer: for questions whose wrong answer would do harm. */
  findTwice(key: Id, start: Iterable<PeerRef>, options: FindOptions = {}): Promise<LookupResult> {
    return lookupDisjoint(key, start, { ...options, ask: (peer) => this.#askOnce(peer, key, options) });
  }

  /**
   * Gets to know the ring: asks for pages of known peers, each from the last peer on the page before, since what comes
   * behind itself a peer knows best. Pages that are much thinner than the ring are not learnt from.
   * @param source whom to ask first
   * @param until the place where it has been once round
   * @throws PeerStoreError CANCELLED.
   */
  async learnAll(source: PeerRef, until: Id, signal?: AbortSignal): Promise<void> {
    const { cache } = this.#options;
    const asked = new Set<Id>();
    let next: PeerRef | undefined = source;
    for (let page = 0; page < limits.peerSourcesMin; page += 1) {
      if (next === undefined || asked.has(next.id)) break;
      asked.add(next.id);
      const peers = await this.#pageOf(next, signal);
      const further = stretchUpTo(until, next.id, peers ?? []);
      if (!this.isTooSparse(next.id, further)) cache.heard(further, next.id);
      if (peers !== undefined && further.length < peers.length) break;
      // Where one is silent, the one before it knows what comes behind both.
      next = further.at(-1) ?? cache.before(next.id, 1)[0];
    }
  }

  /** Whether a list that follows a place is so thin that somebody may have been left out. */
  isTooSparse(from: Id, followers: readonly PeerRef[]): boolean {
    const reference = this.#options.reference();
    return reference !== undefined && isTooSparse(stretchOf(from, followers), reference);
  }

  /** Notes that a peer did not answer. */
  silent(peer: PeerRef): void {
    this.#options.cache.remove(peer.id);
    this.#options.onSilent?.(peer);
  }

  /** @returns undefined when the peer gave no answer. */
  async #pageOf(peer: PeerRef, signal: AbortSignal | undefined): Promise<readonly PeerRef[] | undefined> {
    const { transport, cache } = this.#options;
    try {
      const options = signal === undefined ? {} : { signal };
      const { response } = await transport.call(peer, 'knownPeers', { after: peer.id }, options);
      cache.met(peer);
      return response.peers;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (meansNoAnswer(error)) this.silent(peer);
      return undefined;
    }
  }

  #askOnce(peer: PeerRef, key: Id, { answers, signal }: FindOptions): Promise<LookupStep> {
    const given = answers?.get(peer.id);
    if (given !== undefined) return given;
    const answer = this.#ask(peer, key, signal);
    answers?.set(peer.id, answer);
    return answer;
  }

  async #ask(peer: PeerRef, key: Id, signal: AbortSignal | undefined): Promise<LookupStep> {
    const { transport } = this.#options;
    try {
      const options = signal === undefined ? {} : { signal };
      const { response } = await transport.call(peer, 'successor', { key }, options);
      this.#learn(peer, response);
      return response;
    } catch (error) {
      if (meansNoAnswer(error)) this.silent(peer);
      throw error;
    }
  }

  #learn(peer: PeerRef, { found, peers, after = [], predecessor }: LookupStep): void {
    const { cache } = this.#options;
    cache.met(peer);
    // Once round at most: what comes back to the peer itself would say that nobody else is in the ring.
    const followers = stretchUpTo(peer.id, peer.id, peers[0]?.id === peer.id ? peers.slice(1) : peers);
    if (found && !this.isTooSparse(peer.id, followers)) cache.followed(peer.id, followers);
    else cache.heard([...peers, ...after, ...(predecessor === undefined ? [] : [predecessor])], peer.id);
  }
}
