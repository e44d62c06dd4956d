/**
 * The ring as the client sees it: which peers hold a key.
 *
 * A ring that fits a successor list is seen whole with one question, and answers for some seconds without another; in
 * a larger one each key is looked up, beginning with the peers met so far. What the view says may be out of date: the
 * peers themselves refuse what is not theirs, and the view is then made anew.
 */
import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import {
  type Endpoint,
  type Id,
  lookupOverWire,
  type MethodName,
  type PeerRef,
  type RequestOf,
  type ResponseOf,
  type Transport,
} from '../wire/index.js';

export interface RingViewOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Addresses to enter by, in order of preference. */
  readonly entries: readonly Endpoint[];
  /** Ends every question. */
  readonly signal?: AbortSignal;
}

/** How long a view of the whole ring is used before it is asked for again. */
const freshMs = 5_000;
/** How long a peer that did not answer is asked last. */
const suspectMs = 5_000;
/** Failures that an error names; the others are counted. */
const failuresNamed = 4;

export class RingView {
  readonly #options: RingViewOptions;
  /** Every peer met, by id, the one met last at the end. */
  readonly #known = new Map<Id, PeerRef>();
  readonly #suspectUntilMs = new Map<Id, number>();
  /** All members in the order of their ids, when the ring is seen whole. */
  #whole: { readonly members: readonly PeerRef[]; readonly sinceMs: number } | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: RingViewOptions) {
    this.#options = options;
  }

  /** The peers met so far, at most `limits.rememberedPeers` of them. */
  get peers(): readonly PeerRef[] {
    return [...this.#known.values()];
  }

  /**
   * The peers that hold a key, the responsible one first, then those that stand in for it. Peers that did not answer
   * lately come last.
   * @throws PeerStoreError UNREACHABLE when no peer of the ring answers, CANCELLED.
   */
  async holders(key: Id): Promise<readonly PeerRef[]> {
    const { clock, transport } = this.#options;
    if (this.#whole === undefined || clock.monotonicMs() - this.#whole.sinceMs > freshMs)
      await this.refresh();
    if (this.#whole !== undefined) return this.#suspectsLast(inOrderFrom(key, this.#whole.members));
    const { peers } = await lookupOverWire(transport, key, this.#suspectsLast(this.peers), this.#signal());
    this.#meet(peers);
    return this.#suspectsLast(peers);
  }

  /**
   * The members of the ring: followed round from successor list to successor list.
   * @returns at most `limits.rememberedPeers`, in the order of the ring; in a ring in motion some may be missing.
   * @throws PeerStoreError UNREACHABLE when no peer of the ring answers, CANCELLED.
   */
  async members(): Promise<readonly PeerRef[]> {
    const found = new Map<Id, PeerRef>();
    let { self, successors } = await this.askAny('successorList', {});
    for (;;) {
      const before = found.size;
      for (const peer of [self, ...successors]) found.set(peer.id, peer);
      const last = successors.at(-1);
      const isRound = found.size === before || last === undefined;
      if (isRound || found.size >= limits.rememberedPeers) break;
      try {
        ({ self, successors } = await this.#ask(last, 'successorList', {}));
      } catch (error) {
        if (hasCode(error, 'CANCELLED')) throw error;
        break; // what lies behind a peer that does not answer shows when the ring has closed the gap
      }
    }
    this.#meet(found.values());
    return [...found.values()].slice(0, limits.rememberedPeers);
  }

  /** Notes that a peer did not answer; it is asked last for a while. */
  suspect(peer: PeerRef): void {
    this.#suspectUntilMs.set(peer.id, this.#options.clock.monotonicMs() + suspectMs);
    this.#whole = undefined;
  }

  /** Notes that the view was wrong. The next question makes it anew. */
  invalidate(): void {
    this.#whole = undefined;
  }

  /**
   * Asks a peer for its part of the ring: one met before, or an entry.
   * @throws PeerStoreError as {@link askAny}.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * Asks the first peer that answers.
   * @throws PeerStoreError UNREACHABLE, naming the addresses that were tried and why they failed; NOT_ADMITTED when that
   *   is what a peer said; BUSY when the peers that answer have too much to do; CANCELLED.
   */
  async askAny<M extends MethodName>(method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    const failures: { readonly address: string; readonly error: unknown }[] = [];
    const tried = new Set<string>();
    for (const peer of [...this.#suspectsLast(this.peers), ...this.#options.entries]) {
      if (tried.has(peer.address)) continue;
      tried.add(peer.address);
      try {
        return await this.#ask(peer, method, request);
      } catch (error) {
        if (hasCode(error, 'CANCELLED')) throw error;
        failures.push({ address: peer.address, error });
      }
    }
    const telling =
      failures.find(({ error }) => hasCode(error, 'NOT_ADMITTED')) ??
      failures.find(({ error }) => hasCode(error, 'BUSY'));
    if (telling !== undefined) throw telling.error;
    const named = failures
      .slice(0, failuresNamed)
      .map(({ address, error }) => `${address} (${messageOf(error)})`);
    if (failures.length > failuresNamed) named.push(`and ${failures.length - failuresNamed} more`);
    throw new PeerStoreError(
      'UNREACHABLE',
      failures.length === 0
        ? 'no peer is known; name one with --peer-addr HOST:PORT'
        : `no peer answered: ${named.join('; ')}. Is peerstore-server running there? Name another with --peer-addr`,
    );
  }

  async #ask<M extends MethodName>(peer: Endpoint, method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    return (await this.#options.transport.call(peer, method, request, this.#signal())).response;
  }

  async #refresh(): Promise<void> {
    const { self, predecessor, successors } = await this.askAny('successorList', {});
    const members = [self, ...successors];
    this.#meet(members);
    // Whoever is followed round by its own predecessor sees everybody.
    const isWhole = successors.at(-1)?.id === predecessor?.id;
    this.#whole = isWhole ? { members, sinceMs: this.#options.clock.monotonicMs() } : undefined;
  }

  #meet(peers: Iterable<PeerRef>): void {
    for (const peer of peers) {
      this.#known.delete(peer.id);
      this.#known.set(peer.id, peer);
    }
    for (const id of this.#known.keys()) {
      if (this.#known.size <= limits.rememberedPeers) break;
      this.#known.delete(id);
      this.#suspectUntilMs.delete(id);
    }
  }

  #suspectsLast(peers: readonly PeerRef[]): readonly PeerRef[] {
    const nowMs = this.#options.clock.monotonicMs();
    const isSuspect = ({ id }: PeerRef): boolean => (this.#suspectUntilMs.get(id) ?? 0) > nowMs;
    return [...peers.filter((peer) => !isSuspect(peer)), ...peers.filter(isSuspect)];
  }

  #signal(): { signal?: AbortSignal } {
    return this.#options.signal === undefined ? {} : { signal: this.#options.signal };
  }
}

function inOrderFrom(key: Id, members: readonly PeerRef[]): readonly PeerRef[] {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const at = sorted.findIndex(({ id }) => id >= key);
  return at <= 0 ? sorted : [...sorted.slice(at), ...sorted.slice(0, at)];
}
