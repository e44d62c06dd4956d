/**
 * A ring as it is when nothing has changed for long: every pointer true. The scenarios that measure routing and not
 * churn begin here, since reaching this state by the protocol would take as long as the ring is large.
 */
import type { Random } from '../../src/base/random.js';
import { FingerTable } from '../../src/ring/fingers.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { type LookupStep, lookupStep } from '../../src/ring/routing.js';
import type { RingState } from '../../src/ring/state.js';

export class IdealRing {
  /** All peers, in the order of their ids. */
  readonly peers: readonly PeerRef[];
  readonly #places: ReadonlyMap<Id, number>;
  readonly #listLength: number;
  /** Made when they are first asked for: most peers of a large ring are never visited. */
  readonly #fingers = new Map<Id, readonly PeerRef[]>();

  /** @param listLength entries of a successor list; 1 leaves routing to the fingers alone */
  constructor(count: number, listLength: number, random: Random) {
    this.peers = Array.from({ length: count }, (_, at): PeerRef => {
      const id = hashToId(random.bytes(32));
      return { id, machine: id, address: `peer-${at}:1` };
    }).sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#places = new Map(this.peers.map(({ id }, at) => [id, at]));
    this.#listLength = listLength;
  }

  /** The first peer at or after a key for which `isAlive` holds. */
  owner(key: Id, isAlive: (id: Id) => boolean = () => true): PeerRef | undefined {
    const from = this.#placeOf(key);
    for (let step = 0; step < this.peers.length; step += 1) {
      const peer = this.#at(from + step);
      if (isAlive(peer.id)) return peer;
    }
    return undefined;
  }

  /** What a peer answers to one step of a lookup. */
  step(peer: PeerRef, key: Id): LookupStep {
    return lookupStep(this.state(peer.id), this.#fingersOf(peer.id), key);
  }

  /** A peer's true pointers. */
  state(id: Id): RingState {
    const place = this.#places.get(id) ?? 0;
    const others = Math.min(this.#listLength, this.peers.length - 1);
    return {
      self: this.#at(place),
      predecessor: others === 0 ? null : this.#at(place - 1),
      successors: Array.from({ length: others }, (_, at) => this.#at(place + 1 + at)),
    };
  }

  #fingersOf(id: Id): readonly PeerRef[] {
    const known = this.#fingers.get(id);
    if (known !== undefined) return known;
    const table = new FingerTable(id);
    for (const power of table.fillFromSuccessors(this.state(id))) {
      const place = this.#placeOf(table.start(power));
      // Whoever answers for the finger names its own successors with it.
      const known = Math.min(1 + this.#listLength, this.peers.length);
      table.set(
        power,
        Array.from({ length: known }, (_, at) => this.#at(place + at)),
      );
    }
    const peers = table.peers();
    this.#fingers.set(id, peers);
    return peers;
  }

  /** Where the first peer at or after a key stands; `peers.length` when that is the first one again. */
  #placeOf(key: Id): number {
    let low = 0;
    let high = this.peers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at(middle).id < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #at(place: number): PeerRef {
    const { length } = this.peers;
    return this.peers[((place % length) + length) % length]!;
  }
}
