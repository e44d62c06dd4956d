/**
 * The finger table: for each power of two, the first peer at or after that distance, and a few that follow it. Fingers
 * only make lookups short; a wrong one costs a step and never a wrong answer.
 *
 * Why those behind it: where a finger is dead, the next best one covers half the way, while its stand-in covers all of it.
 */
import { limits } from '../base/limits.js';
import { type Id, idBits, idPlusPowerOfTwo } from './identifier.js';
import { inHalfOpen } from './interval.js';
import type { PeerRef } from './peer.js';
import type { RingState } from './state.js';

export class FingerTable {
  readonly #starts: readonly Id[];
  /** By power: the finger, and its stand-ins. */
  readonly #fingers: (readonly PeerRef[])[];
  /** The distinct peers in it, until it changes. */
  #heads: readonly PeerRef[] | undefined;
  #everybody: readonly PeerRef[] | undefined;

  /** @param self whose fingers these are. */
  constructor(self: Id) {
    this.#starts = Array.from({ length: idBits }, (_, power) => idPlusPowerOfTwo(self, power));
    this.#fingers = new Array<readonly PeerRef[]>(idBits).fill([]);
  }

  /** Where the finger of a power begins: `self + 2^power`. @param power 0 to 255 */
  start(power: number): Id {
    const start = this.#starts[power];
    if (start === undefined) throw new RangeError(`there is no finger for 2^${power}`);
    return start;
  }

  /** @param peers the first peer at or after the start, and those behind it, as far as they are known */
  set(power: number, peers: readonly PeerRef[]): void {
    this.#put(power, peers.slice(0, limits.fingerPeers));
  }

  /** Forgets a peer that was found dead. */
  remove(id: Id): void {
    for (const [power, peers] of this.#fingers.entries()) {
      if (peers.some((peer) => peer.id === id)) {
        this.#put(
          power,
          peers.filter((peer) => peer.id !== id),
        );
      }
    }
  }

  /**
   * Sets the fingers that the successor list answers by itself.
   * @returns the powers that it does not reach, for which the ring has to be asked.
   */
  fillFromSuccessors({ self, successors }: RingState): readonly number[] {
    const beyond: number[] = [];
    let at = 0;
    for (const [power, start] of this.#starts.entries()) {
      // Starts grow with the power, so the answer only ever moves along the list.
      while (at < successors.length) {
        const peer = successors[at];
        if (peer === undefined || inHalfOpen(self.id, start, peer.id)) break;
        at += 1;
      }
      const peer = successors[at];
      if (peer === undefined) beyond.push(power);
      else if (this.#fingers[power]?.[0] !== peer) this.set(power, [peer]);
    }
    return beyond;
  }

  /** The distinct peers that the fingers point to, those of the low powers first. */
  heads(): readonly PeerRef[] {
    this.#heads ??= distinct(this.#fingers.flatMap((peers) => peers.slice(0, 1)));
    return this.#heads;
  }

  /** The distinct peers in the table, stand-ins included, those of the low powers first. */
  peers(): readonly PeerRef[] {
    this.#everybody ??= distinct(this.#fingers.flat());
    return this.#everybody;
  }

  #put(power: number, peers: readonly PeerRef[]): void {
    this.#fingers[power] = peers;
    this.#heads = undefined;
    this.#everybody = undefined;
  }
}

function distinct(peers: readonly PeerRef[]): readonly PeerRef[] {
  return [...new Map(peers.map((peer) => [peer.id, peer])).values()];
}
