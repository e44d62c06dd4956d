/**
 * The ring as the client sees it: which peers hold a key.
 *
 * A ring that fits a successor list is seen whole with one question, and answers for some seconds without another; in
 * a larger one each key is looked up, beginning with the peers met so far. What the view says may be out of date: the
 * peers themselves refuse what is not theirs, and the view is then made anew.
 */
import type { Clock } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
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
}

/** How long a view of the whole ring is used before it is asked for again. */
const freshMs = 5_000;
/** How long a peer that did not answer is asked last. */
const suspectMs = 5_000;

export class RingView {
  readonly #options: RingViewOptions;
  /** Every peer met, by id. */
  readonly #known = new Map<Id, PeerRef>();
  readonly #suspectUntilMs = new Map<Id, number>();
  /** All members in the order of their ids, when the ring is seen whole. */
  #whole: { readonly members: readonly PeerRef[]; readonly sinceMs: number } | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: RingViewOptions) {
    this.#options = options;
  }

  /** Every peer met so far. */
  get peers(): readonly PeerRef[] {
    return [...this.#known.values()];
  }

  /**
   * The peers that hold a key, the responsible one first, then those that stand in for it. Peers that did not answer
   * lately come last.
   * @throws PeerStoreError UNREACHABLE when no peer of the ring answers.
   */
  async holders(key: Id, signal?: AbortSignal): Promise<readonly PeerRef[]> {
    const { clock } = this.#options;
    if (this.#whole === undefined || clock.monotonicMs() - this.#whole.sinceMs > freshMs)
      await this.refresh();
    if (this.#whole !== undefined) return this.#suspectsLast(inOrderFrom(key, this.#whole.members));
    const { peers } = await lookupOverWire(
      this.#options.transport,
      key,
      this.#suspectsLast(this.peers),
      signal === undefined ? {} : { signal },
    );
    this.#meet(peers);
    return this.#suspectsLast(peers);
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
   * @throws PeerStoreError UNREACHABLE, naming every address that was tried and why it failed; NOT_ADMITTED when that
   *   is what an entry said.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * Asks the first peer that answers.
   * @throws PeerStoreError as {@link refresh}.
   */
  async askAny<M extends MethodName>(method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    const failures: string[] = [];
    let refusal: PeerStoreError | undefined;
    const tried = new Set<string>();
    const candidates: Endpoint[] = [...this.#suspectsLast(this.peers), ...this.#options.entries];
    for (const peer of candidates) {
      if (tried.has(peer.address)) continue;
      tried.add(peer.address);
      try {
        return (await this.#options.transport.call(peer, method, request)).response;
      } catch (error) {
        failures.push(`${peer.address} (${messageOf(error)})`);
        if (error instanceof PeerStoreError && error.code === 'NOT_ADMITTED') refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    throw new PeerStoreError(
      'UNREACHABLE',
      failures.length === 0
        ? 'no peer is known; name one with --peer-addr HOST:PORT'
        : `no peer answered: ${failures.join('; ')}. Is peerstore-server running there? Name another with --peer-addr`,
    );
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
    }
  }

  #suspectsLast(peers: readonly PeerRef[]): readonly PeerRef[] {
    const nowMs = this.#options.clock.monotonicMs();
    const isSuspect = ({ id }: PeerRef): boolean => (this.#suspectUntilMs.get(id) ?? 0) > nowMs;
    return [...peers.filter((peer) => !isSuspect(peer)), ...peers.filter(isSuspect)];
  }
}

function inOrderFrom(key: Id, members: readonly PeerRef[]): readonly PeerRef[] {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const at = sorted.findIndex(({ id }) => id >= key);
  return at <= 0 ? sorted : [...sorted.slice(at), ...sorted.slice(0, at)];
}
