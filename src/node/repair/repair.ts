/**
 * Repair, without an operator: a peer looks after the keys that it is responsible for (survey.ts), and after the copies
 * that it need not have (handover.ts). Every peer does, so every key is looked after; nobody has to know the whole.
 */
import { setMaxListeners } from 'node:events';

import type { Clock } from '../../base/clock.js';
import { hasCode, isFailure, messageOf } from '../../base/errors.js';
import type { Logger } from '../../base/log.js';
import type { Random } from '../../base/random.js';
import { limits } from '../../base/limits.js';
import { type Id, idPlusPowerOfTwo } from '../../ring/identifier.js';
import { allKeys, type KeyRange, rangesOfArc } from '../../ring/key-range.js';
import { between } from '../../ring/interval.js';
import type { PeerRef } from '../../ring/peer.js';
import { seesWholeRing } from '../../ring/state.js';
import type { Store } from '../../store/store.js';
import type { Transport } from '../../wire/transport.js';
import type { Membership } from '../membership.js';
import type { RememberedPeers } from '../remembered-peers.js';
import { Exchange } from './exchange.js';
import { Gifts } from './gifts.js';
import { type Handover, handOver } from './handover.js';
import { type HeldArc, holdersFrom } from './holders.js';
import { Refusals } from './refusals.js';
import { type Findings, Survey } from './survey.js';

/** Keys in a row that this peer is responsible for. */
interface OwnArc extends HeldArc {
  readonly ranges: readonly KeyRange[];
}

/** What is known of the copies of some keys. */
interface Look {
  readonly arc: OwnArc;
  /** The last survey: looking, or making copies, or over. */
  readonly survey?: Survey;
  /** What the one before it has found. */
  readonly before?: Findings | undefined;
}

export interface RepairOptions {
  readonly membership: Membership;
  readonly remembered: RememberedPeers;
  readonly store: Store;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Copies of each value. */
  readonly replicas: number;
  /** How long a machine that is not seen counts as one of the ring's. */
  readonly rosterMs: number;
  /** How long a machine that is away keeps its place among the holders. */
  readonly repairAfterMs: number;
  /** Waits until so many bytes may be moved. */
  readonly mayMove: (sizeBytes: number, signal: AbortSignal) => Promise<void>;
}

/** What people see of it. */
export interface RepairStatus {
  /** Keys that this peer is responsible for and that have fewer copies than wanted, by how many are left. */
  readonly short: readonly { readonly copies: number; readonly keys: number }[];
  /** All of those. */
  readonly keysShort: number;
  /** Bytes of the copies that other holders still lack. */
  readonly owedBytes: number;
  /** Bytes that were moved since the peer started. */
  readonly movedBytes: number;
  /** Of these, how many a second lately; null when there were none. */
  readonly bytesPerS: number | null;
  /** In how many seconds nothing is owed any more, at this rate; null while there is no rate to tell by. */
  readonly secondsLeft: number | null;
  readonly isAtWork: boolean;
  /** When all keys were last compared with all their holders; null when they have not been yet. Wall time in milliseconds. */
  readonly lookedAtMs: number | null;
}

export class Repair {
  readonly #options: RepairOptions;
  readonly #exchange: Exchange;
  readonly #ended = new AbortController();
  #looks: readonly Look[] | undefined;
  #lookedAtMs: number | undefined;
  #isAtWork = false;
  /** Where handing over goes on. */
  #handOverFrom = allKeys.first;
  readonly #gifts: Gifts;
  readonly #refusals: Refusals;
  readonly #mending = new Set<Id>();
  /** Blocks that are being written, and how many writes there are. */
  readonly #onTheirWay = new Map<Id, number>();

