/**
 * A peer's care for the keys that it is responsible for: it compares what it has of them with the other holders, and where
 * they differ, brings all to the same: it takes over what others know, and hands on what they lack.
 *
 * Danger goes first: what has one copy left is seen to at once, the rest when all keys were looked at, those first of
 * which there are fewest copies. After a while the rest is left to the next survey, which sees who has died since.
 */
import type { Clock } from '../../base/clock.js';
import { hasCode, isFailure, messageOf, type PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Logger } from '../../base/log.js';
import { type Random, shuffled } from '../../base/random.js';
import type { Id } from '../../ring/identifier.js';
import type { KeyRange } from '../../ring/key-range.js';
import type { PeerRef } from '../../ring/peer.js';
import type { KeyItem, Store } from '../../store/store.js';
import { type Difference, differences, type Theirs, waitedFor } from './comparison.js';
import { Conduct } from './conduct.js';
import { eachAtOnce } from './each-at-once.js';
import type { Exchange, Moved } from './exchange.js';
import type { Gifts } from './gifts.js';
import { isSameItem, nameOf } from './items.js';
import { NotRead } from './not-read.js';
import type { Refusals } from './refusals.js';

export interface SurveyOptions {
  readonly store: Store;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Copies of each value. */
  readonly replicas: number;
  /** What other holders were given lately. */
  readonly gifts: Gifts;
  /** Who had no room lately. */
  readonly refusals: Refusals;
  readonly self: Id;
  /** Whether this peer is itself one of those who are to hold these keys. */
  readonly isHolder: boolean;
  /** Whether this peer is just handing a new block to its holders. */
  readonly isOnItsWay: (id: Id) => boolean;
}

/** Another holder, or somebody who stands in for one that has no room. */
interface Side {
  readonly peer: PeerRef;
  readonly isStandIn: boolean;
  readonly conduct: Conduct;
}

/** What became of an attempt to move a copy. */
type Outcome = Moved | 'not read' | 'not taken';

/** A key of which not all holders have the same. */
interface Case {
  readonly kind: KeyItem['kind'];
  readonly id: Id;
  /** What each side has of it, in the order of the sides; undefined for nothing, `lost` where that is not known. */
  readonly theirs: readonly (KeyItem | undefined | 'lost')[];
  /** How many holders have anything of it. */
  readonly copies: number;
  /** Whether it is to be held, as far as is known here: of what nobody owns any more only that is handed on. */
  readonly isKept: boolean;
  /** Whether it counts as short of copies. */
  readonly isShort: boolean;
  /** What is to be moved until all have it. */
  readonly owedBytes: number;
}

/** What a survey found and did. */
export interface Findings {
  /** Keys that are short of copies, by how many are left. */
  readonly short: ReadonlyMap<number, number>;
  readonly owedBytes: number;
  /** Copies that were made, and news that were told. */
  readonly made: number;
  /** Whether some holder could not be asked, so that nobody knows what it has. */
  readonly isIncomplete: boolean;
  /** Whether all keys were looked at. */
  readonly isLooked: boolean;
}

/** One survey of some ranges. */
export class Survey {
  readonly #options: SurveyOptions;
  readonly #sides: readonly Side[];
  readonly #waiting: Case[] = [];
  readonly #short = new Map<number, number>();
  #owedBytes = 0;
  #made = 0;
  #isIncomplete = false;
  #isLooked = false;
  #isFull = false;

  /**
   * @param others the other holders, within reach
   * @param standIns those who stand in for holders that have no room
   */
  constructor(options: SurveyOptions, others: readonly PeerRef[], standIns: readonly PeerRef[]) {
    this.#options = options;
    const side =
      (isStandIn: boolean) =>
      (peer: PeerRef): Side => ({ peer, isStandIn, conduct: new Conduct(peer.id, options.refusals) });
    this.#sides = [...others.map(side(false)), ...standIns.map(side(true))];
  }

