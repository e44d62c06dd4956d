/**
 * The peers that this one has known, on disk: through them it finds the ring again after a restart, and another part of
 * the ring after a partition. They are also the roster: the machines that count as present when a majority is
 * reckoned, so that a peer which is cut off from the others does not take itself for the whole ring.
 *
 * Whoever has called or answered is proved to be who it is; whom others name is hearsay. Hearsay never displaces a proved
 * entry, nor says where one is, so that a neighbour that invents peers cannot cut this one off from the ring.
 *
 * In a ring that is smaller than a list, one peer may be the only one that is there and knows the others: whoever comes in
 * is told of those, so that they find each other when that one is lost for good.
 */
import type { Clock } from '../base/clock.js';
import { boolean, integer, list, optional, packValue, struct, unpackValue } from '../base/codec.js';
import { messageOf } from '../base/errors.js';
import { readFileIfThere, writeFileAtomic } from '../base/files.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import { peerCodec } from '../ring/peer-codec.js';
import type { RingState } from '../ring/state.js';

/** Where the list is kept between runs. */
export interface PeerMemory {
  load(): Promise<readonly RememberedPeer[]>;
  save(peers: readonly RememberedPeer[]): Promise<void>;
}

export interface RememberedPeer {
  readonly peer: PeerRef;
  /** Wall time in milliseconds; 0 once it has left in good order. */
  readonly lastSeenMs: number;
  /** When it left in good order, to come back. */
  readonly leftMs?: number;
  /** Whether it is known by the word of others alone. */
  readonly isHearsay?: boolean;
}

interface Entry {
  readonly peer: PeerRef;
  readonly isHearsay: boolean;
  /**
   * When it was seen last, on the clock that only grows: a jump of the other one must not empty the roster, so wall time
   * is only what this is told in on disk. -Infinity once it has left in good order.
   */
  readonly seenAtMs: number;
  /** When it left in good order, if it has: on the same clock. */
  readonly leftAtMs?: number;
}

const fileCodec = struct({
  version: integer(1, 1),
  peers: list(
    struct({
      peer: peerCodec,
      lastSeenMs: integer(0, Number.MAX_SAFE_INTEGER),
      leftMs: optional(integer(0, Number.MAX_SAFE_INTEGER)),
      isHearsay: optional(boolean),
    }),
    limits.rememberedPeers,
  ),
});

/** The list in a file. A damaged file costs nothing but the memory, and is said so. */
export function peerMemoryFile(path: string, random: Random, log: Logger): PeerMemory {
  return {
    load: async () => {
      const bytes = await readFileIfThere(path);
      if (bytes === undefined) return [];
      try {
        return unpackValue(fileCodec, bytes, path).peers;
      } catch (error) {
        log.warn('the list of remembered peers is damaged and starts anew', {
          path,
          error: messageOf(error),
        });
        return [];
      }
    },
    save: (peers) => writeFileAtomic(path, packValue(fileCodec, { version: 1, peers }), 0o600, random),
  };
}

const saveAgainMs = 60_000;
/** How old what is said of the time when a peer was seen may be. */
const preciseMs = 30_000;

export class RememberedPeers {
  readonly #self: Id;
  readonly #clock: Clock;
  readonly #memory: PeerMemory;
  #peers = new Map<Id, Entry>();
  readonly #onChange: () => void;
  #changed = false;
  #savedAtMs = 0;
  /** Those that were noted last, and when: a quiet ring has the same ones noted all the time. */
  #noted: { readonly state: RingState; readonly atMs: number } | undefined;

  /** @param onChange called when there is something to save */
  constructor(self: Id, clock: Clock, memory: PeerMemory, onChange: () => void = () => undefined) {
    this.#self = self;
    this.#clock = clock;
    this.#memory = memory;
    this.#onChange = onChange;
  }