  constructor(options: RepairOptions) {
    this.#options = options;
    this.#gifts = new Gifts(options.clock);
    this.#refusals = new Refusals(options.clock);
    const { signal } = this.#ended;
    // Every question that is under way listens to it, as many as there are: that is no leak.
    setMaxListeners(0, signal);
    this.#exchange = new Exchange({
      ...options,
      mayMove: (sizeBytes) => options.mayMove(sizeBytes, signal),
      onDamaged: (id) => this.mendSoon(id),
      signal,
    });
  }

  /** One round. @returns whether anything was moved. */
  async round(): Promise<boolean> {
    if (!this.#options.membership.isInside) return false;
    this.#isAtWork = true;
    try {
      const made = await this.#surveyOwn();
      const { dropped, next } = await this.handOverSome();
      return made + dropped > 0 || next !== undefined;
    } catch (error) {
      if (this.#ended.signal.aborted && hasCode(error, 'CANCELLED')) return false;
      throw error;
    } finally {
      this.#isAtWork = false;
    }
  }

  /**
   * Fetches values that were found damaged from others that hold them. What nobody has is said so, and tried again in later
   * rounds.
   */
  async mend(ids: readonly Id[]): Promise<void> {
    const { membership, log } = this.#options;
    const { machine } = membership.state.self;
    for (const id of ids) {
      const { present } = await this.#arcOf(id);
      const others = present.filter((peer) => peer.machine !== machine);
      if (await this.#fetchFromAny(others, id))
        log.info('a damaged value was replaced from another holder', { id });
      else log.warn('a damaged value could not be replaced: no other holder has given it', { id });
    }
  }

  /** The same for one value, in its turn; nobody waits for it. */
  mendSoon(id: Id): void {
    if (this.#mending.has(id) || this.#mending.size >= limits.mendsAtOnce) return;
    this.#mending.add(id);
    void this.mend([id])
      .catch((error: unknown) => {
        this.#options.log.warn('a damaged value could not be looked for', { id, error: messageOf(error) });
      })
      .finally(() => this.#mending.delete(id));
  }

  async #fetchFromAny(peers: readonly PeerRef[], id: Id): Promise<boolean> {
    for (const peer of peers) {
      try {
        const items = await this.#exchange.itemsOf(peer, id);
        for (const item of items) await this.#exchange.fetch(peer, item);
        // Who gives nothing to keep has not helped, whatever it says that it has.
        const own = await Promise.all(items.map(({ kind }) => this.#options.store.itemOf(id, kind)));
        if (own.some((item) => item !== undefined)) return true;
      } catch (error) {
        if (!isFailure(error)) throw error;
        this.#options.log.debug('a holder could not give a value', {
          id,
          holder: peer.address,
          error: messageOf(error),
        });
      }
    }
    return false;
  }

  /** A new block is handed to its holders: nobody needs to see to it. @returns what to call when that is over. */
  onItsWay(id: Id): () => void {
    this.#onTheirWay.set(id, (this.#onTheirWay.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#onTheirWay.get(id) ?? 1) - 1;
      if (left > 0) this.#onTheirWay.set(id, left);
      else this.#onTheirWay.delete(id);
    };
  }

  /** Whether a peer has refused copies lately, so that others stand in for it. */
  isWithoutRoom(peer: Id): boolean {
    return this.#refusals.isRefusing(peer);
  }

  /** Ends a round that is under way. */
  end(): void {
    this.#ended.abort();
  }

  async status(): Promise<RepairStatus> {
    const all = new Map<number, number>();
    const count = (copies: number, keys: number): void => void all.set(copies, (all.get(copies) ?? 0) + keys);
    const looks = this.#looks ?? this.#ownArcs().map((arc): Look => ({ arc }));
    let owedBytes = 0;
    for (const look of looks) {
      const findings = findingsOf(look);
      let known = 0;
      for (const [copies, keys] of findings?.short ?? []) {
        count(copies, keys);
        known += keys;
      }
      owedBytes += findings?.owedBytes ?? 0;
      // Where machines are missing, so are copies of all the other keys.
      const { present } = look.arc;
      if (present.length < this.#options.replicas)
        count(present.length, Math.max(0, (await this.#keysIn(look.arc)) - known));
    }
    const { movedBytes, bytesPerS } = this.#exchange;
    const inOrder = [...all].filter(([, keys]) => keys > 0).sort(([a], [b]) => a - b);
    return {
      short: inOrder.map(([copies, keys]) => ({ copies, keys })),
      keysShort: inOrder.reduce((sum, [, keys]) => sum + keys, 0),
      owedBytes,
      movedBytes,
      bytesPerS,
      secondsLeft: secondsLeft(owedBytes, bytesPerS),
      isAtWork: this.#isAtWork && owedBytes > 0,
      lookedAtMs: this.#lookedAtMs ?? null,
    };
  }

  async #surveyOwn(): Promise<number> {
    const { self } = this.#options.membership.state;
    const isOnItsWay = (id: Id): boolean => this.#onTheirWay.has(id);
    const { state } = this.#options.store.stats().disk;
    if (state !== 'fine' && state !== 'nearly full') this.#refusals.refused(self.id, true);
    const tools = {
      ...this.#options,
      self: self.id,
      exchange: this.#exchange,
      gifts: this.#gifts,
      refusals: this.#refusals,
      isOnItsWay,
    };
    const before = new Map(this.#looks?.map((look) => [look.arc.upTo, findingsOf(look)]));
    const looks = this.#ownArcs().map((arc) => {
      const others = arc.present.filter((peer) => peer.machine !== self.machine);
      const isHolder = others.length < arc.present.length;
      const survey = new Survey({ ...tools, isHolder }, others, this.#standInsFor(arc));
      return { arc, survey, before: before.get(arc.upTo) };
    });
    if (looks.length === 0) return 0;
    this.#looks = looks;
    for (const { arc, survey } of looks) await survey.look(arc.ranges);
    const isComplete = looks.every(({ survey }) => !survey.findings.isIncomplete);
    if (isComplete) this.#lookedAtMs = this.#options.clock.nowMs();
    for (const { survey } of looks) await survey.settle();
    return looks.reduce((sum, { survey }) => sum + survey.findings.made, 0);
  }

  /**
   * Those whose copies are looked after with those of the holders: as many of the next ones as holders have no room, and
   * those among these that have none any more, for what they took before counts.
   */
  #standInsFor({ present, standIns }: HeldArc): readonly PeerRef[] {
    const hasRoom = ({ id }: PeerRef): boolean => !this.#refusals.isRefusing(id);
    let wanted = present.filter((peer) => !hasRoom(peer)).length;
    return standIns.filter((peer) => {
      if (wanted === 0) return false;
      if (hasRoom(peer)) wanted -= 1;
      return true;
    });
  }

  /**
   * Hands over copies that this peer need not have, for a while, going on where the last time ended: once it has left the
   * ring, all of them.
   * @throws PeerStoreError what lookups say when nobody can be asked, CANCELLED.
   */
  async handOverSome(): Promise<Handover> {
    const { membership } = this.#options;
    const options = {
      ...this.#options,
      exchange: this.#exchange,
      gifts: this.#gifts,
      refusals: this.#refusals,
      machine: membership.state.self.machine,
      arcOf: (key: Id) => this.#arcOf(key),
      mayLetGo: (arc: HeldArc) => this.#mayLetGo(arc),
      isLeaving: membership.hasDeparted,
    };
    const from = this.#handOverFrom;
    this.#handOverFrom = allKeys.first;
    const handover = await handOver(options, from);
    this.#handOverFrom = handover.next ?? allKeys.first;
    return handover;
  }

  /**
   * Whether enough others are to hold some keys. Who leaves a ring of few machines leaves the copies to those that are
   * left; but machines that are away just now are still some of them.
   */
  #mayLetGo({ present, away }: HeldArc): boolean {
    const { membership, remembered, replicas, rosterMs } = this.#options;
    const machines = new Set(remembered.machinesSeen(rosterMs));
    for (const { machine } of present) machines.add(machine);
    machines.delete(membership.state.self.machine);
    const wanted = membership.isInside ? replicas : Math.min(replicas, machines.size);
    return away === 0 && present.length >= wanted;
  }

  /**
   * What this peer is responsible for, cut where somebody has its place who is away. Nothing, while it does not know where
   * that begins: it takes a moment to hear of another predecessor when one has died.
   */
  #ownArcs(): readonly OwnArc[] {
    const { state } = this.#options.membership;
    const { self, predecessor, successors } = state;
    if (predecessor === null && successors.length > 0) return [];
    const members = [self, ...successors];
    let after = (predecessor ?? self).id;
    const arcs: OwnArc[] = [];
    do {
      const first = idPlusPowerOfTwo(after, 0);
      const arc = holdersFrom(first, members, seesWholeRing(state), this.#options);
      arcs.push({ ...arc, ranges: rangesOfArc(after, arc.upTo) });
      after = arc.upTo;
    } while (after !== self.id);
    return arcs;
  }

  async #arcOf(key: Id): Promise<HeldArc> {
    const { membership, remembered } = this.#options;
    const { state } = membership;
    const isWhole = membership.isInside && seesWholeRing(state);
    const members = isWhole
      ? fromOwnerOf(key, [state.self, ...state.successors])
      : (await membership.lookup(key)).peers;
    // Whoever has left the ring has no pointers that show who is in it; who is away is to be waited for all the same.
    if (!membership.isInside) remembered.see(members, () => false);
    return holdersFrom(key, members, isWhole, this.#options);
  }

  /** How many keys there are in an arc. */
  async #keysIn({ ranges }: OwnArc): Promise<number> {
    const prints = await Promise.all(ranges.map((range) => this.#options.store.fingerprint(range)));
    return prints.reduce((sum, { held }) => sum + held, 0);
  }
}

function secondsLeft(owedBytes: number, bytesPerS: number | null): number | null {
  if (owedBytes === 0) return 0;
  return bytesPerS === null || bytesPerS === 0 ? null : Math.ceil(owedBytes / bytesPerS);
}

/** The whole ring, in order, from the owner of a key on. */
function fromOwnerOf(key: Id, ring: readonly PeerRef[]): readonly PeerRef[] {
  const at = Math.max(
    0,
    ring.findIndex((peer, place) => {
      const before = ring.at(place - 1);
      return before === undefined || peer.id === key || between(before.id, key, peer.id);
    }),
  );
  return [...ring.slice(at), ...ring.slice(0, at)];
}

/** A survey that is not through, or could not ask everybody, knows no better than the one before it. */
function findingsOf({ survey, before }: Look): Findings | undefined {
  const now = survey?.findings;
  if (now === undefined || before === undefined || (now.isLooked && !now.isIncomplete)) return now ?? before;
  return keysIn(now) >= keysIn(before) ? now : before;
}

function keysIn({ short }: Findings): number {
  return [...short.values()].reduce((sum, keys) => sum + keys, 0);
}
