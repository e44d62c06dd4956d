/**
 * The peers that this one has known, on disk: through them it finds the ring again after a restart, and another part of
 * the ring after a partition. They are also the roster: the machines that count as present when a majority is
 * reckoned, so that a peer which is cut off from the others does not take itself for the whole ring.
 */
import type { Clock } from '../base/clock.js';
import { integer, list, packValue, struct, unpackValue } from '../base/codec.js';
import { messageOf } from '../base/errors.js';
import { readFileIfThere, writeFileAtomic } from '../base/files.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import { peerCodec, type PeerRef } from '../ring/peer.js';

/** Where the list is kept between runs. */
export interface PeerMemory {
  load(): Promise<readonly RememberedPeer[]>;
  save(peers: readonly RememberedPeer[]): Promise<void>;
}

export interface RememberedPeer {
  readonly peer: PeerRef;
  readonly lastSeenMs: number;
}

const fileCodec = struct({
  version: integer(1, 1),
  peers: list(
    struct({ peer: peerCodec, lastSeenMs: integer(0, Number.MAX_SAFE_INTEGER) }),
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

export class RememberedPeers {
  readonly #self: Id;
  readonly #clock: Clock;
  readonly #memory: PeerMemory;
  readonly #peers = new Map<Id, RememberedPeer>();
  #changed = false;
  #savedMs = 0;

  constructor(self: Id, clock: Clock, memory: PeerMemory) {
    this.#self = self;
    this.#clock = clock;
    this.#memory = memory;
  }

  async load(): Promise<void> {
    for (const entry of await this.#memory.load()) {
      if (entry.peer.id !== this.#self) this.#peers.set(entry.peer.id, entry);
    }
  }

  /** Writes the list if it has changed since. */
  async save(): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    this.#savedMs = this.#clock.nowMs();
    try {
      await this.#memory.save([...this.#peers.values()]);
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  /** Notes that these peers are part of the ring now. */
  see(peers: Iterable<PeerRef>): void {
    const lastSeenMs = this.#clock.nowMs();
    for (const peer of peers) {
      if (peer.id === this.#self) continue;
      const before = this.#peers.get(peer.id);
      // On disk the times need to be right to the minute only; a quiet ring writes nothing more often than that.
      this.#changed ||= before?.peer.address !== peer.address || lastSeenMs - this.#savedMs > saveAgainMs;
      // Last in the map is seen last; the first ones are forgotten when there are too many.
      this.#peers.delete(peer.id);
      this.#peers.set(peer.id, { peer, lastSeenMs });
    }
    for (const id of this.#peers.keys()) {
      if (this.#peers.size <= limits.rememberedPeers) break;
      this.#peers.delete(id);
    }
  }

  /** Forgets a peer that said goodbye. */
  forget(id: Id): void {
    if (this.#peers.delete(id)) this.#changed = true;
  }

  /** All of them, those seen last first. */
  all(): readonly PeerRef[] {
    return [...this.#peers.values()].map(({ peer }) => peer).reverse();
  }

  /** The machines seen not longer than `withinMs` ago. */
  machinesSeen(withinMs: number): ReadonlySet<Id> {
    const since = this.#clock.nowMs() - withinMs;
    const machines = new Set<Id>();
    for (const { peer, lastSeenMs } of this.#peers.values())
      if (lastSeenMs >= since) machines.add(peer.machine);
    return machines;
  }
}
