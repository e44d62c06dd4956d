/**
 * The ring as the client sees it: which peers hold a key.
 *
 * A ring that fits a successor list is seen whole with the lists of two peers, and answers for some seconds without
 * another question; in a larger one each key is looked up, beginning with the nearest of the peers met so far. What the
 * view says may be out of date: the peers themselves refuse what is not theirs, and the view is then made anew.
 *
 * One peer that lies must not decide where data goes, or that it is nowhere. It can leave others out of its answers, and
 * cannot invent any, since everybody who is called proves who it is. So the view of the whole ring is what two peers
 * say together, and where a wrong answer would do harm, for a write and after a read that found nothing, a key is looked
 * up along two paths.
 */
import type { Clock } from '../base/clock.js';
import { hasCode, isFailure, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import {
  type Endpoint,
  faultIn,
  Finder,
  type Id,
  type MethodName,
  type Neighbourhood,
  isSameReference,
  PeerCache,
  type PeerRef,
  type RequestOf,
  type ResponseOf,
  seesWholeRing,
  type Stretch,
  stretchOf,
  type Transport,
} from '../wire/index.js';

export interface RingViewOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  /** Addresses to enter by, in order of preference. */
  readonly entries: readonly Endpoint[];
  /** Ends every question. */
  readonly signal?: AbortSignal;
}

/** How sure it has to be who holds a key: as `one` path to it says, or `two` that share no peer. */
export type Paths = 'one' | 'two';

/** How long a view of the ring is used before it is asked for again. */
const freshMs = 5_000;
/** How long a peer that did not answer is asked last. */
const suspectMs = 5_000;
/** How long the second of two peers is waited for. */
const secondViewMs = 1_000;
/** Failures that an error names; the others are counted. */
const failuresNamed = 4;

export class RingView {
  readonly #options: RingViewOptions;
  readonly #cache: PeerCache;
  readonly #finder: Finder;
  /** The peers that answered last, by address, the last one at the end. */
  readonly #contacts = new Map<string, PeerRef>();
  readonly #suspectUntilMs = new Map<Id, number>();
  /** What the ring looked like: all members in the order of their ids, when it is seen whole. */
  #view: { readonly members: readonly PeerRef[] | undefined; readonly sinceMs: number } | undefined;
  /** A list that shows how dense the ring is. */
  #reference: Stretch | undefined;
  #refreshing: Promise<void> | undefined;
  #isFilled = false;

