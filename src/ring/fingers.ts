/**
 * The finger table: for each power of two, the first peer at or after that distance. Fingers only make lookups short;
 * a wrong one costs a step and never a wrong answer.
 */
import { type Id, idBits, idPlusPowerOfTwo } from './identifier.js';
import { inHalfOpen } from './interval.js';
import type { PeerRef } from './peer.js';
import type { RingState } from './state.js';

export class FingerTable {
  readonly #starts: readonly Id[];
  readonly #fingers: (PeerRef | undefined)[];

  /** @param self whose fingers these are. */
  constructor(self: Id) {
    this.#starts = Array.from({ length: idBits }, (_, power) => idPlusPowerOfTwo(self, power));
    this.#fingers = new Array<PeerRef | undefined>(idBits).fill(undefined);
  }

  /** Where the finger of a power begins: `self + 2^power`. @param power 0 to 255 */
  start(power: number): Id {
    const start = this.#starts[power];
    if (start === undefined) throw new RangeError(`there is no finger for 2^${power}`);
    return start;
  }

  set(power: number, peer: PeerRef): void {
    this.#fingers[power] = peer;
  }

  /** Forgets a peer that was found dead. */
  remove(id: Id): void {
    for (const [power, finger] of this.#fingers.entries()) {
      if (finger?.id === id) this.#fingers[power] = undefined;
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
      else this.#fingers[power] = peer;
    }
    return beyond;
  }

  /** The distinct peers in the table, those of the low powers first. */
  peers(): readonly PeerRef[] {
    const seen = new Map<Id, PeerRef>();
    for (const finger of this.#fingers) if (finger !== undefined) seen.set(finger.id, finger);
    return [...seen.values()];
  }
}