  /**
   * Reads the list. How long a machine has been absent is reckoned up to the moment when the list was written: while
   * this peer was off it looked for nobody, and does not know that they were gone too.
   */
  async load(): Promise<void> {
    const entries = await this.#memory.load();
    const writtenMs = Math.max(
      0,
      ...entries.map(({ lastSeenMs, leftMs = 0 }) => Math.max(lastSeenMs, leftMs)),
    );
    const nowMs = this.#clock.monotonicMs();
    for (const { peer, lastSeenMs, leftMs, isHearsay = false } of entries) {
      if (peer.id === this.#self) continue;
      const seenAtMs = lastSeenMs === 0 ? -Infinity : nowMs - (writtenMs - lastSeenMs);
      const left = leftMs === undefined ? {} : { leftAtMs: nowMs - (writtenMs - leftMs) };
      this.#peers.set(peer.id, { peer, seenAtMs, isHearsay, ...left });
    }
  }

  /** Writes the list if it has changed since. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    this.#savedAtMs = this.#clock.monotonicMs();
    const startMs = this.#clock.nowMs() - this.#savedAtMs;
    try {
      await this.#memory.save(
        [...this.#peers.values()].map(({ peer, seenAtMs, leftAtMs = -Infinity, isHearsay }) => ({
          peer,
          lastSeenMs: seenAtMs === -Infinity ? 0 : Math.max(1, Math.floor(startMs + seenAtMs)),
          ...(leftAtMs === -Infinity ? {} : { leftMs: Math.max(1, Math.floor(startMs + leftAtMs)) }),
          ...(isHearsay ? { isHearsay } : {}),
        })),
      );
    } catch (error) {
      this.#change();
      throw error;
    }
  }

  /**
   * Notes that these peers are part of the ring now. Times are right to the minute.
   * @param isProved whether a peer has called or answered; the others are hearsay
   */
  see(peers: Iterable<PeerRef>, isProved: (id: Id) => boolean = () => true): void {
    const seenAtMs = this.#clock.monotonicMs();
    for (const peer of peers) {
      if (peer.id === this.#self) continue;
      const before = this.#peers.get(peer.id);
      const isHearsay = !isProved(peer.id) && before?.isHearsay !== false;
      const now = before?.isHearsay === false && !isProved(peer.id) ? before.peer : peer;
      // A quiet ring writes nothing more often than once a minute.
      const isNews = before?.peer.address !== now.address || before.seenAtMs === -Infinity;
      if (isNews || seenAtMs - this.#savedAtMs > saveAgainMs) this.#change();
      // Last in the map is seen last; the first ones are forgotten when there are too many.
      this.#peers.delete(peer.id);
      this.#peers.set(peer.id, { peer: now, seenAtMs, isHearsay });
    }
    this.#forgetSome((entry) => entry.isHearsay);
    this.#forgetSome(() => true);
  }

  /** Notes whom the own pointers name: see {@link see}. */
  seeAround(state: RingState, isProved: (id: Id) => boolean): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#noted?.state === state && nowMs - this.#noted.atMs < preciseMs) return;
    const { predecessor, successors } = state;
    this.see(predecessor === null ? successors : [predecessor, ...successors], isProved);
    this.#noted = { state, atMs: nowMs };
  }

  /** Notes peers that others remember: they count for nothing, and may be a way back to the ring. */
  hearOf(peers: readonly PeerRef[]): void {
    const isNew = ({ id }: PeerRef): boolean => id !== this.#self && !this.#peers.has(id);
    const heard = peers
      .filter(isNew)
      .map((peer): [Id, Entry] => [peer.id, { peer, seenAtMs: -Infinity, isHearsay: true }]);
    if (heard.length === 0) return;
    // The first ones: they are asked last, and forgotten before anybody who was seen.
    this.#peers = new Map([...heard, ...this.#peers]);
    this.#forgetSome((entry) => entry.isHearsay);
    this.#change();
  }

  /** Those that some pointers do not name, at most `count`: who is proved first, and of those who was seen last. */
  absentFrom({ predecessor, successors }: RingState, count: number): readonly PeerRef[] {
    const present = new Set([predecessor?.id, ...successors.map(({ id }) => id)]);
    const absent = [...this.#peers.values()].reverse().filter(({ peer }) => !present.has(peer.id));
    const proved = absent.filter(({ isHearsay }) => !isHearsay);
    return [...proved, ...absent.filter(({ isHearsay }) => isHearsay)]
      .slice(0, count)
      .map(({ peer }) => peer);
  }

  /** Where there are too many, the oldest of a kind go. */
  #forgetSome(isOfKind: (entry: Entry) => boolean): void {
    for (const [id, entry] of this.#peers) {
      if (this.#peers.size <= limits.rememberedPeers) return;
      if (isOfKind(entry)) this.#peers.delete(id);
    }
  }

  /**
   * Notes that a peer said goodbye: it does not count as one of the ring's, and may still be the way back to it.
   * @param isForGood whether nobody is to wait for it
   */
  left(id: Id, isForGood = false): void {
    const entry = this.#peers.get(id);
    if (entry === undefined) return;
    const leftAtMs = isForGood ? -Infinity : this.#clock.monotonicMs();
    this.#peers.set(id, { ...entry, seenAtMs: -Infinity, leftAtMs });
    this.#noted = undefined;
    this.#change();
  }

  /** Whether a peer is remembered that has called or answered, at this address. */
  has(peer: PeerRef): boolean {
    const entry = this.#peers.get(peer.id);
    return entry?.isHearsay === false && entry.peer.address === peer.address;
  }

  /** All of them, those seen last first. */
  all(): readonly PeerRef[] {
    return [...this.#peers.values()].map(({ peer }) => peer).reverse();
  }

  /** The machines seen not longer than `withinMs` ago. */
  machinesSeen(withinMs: number): ReadonlySet<Id> {
    const sinceMs = this.#clock.monotonicMs() - withinMs;
    const machines = new Set<Id>();
    for (const { peer, seenAtMs } of this.#peers.values()) {
      if (seenAtMs >= sinceMs) machines.add(peer.machine);
    }
    return machines;
  }

  /**
   * The peers that were part of the ring not longer than `withinMs` ago, those included that have left in good order; none
   * that are known by the word of others alone.
   */
  seenWithin(withinMs: number): readonly PeerRef[] {
    const sinceMs = this.#clock.monotonicMs() - withinMs;
    return [...this.#peers.values()]
      .filter(({ isHearsay }) => !isHearsay)
      .filter(({ seenAtMs, leftAtMs = seenAtMs }) => Math.max(seenAtMs, leftAtMs) >= sinceMs)
      .map(({ peer }) => peer);
  }

  #change(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#onChange();
  }
}