  /** How many are to hold each key. */
  get #wanted(): number {
    return this.#sides.filter(({ isStandIn }) => !isStandIn).length + Number(this.#options.isHolder);
  }

  /** What has been found so far. */
  get findings(): Findings {
    return {
      short: this.#short,
      owedBytes: this.#owedBytes,
      made: this.#made,
      isIncomplete: this.#isIncomplete,
      isLooked: this.#isLooked,
    };
  }

  /**
   * Compares, and sees to what has one copy left.
   * @throws PeerStoreError CANCELLED, or what the own store says.
   */
  async look(ranges: readonly KeyRange[]): Promise<void> {
    const { store, exchange, clock, log } = this.#options;
    const untilMs = clock.monotonicMs() + limits.repairSliceMs;
    const isOver = (): boolean => clock.monotonicMs() >= untilMs;
    const sides = this.#sides.map(({ peer }) =>
      waitedFor(exchange.sideOf(peer), clock, limits.repairSliceMs),
    );
    const onLost = (at: number, error: unknown): void => {
      this.#isIncomplete = true;
      log.debug('a holder could not be compared with', {
        holder: this.#sides[at]?.peer.address ?? '',
        error: messageOf(error),
      });
    };
    for await (const difference of differences(store, ranges, sides, onLost)) {
      const urgent: Case[] = [];
      for await (const one of this.#casesOf(difference)) {
        this.#count(one, 1);
        if (one.copies === 1 && !isOver()) urgent.push(one);
        else this.#postpone(one);
      }
      await eachAtOnce(this.#inTurn(urgent), limits.repairsAtOnce, async (one) => {
        if (isOver()) this.#postpone(one);
        else await this.#settle(one);
      });
    }
    this.#isLooked = true;
  }

  /** Sees to the rest, for a while. @throws as {@link look}. */
  async settle(): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + limits.repairSliceMs;
    await eachAtOnce(this.#inTurn(this.#waiting.splice(0)), limits.repairsAtOnce, async (one) => {
      if (clock.monotonicMs() < untilMs) await this.#settle(one);
    });
  }

  /**
   * Those first of which there are fewest copies. Of the same number not always in the same order: some that fail each time
   * would come first each time, and when a holder is given up on for them, the others would wait for ever.
   */
  #inTurn(cases: readonly Case[]): readonly Case[] {
    return shuffled(cases, this.#options.random).sort((a, b) => a.copies - b.copies);
  }

  #postpone(one: Case): void {
    if (this.#waiting.length < limits.casesWaiting) this.#waiting.push(one);
  }

  async *#casesOf({ own, theirs }: Difference): AsyncGenerator<Case> {
    const { store, isOnItsWay, replicas } = this.#options;
    const ownItems = byName(own);
    const sides = theirs.map((items) => itemsOf(items, ownItems));
    const all = new Map(ownItems);
    for (const items of sides)
      for (const [name, item] of items ?? []) if (!all.has(name)) all.set(name, item);
    for (const [name, { kind, id }] of all) {
      const mine = ownItems.get(name);
      const found = sides.map((items) => (items === undefined ? 'lost' : items.get(name)));
      const known = found.filter((item) => item !== 'lost');
      const isSettled =
        mine !== undefined &&
        found.every((item, at) => {
          if (item === 'lost' || isSameItem(item, mine)) return true;
          return item === undefined && this.#sides[at]?.isStandIn === true;
        });
      if (isSettled || isOnItsWay(id)) continue;
      const info = kind === 'block' && mine !== undefined ? await store.blockInfo(id) : undefined;
      // Of what this peer has not, nobody knows yet whether it is to be kept: it counts, until that is known.
      const isKept = kind === 'record' || mine === undefined || isHeld(info);
      const copies = (mine === undefined ? 0 : 1) + known.filter((item) => item !== undefined).length;
      const lost = found.filter((item, at) => item === 'lost' && this.#sides[at]?.isStandIn === false).length;
      const missing = Math.max(0, this.#wanted - lost - copies);
      const owedBytes = isKept ? missing * (info?.sizeBytes ?? 0) : 0;
      yield { kind, id, theirs: found, copies, isKept, isShort: isKept && copies < replicas, owedBytes };
    }
  }

  #count({ copies, isShort, owedBytes }: Case, by: 1 | -1): void {
    this.#owedBytes += by * owedBytes;
    if (isShort) this.#short.set(copies, (this.#short.get(copies) ?? 0) + by);
  }

  /** Brings all holders of a key to the same, as far as they can be reached and have room. */
  async #settle(one: Case): Promise<void> {
    const { store, exchange } = this.#options;
    let item = await store.itemOf(one.id, one.kind);
    const { state } = store.stats().disk;
    const takesNothing = !this.#options.isHolder || state === 'read-only' || state === 'failing';
    const tried = new Set<string>();
    let areAsked = false;
    let isNothing = true;
    for (const [at, theirs] of one.theirs.entries()) {
      const side = this.#sides[at];
      if (side === undefined || theirs === undefined || theirs === 'lost') continue;
      const version = Buffer.from(theirs.digest).toString('hex');
      if (isSameItem(item, theirs) || tried.has(version) || side.conduct.isGivenUp) continue;
      if (takesNothing || (item === undefined && this.#isFull)) continue;
      const outcome = await this.#attempt(side, 'self', theirs, () => exchange.fetch(side.peer, theirs));
      const isTaken = isDone(outcome);
      item = await store.itemOf(one.id, one.kind);
      // Who gave nothing, or nothing to keep, is no reason not to ask another one that says it has the same.
      if (isTaken && item !== undefined) tried.add(version);
      isNothing &&= isTaken;
      areAsked = true;
    }
    if (item === undefined && areAsked && isNothing) {
      // What all of them have is nothing to keep: a tombstone that has expired.
      this.#count(one, -1);
      return;
    }
    let copies = Number(item !== undefined && this.#options.isHolder);
    let lost = 0;
    for (const [at, theirs] of one.theirs.entries()) {
      const side = this.#sides[at];
      if (side === undefined) continue;
      if (theirs === 'lost') lost += Number(!side.isStandIn);
      else if (isSameItem(theirs, item)) copies += 1;
      // Those who stand in come behind the holders, and keep what these could not.
      else if (side.isStandIn && theirs === undefined && copies >= this.#wanted) continue;
      else if (await this.#bringTo(side, one, item, theirs)) copies += 1;
    }
    if (copies + lost >= this.#wanted) this.#count(one, -1);
  }

  /** @returns whether the side has it now. */
  async #bringTo(
    side: Side,
    one: Case,
    item: KeyItem | undefined,
    theirs: KeyItem | undefined,
  ): Promise<boolean> {
    const { exchange, gifts } = this.#options;
    const { conduct } = side;
    if (theirs === undefined && !gifts.mayGive(side.peer.id, nameOf(one))) return false;
    if (theirs === undefined ? !conduct.mayBeGiven(one.isKept) : conduct.isGivenUp) return false;
    const isGiven = (outcome: Outcome): boolean => {
      if (!isDone(outcome)) return false;
      if (outcome === 'sent') conduct.took();
      if (theirs === undefined) gifts.gave(side.peer.id, nameOf(one));
      return true;
    };
    if (item !== undefined) {
      const outcome = await this.#attempt('self', side, item, () => exchange.handOver(side.peer, item));
      if (outcome !== 'not read') return isGiven(outcome);
    } else if (theirs !== undefined) return true;
    // This peer cannot keep it, or not read it: it passes it on from whoever has it.
    for (const [at, version] of one.theirs.entries()) {
      const source = this.#sides[at];
      if (source === undefined || source.conduct.isGivenUp) continue;
      if (version === undefined || version === 'lost' || (item !== undefined && !isSameItem(version, item)))
        continue;
      const relay = (): Promise<Moved> => exchange.relay(source.peer, side.peer, version);
      const outcome = await this.#attempt(source, side, version, relay);
      if (outcome !== 'not read') return isGiven(outcome);
    }
    conduct.missed();
    return false;
  }

  /** Moves a copy. What fails is held against the side whose fault it is. */
  async #attempt(
    from: Side | 'self',
    to: Side | 'self',
    { id }: KeyItem,
    work: () => Promise<Moved>,
  ): Promise<Outcome> {
    try {
      const moved = await work();
      if (moved !== 'nothing new') this.#made += 1;
      return moved;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#options.log.debug('a copy could not be moved', {
        id,
        from: nameOfSide(from),
        to: nameOfSide(to),
        error: messageOf(error),
      });
      // Of what another one has given, be it bytes or a state that cannot be, it is not for the receiver to answer.
      if (error instanceof NotRead || (from !== 'self' && hasCode(error, 'DAMAGED', 'PROTOCOL'))) {
        if (from !== 'self') from.conduct.withheld(error);
        return 'not read';
      }
      // The next survey, which is to come soon, has somebody stand in.
      if (to === 'self' ? this.#hasRefused(error) : to.conduct.refused(error)) this.#made += 1;
      return 'not taken';
    }
  }

  /** The own store has not taken a value. @returns whether others have to stand in for it from now on. */
  #hasRefused(error: PeerStoreError): boolean {
    const { refusals, self } = this.#options;
    const hasNoRoom = hasCode(error, 'NO_SPACE');
    this.#isFull ||= hasNoRoom;
    return (hasNoRoom || hasCode(error, 'IO')) && refusals.refused(self, hasNoRoom);
  }
}

function isDone(outcome: Outcome): outcome is Moved {
  return outcome !== 'not read' && outcome !== 'not taken';
}

function nameOfSide(side: Side | 'self'): string {
  return side === 'self' ? side : side.peer.address;
}

/** What a side has, by name; undefined when it cannot be asked. */
function itemsOf(items: Theirs, own: ReadonlyMap<string, KeyItem>): ReadonlyMap<string, KeyItem> | undefined {
  if (items === 'lost') return undefined;
  return items === 'same' ? own : byName(items);
}

function byName(items: readonly KeyItem[]): ReadonlyMap<string, KeyItem> {
  return new Map(items.map((item) => [nameOf(item), item]));
}

function isHeld(info: { readonly trashedAtMs?: number } | undefined): boolean {
  return info !== undefined && info.trashedAtMs === undefined;
}
