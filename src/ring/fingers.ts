/**
 * The finger table: for each power of two, the first peer at or after that distance, and a few that follow it. Fingers
 * only make lookups short; a wrong one costs a step and never a wrong answer.
 *
 * Most powers reach no farther than the successor list, which answers them by itself. Only those beyond it are kept.
 *
 * Why those behind a finger: where it is dead, the next best one covers half the way, while its stand-in covers all of it.
 */
import { limits } from '../base/limits.js';
import { distanceBits, type Id, idBits, idPlusPowerOfTwo } from './identifier.js';
import type { PeerRef } from './peer.js';
import type { RingState } from './state.js';

export class FingerTable {
  readonly #self: Id;
  /** The fingers that the successor list answered last, nearest first. */
  #near: readonly PeerRef[] = [];
  /** By power, for those beyond the list: the finger, and its stand-ins. */
  readonly #far = new Map<number, readonly PeerRef[]>();
  /** The distinct peers in it, until it changes. */
  #heads: readonly PeerRef[] | undefined;
  #everybody: readonly PeerRef[] | undefined;

  /** @param self whose fingers these are. */
  constructor(self: Id) {
    this.#self = self;
  }

  /** Where the finger of a power begins: `self + 2^power`. @param power 0 to 255 */
  start(power: number): Id {
    return idPlusPowerOfTwo(this.#self, power);
  }

  /**
   * Sets a finger beyond the successor list.
   * @param peers the first peer at or after the start, and those behind it, as far as they are known
   */
  set(power: number, peers: readonly PeerRef[]): void {
    this.#far.set(power, peers.slice(0, limits.fingerPeers));
    this.#changed();
  }

  /** Forgets a peer that was found dead. */
  remove(id: Id): void {
    const isOther = (peer: PeerRef): boolean => peer.id !== id;
    this.#near = this.#near.filter(isOther);
    for (const [power, peers] of this.#far) this.#far.set(power, peers.filter(isOther));
    this.#changed();
  }

  /**
   * Sets the fingers that the successor list answers by itself.
   * @returns the powers that it does not reach, for which the ring has to be asked.
   */
  fillFromSuccessors({ self, successors }: RingState): readonly number[] {
    const near: PeerRef[] = [];
    // A peer is the finger of the powers that reach as far as it does and not as far as those before it.
    let reached = 0;
    for (const peer of successors) {
      const bits = distanceBits(self.id, peer.id);
      if (bits > reached) near.push(peer);
      reached = Math.max(reached, bits);
    }
    this.#near = near;
    for (const power of this.#far.keys()) if (power < reached) this.#far.delete(power);
    this.#changed();
    return Array.from({ length: idBits - reached }, (_, at) => reached + at);
  }

  /** The distinct peers that the fingers point to, those of the low powers first. */
  heads(): readonly PeerRef[] {
    this.#heads ??= distinct([...this.#near, ...this.#farByPower().flatMap((peers) => peers.slice(0, 1))]);
    return this.#heads;
  }

  /** The distinct peers in the table, stand-ins included, those of the low powers first. */
  peers(): readonly PeerRef[] {
    this.#everybody ??= distinct([...this.#near, ...this.#farByPower().flat()]);
    return this.#everybody;
  }

  #farByPower(): readonly (readonly PeerRef[])[] {
    return [...this.#far].sort(([a], [b]) => a - b).map(([, peers]) => peers);
  }

  #changed(): void {
    this.#heads = undefined;
    this.#everybody = undefined;
  }
}

function distinct(peers: readonly PeerRef[]): readonly PeerRef[] {
  return [...new Map(peers.map((peer) => [peer.id, peer])).values()];
}