  constructor(options: RingViewOptions) {
    const { transport, random } = options;
    this.#options = options;
    this.#cache = new PeerCache({ capacity: limits.knownPeers, random });
    this.#finder = new Finder({
      transport,
      cache: this.#cache,
      reference: () => this.#reference,
      onSilent: ({ id }) => this.#suspectFor(id),
    });
  }

  /**
   * The peers that hold a key, the responsible one first, then those that stand in for it. Peers that did not answer
   * lately come last.
   * @throws PeerStoreError UNREACHABLE when no peer of the ring answers, CANCELLED.
   */
  async holders(key: Id, paths: Paths = 'one'): Promise<readonly PeerRef[]> {
    const { clock } = this.#options;
    if (this.#view === undefined || clock.monotonicMs() - this.#view.sinceMs > freshMs) await this.refresh();
    const members = this.#view?.members;
    if (members !== undefined) return this.#suspectsLast(inOrderFrom(key, members));
    await this.#fill();
    const start = this.#suspectsLast(this.#cache.before(key, limits.lookupCandidates));
    const { peers } =
      paths === 'one'
        ? await this.#find(key, start)
        : await this.#finder.findTwice(key, start, this.#signal());
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
      this.#cache.heard(successors, self.id);
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
    return [...found.values()].slice(0, limits.rememberedPeers);
  }

  /** Notes that a peer did not answer; it is asked last for a while. */
  suspect(peer: PeerRef): void {
    this.#suspectFor(peer.id);
    this.#view = undefined;
  }

  /** Notes that the view was wrong. The next question makes it anew. */
  invalidate(): void {
    this.#view = undefined;
  }

  /**
   * Asks two peers for their parts of the ring: some met before, or entries.
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
  askAny<M extends MethodName>(method: M, request: RequestOf<M>): Promise<ResponseOf<M>> {
    return this.#askInTurn(method, request, () => undefined);
  }

  /** @param check throws what is wrong with an answer; then another peer is asked */
  async #askInTurn<M extends MethodName>(
    method: M,
    request: RequestOf<M>,
    check: (response: ResponseOf<M>, from: Endpoint) => void,
  ): Promise<ResponseOf<M>> {
    const failures: { readonly address: string; readonly error: unknown }[] = [];
    for (const peer of this.#everybody()) {
      try {
        const response = await this.#ask(peer, method, request);
        check(response, peer);
        return response;
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

  /** Whom to ask for anything: those that answered last, the entries, everybody else; suspects after the others. */
  #everybody(): readonly Endpoint[] {
    const { entries } = this.#options;
    const known = [...[...this.#contacts.values()].reverse(), ...(this.#view?.members ?? [])];
    const met = this.#cache.some(limits.lookupSteps);
    const unsuspected = known.filter((peer) => !this.#isSuspect(peer));
    return distinct([...unsuspected, ...entries, ...known, ...met]);
  }

  async #ask<M extends MethodName>(
    peer: Endpoint,
    method: M,
    request: RequestOf<M>,
    timeoutMs?: number,
  ): Promise<ResponseOf<M>> {
    const options = { ...this.#signal(), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return (await this.#options.transport.call(peer, method, request, options)).response;
  }

  /**
   * Once, where the ring is too large to be seen whole: gets to know as much of it as there is room for, from both of the
   * peers that were asked for their parts of it. Whoever learns from one alone, which may be a liar, may know none but liars.
   */
  async #fill(): Promise<void> {
    const sources = [...this.#contacts.values()].slice(-2);
    if (this.#isFilled || sources.length === 0) return;
    this.#isFilled = true;
    await Promise.all(
      sources.map((source) => this.#finder.learnAll(source, source.id, this.#options.signal)),
    );
  }

  /** One path, and a second one where the answer looks as if somebody had been left out. */
  async #find(key: Id, start: readonly PeerRef[]): Promise<{ readonly peers: readonly PeerRef[] }> {
    const result = await this.#finder.find(key, start, this.#signal());
    const isOdd = this.#finder.isTooSparse(key, result.peers);
    return isOdd ? this.#finder.findTwice(key, start, this.#signal()) : result;
  }

  async #refresh(): Promise<void> {
    const [entry] = this.#everybody();
    const [first, early] = await Promise.all([
      this.#askInTurn('successorList', {}, believe),
      this.#viewOf(this.#witness([], entry?.address)),
    ]);
    const isAnother = early !== undefined && early.self.id !== first.self.id;
    const second = isAnother
      ? early
      : await this.#viewOf(this.#witness(first.successors, first.self.address));
    const views = second === undefined ? [first] : [first, second];
    const members = new Map<Id, PeerRef>();
    // Whoever says of others that they are elsewhere may want to be the only one who can be called: then keys are looked up.
    let isAgreed = true;
    for (const { self, successors } of views) {
      this.#meet(self);
      this.#cache.heard(successors, self.id);
      for (const peer of [self, ...successors]) {
        isAgreed &&= isSameReference(members.get(peer.id) ?? peer, peer);
        members.set(peer.id, peer);
      }
    }
    this.#view = {
      members: isAgreed && views.every(seesWholeRing) ? [...members.values()] : undefined,
      sinceMs: this.#options.clock.monotonicMs(),
    };
    const stretches = views.map(({ self, successors }) => stretchOf(self.id, successors));
    this.#reference = stretches.sort((a, b) => b.peers * a.turns - a.peers * b.turns)[0];
  }

  /** Somebody to ask beside the first peer: known from before, or named by that one. */
  #witness(named: readonly PeerRef[], except: string | undefined): Endpoint | undefined {
    const known = [...this.#contacts.values(), ...(this.#view?.members ?? []), ...this.#options.entries];
    const others = distinct([...known, ...named]).filter(
      (peer) => peer.address !== except && !this.#isSuspect(peer),
    );
    return others.length === 0 ? undefined : others[this.#options.random.below(others.length)];
  }

  /** A peer's pointers, if it gives them soon. */
  async #viewOf(peer: Endpoint | undefined): Promise<Neighbourhood | undefined> {
    if (peer === undefined) return undefined;
    try {
      const view = await this.#ask(peer, 'successorList', {}, secondViewMs);
      believe(view, peer);
      return view;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (peer.id !== undefined) this.#suspectFor(peer.id);
      return undefined;
    }
  }

  #meet(peer: PeerRef): void {
    this.#cache.met(peer);
    this.#contacts.delete(peer.address);
    this.#contacts.set(peer.address, peer);
    for (const oldest of this.#contacts.keys()) {
      if (this.#contacts.size <= limits.lookupCandidates) break;
      this.#contacts.delete(oldest);
    }
  }

  #suspectFor(id: Id): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [past, untilMs] of this.#suspectUntilMs)
      if (untilMs <= nowMs) this.#suspectUntilMs.delete(past);
    this.#suspectUntilMs.set(id, nowMs + suspectMs);
  }

  #isSuspect({ id }: Endpoint): boolean {
    const untilMs = id === undefined ? undefined : this.#suspectUntilMs.get(id);
    return untilMs !== undefined && untilMs > this.#options.clock.monotonicMs();
  }

  #suspectsLast(peers: readonly PeerRef[]): readonly PeerRef[] {
    const isSuspect = (peer: PeerRef): boolean => this.#isSuspect(peer);
    return [...peers.filter((peer) => !isSuspect(peer)), ...peers.filter(isSuspect)];
  }

  #signal(): { signal?: AbortSignal } {
    return this.#options.signal === undefined ? {} : { signal: this.#options.signal };
  }
}

/** Checks that an answer can be the pointers of the peer that gave it. @throws PeerStoreError PROTOCOL. */
function believe(pointers: Neighbourhood, from: Endpoint): void {
  const isAnothers = from.id !== undefined && from.id !== pointers.self.id;
  const fault = isAnothers ? 'they are not its own' : faultIn(pointers);
  if (fault === undefined) return;
  throw new PeerStoreError('PROTOCOL', `the pointers of ${from.address} are refused: ${fault}`);
}

/** Each address once, as it was named first. */
function distinct(peers: readonly Endpoint[]): readonly Endpoint[] {
  const byAddress = new Map<string, Endpoint>();
  for (const peer of peers) if (!byAddress.has(peer.address)) byAddress.set(peer.address, peer);
  return [...byAddress.values()];
}

function inOrderFrom(key: Id, members: readonly PeerRef[]): readonly PeerRef[] {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const at = sorted.findIndex(({ id }) => id >= key);
  return at <= 0 ? sorted : [...sorted.slice(at), ...sorted.slice(0, at)];
}
