/**
 * What writers were promised: every value that was acknowledged, and whether a disk may be lost without breaking a
 * promise.
 *
 * The present promise: a value that was acknowledged was at that moment on the disks of a majority of its wanted copies.
 * Copies that are lost for good are not made again yet, so a promise holds while fewer disks than a majority have been
 * lost of those that held the value, and one that holds it is left. A crash, a pause or a cut of any length loses
 * nothing: the disk is there when its peer is back.
 */
import { bytesEqual } from '../../src/base/bytes.js';
import { majorityOf } from '../../src/node/placement.js';
import { type Id, shortId } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from './peer.js';
import type { PeerObserver, World } from './world.js';

/** One value: of a record, the one with this number or, should that have been written since, a later one. */
interface Value {
  readonly id: Id;
  /** 0 for a block. */
  readonly sequence: number;
  /** Disks that were lost with it, since its writing began. */
  lost: number;
}

/** A write that was begun, and what to say of it when it has ended. */
export interface Writing {
  acknowledged(): void;
  failed(): void;
}

export class Ledger implements PeerObserver {
  readonly #world: World;
  readonly #copies: number;
  readonly #acknowledged = new Map<Id, Value>();
  readonly #underWay = new Map<Id, Value>();
  /** The bytes of each value that any disk has accepted, by id and number. */
  readonly #accepted = new Map<Id, Map<number, Uint8Array>>();

  /** @param copies the wanted copies of each value */
  constructor(world: World, copies: number) {
    this.#world = world;
    this.#copies = copies;
    world.observers.push(this);
  }

  /** The numbers of all acknowledged values, the highest one of each record, by id. */
  get acknowledged(): ReadonlyMap<Id, { readonly sequence: number }> {
    return this.#acknowledged;
  }

  /** Somebody begins to write a value; one write of an id at a time. */
  begin(id: Id, sequence: number): Writing {
    const value: Value = { id, sequence, lost: 0 };
    const members = this.#world.peers.filter(({ isMember }) => isMember).length;
    const majority = majorityOf(Math.min(this.#copies, members));
    this.#underWay.set(id, value);
    return {
      acknowledged: () => {
        const copies = this.#disksWith(value).length + value.lost;
        if (copies < majority) {
          this.#world.violated(
            'aMajorityHasIt',
            `number ${sequence} of ${shortId(id)} was acknowledged with ${copies} of ${majority} copies`,
          );
        }
        this.#underWay.delete(id);
        this.#acknowledged.set(id, value);
      },
      failed: () => this.#underWay.delete(id),
    };
  }

  /** Whether a peer's disk may be lost for good: see the rule above. */
  mayLose(peer: SimulatedPeer): boolean {
    const tolerated = this.#copies - majorityOf(this.#copies);
    return this.#valuesOn(peer).every((value) => value.lost < tolerated && this.#disksWith(value).length > 1);
  }

  /** A holder accepts one value for a number, and all holders the same. */
  kept(peer: SimulatedPeer, id: Id, sequence: number, bytes: Uint8Array): void {
    const values = this.#accepted.get(id) ?? new Map<number, Uint8Array>();
    this.#accepted.set(id, values);
    const before = values.get(sequence);
    if (before === undefined) values.set(sequence, Uint8Array.from(bytes));
    else if (!bytesEqual(before, bytes)) {
      this.#world.violated(
        'oneValueForANumber',
        `${peer.address} accepted another value than others for number ${sequence} of ${shortId(id)}`,
      );
    }
  }

  losing(peer: SimulatedPeer): void {
    for (const value of this.#valuesOn(peer)) value.lost += 1;
  }

  /** Where a value, or a later one of its record, is: at which place from its id on in the ring as it is. For people. */
  whereIs(id: Id, sequence: number): string {
    const order = this.#world.trueOrder(id).map(({ address }) => address);
    const places = this.#disksWith({ id, sequence })
      .map(({ address }) => order.indexOf(address) + 1)
      .sort((a, b) => a - b);
    const named = places.map((place) => (place === 0 ? 'a peer that is away' : `holder ${place}`));
    return `${named.join(', ') || 'nobody'} of ${order.length} peers`;
  }

  #valuesOn(peer: SimulatedPeer): readonly Value[] {
    return [...peer.holdings.ids].flatMap((id) =>
      [this.#acknowledged.get(id), this.#underWay.get(id)].filter(
        (value) => value !== undefined && peer.holdings.sequenceOf(id) >= value.sequence,
      ),
    ) as readonly Value[];
  }

  #disksWith({ id, sequence }: Omit<Value, 'lost'>): readonly SimulatedPeer[] {
    return this.#world.peers.filter(({ holdings }) => holdings.sequenceOf(id) >= sequence);
  }
}
