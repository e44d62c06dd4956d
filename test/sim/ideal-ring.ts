/**
 * A ring as it is when nothing has changed for long: every pointer true. The scenarios that measure routing and not
 * churn begin here, since reaching this state by the protocol would take as long as the ring is large.
 */
import type { Random } from '../../src/base/random.js';
import { FingerTable } from '../../src/ring/fingers.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
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

  /** The first peer at or after a key for which `isWanted` holds. */
  owner(key: Id, isWanted: (id: Id) => boolean = () => true): PeerRef | undefined {
    return this.from(key, isWanted).next().value;
  }

  /** The peers at and after a key for which `isWanted` holds, in order, once round. */
  *from(key: Id, isWanted: (id: Id) => boolean = () => true): Generator<PeerRef, undefined> {
    const from = this.placeOf(key);
    for (let step = 0; step < this.peers.length; step += 1) {
      const peer = this.at(from + step);
      if (isWanted(peer.id)) yield peer;
    }
  }

  /** The peers before a key for which `isWanted` holds, nearest first, once round. */
  *before(key: Id, isWanted: (id: Id) => boolean = () => true): Generator<PeerRef, undefined> {
    const from = this.placeOf(key) - 1;
    for (let step = 0; step < this.peers.length; step += 1) {
      const peer = this.at(from - step);
      if (isWanted(peer.id)) yield peer;
    }
  }

  /** A peer's true pointers. */
  state(id: Id): RingState {
    const place = this.#places.get(id) ?? 0;
    const others = Math.min(this.#listLength, this.peers.length - 1);
    return {
      self: this.at(place),
      predecessor: others === 0 ? null : this.at(place - 1),
      successors: this.#run(place + 1, others),
    };
  }

  /** The peers in a finger table of true fingers. */
  fingers(id: Id): readonly PeerRef[] {
    const known = this.#fingers.get(id);
    if (known !== undefined) return known;
    const table = new FingerTable(id);
    for (const power of table.fillFromSuccessors(this.state(id))) {
      // Whoever answers for the finger names its own successors with it.
      const length = Math.min(1 + this.#listLength, this.peers.length);
      table.set(power, this.#run(this.placeOf(table.start(power)), length));
    }
    const peers = table.peers();
    this.#fingers.set(id, peers);
    return peers;
  }

  /** Where the first peer at or after a key stands; `peers.length` when that is the first one again. */
  placeOf(key: Id): number {
    let low = 0;
    let high = this.peers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle).id < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The peer at a place, counted round the ring. */
  at(place: number): PeerRef {
    const { length } = this.peers;
    return this.peers[((place % length) + length) % length]!;
  }
  #run(place: number, length: number): readonly PeerRef[] {
    return Array.from({ length }, (_, at) => this.at(place + at));
  }
}
