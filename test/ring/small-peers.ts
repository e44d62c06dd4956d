/**
 * What the peers of a small model know, and what a step does to it. Everything that a peer can know has a number, so that
 * worlds are cheap to compare; and the effect of a step on two numbers is computed once.
 */
import { type Acquaintance, meet, missed, noAcquaintance, strangers } from '../../src/ring/entry.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { type RingState, seesWholeRing } from '../../src/ring/state.js';
import type * as steps from '../../src/ring/steps.js';
import { peerAt } from './fixtures.js';
import type { Protocol } from './small-protocol.js';

/** A newcomer on its way in. */
export interface Entry {
  /** The member that let it in; {@link nowhere} once that one has crashed. */
  readonly witness: number;
  readonly known: Acquaintance;
}

export const nowhere = -1;

/** What the peer at a place knows. */
export interface Peer {
  readonly state: RingState;
  /** The rest of a round of stabilize. */
  readonly next: steps.Next;
  /** Undefined once it is a member. */
  readonly entry: Entry | undefined;
}

/** The number of a place where no peer runs. */
export const nobody = 0;

/** The numbers of the two peers after a step. */
export type Effect = readonly [self: number, other: number];

export const nothing: steps.Next = { do: 'nothing' };

export interface SmallPeersOptions {
  readonly places: number;
  /** Entries of a successor list. */
  readonly length: number;
  readonly protocol: Protocol;
  readonly hasStaleNotifies: boolean;
}

export class SmallPeers {
  readonly #options: SmallPeersOptions;
  readonly #refs: readonly PeerRef[];
  readonly #placeOf: ReadonlyMap<Id, number>;
  readonly #peers: (Peer | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();
  readonly #effects = new Map<string, Map<number, Effect>>();

  constructor(options: SmallPeersOptions) {
    this.#options = options;
    this.#refs = Array.from({ length: options.places }, (_, place) => peerAt(place + 1));
    this.#placeOf = new Map(this.#refs.map(({ id }, place) => [id, place]));
  }

  /** What a number stands for; undefined for {@link nobody}. */
  get(number: number | undefined): Peer | undefined {
    return this.#peers[number ?? nobody];
  }

  /** The peer of a place. */
  ref(place: number): PeerRef {
    return this.#refs[place]!;
  }

  /** The place of a peer. */
  at({ id }: PeerRef): number {
    return this.#placeOf.get(id)!;
  }

  /** What a step does, which has these two for its only causes. */
  effect(what: string, number: number, other: number, compute: () => Effect): Effect {
    let known = this.#effects.get(what);
    if (known === undefined) this.#effects.set(what, (known = new Map<number, Effect>()));
    const key = number * 2 ** 24 + other;
    let effect = known.get(key);
    if (effect === undefined) known.set(key, (effect = compute()));
    return effect;
  }

  /** A peer asks the member at a place to let it in. */
  begin(place: number, at: number, memberNumber: number): Effect {
    const { protocol, length } = this.#options;
    const self = this.ref(place);
    const member = this.#peers[memberNumber]!;
    const seen = protocol.without(member.state, self.id);
    if (!protocol.isPlaceOf(self, seen)) return [nobody, memberNumber];
    const isWhole = seesWholeRing(seen);
    if (isWhole && member.entry !== undefined) return [nobody, memberNumber];
    const state = protocol.join(self, seen, length);
    const entry =
      protocol.introduces && isWhole
        ? { witness: at, known: meet(noAcquaintance(self.id), seen) }
        : undefined;
    const taken = protocol.introduces ? protocol.takeIn(member.state, self, length) : member.state;
    return [this.number({ state, next: nothing, entry }), this.changed(memberNumber, taken)];
  }

  /** A newcomer introduces itself to the peer at a place, or finds nobody there. */
  introduce(number: number, at: number, otherNumber: number): Effect {
    const peer = this.#peers[number]!;
    const { state } = peer;
    const entry = peer.entry!;
    const other = this.#peers[otherNumber];
    if (other === undefined) {
      const dead = this.ref(at).id;
      const without = this.#options.protocol.forgetMember(state, dead);
      const known = missed(entry.known, dead);
      return [this.number({ ...peer, state: without, entry: { ...entry, known } }), otherNumber];
    }
    const seen = this.#options.protocol.without(other.state, state.self.id);
    const taken = this.#options.protocol.takeIn(state, other.state.self, this.#options.length);
    return [
      this.number({ ...peer, state: taken, entry: { ...entry, known: meet(entry.known, seen) } }),
      this.changed(otherNumber, this.#options.protocol.takeIn(other.state, state.self, this.#options.length)),
    ];
  }

  /** A newcomer asks its witness again. */
  finish(number: number, witnessNumber: number): Effect {
    const peer = this.#peers[number]!;
    const entry = peer.entry!;
    const seen = this.#options.protocol.without(this.#peers[witnessNumber]!.state, peer.state.self.id);
    const known = meet(entry.known, seen);
    const isDone = strangers(known).length === 0;
    return [this.number({ ...peer, entry: isDone ? undefined : { ...entry, known } }), witnessNumber];
  }

  /** One question of stabilize. */
  ask(number: number, otherNumber: number): Effect {
    const { state, next, entry } = this.#peers[number]!;
    const other = this.#peers[otherNumber];
    let step: steps.Step;
    if (other === undefined) {
      step =
        next.do === 'ask'
          ? this.#options.protocol.stabilizeFromPredecessorWithoutAnswer(state)
          : this.#options.protocol.stabilizeWithoutAnswer(state);
    } else if (next.do === 'ask') {
      step = this.#options.protocol.stabilizeFromPredecessor(state, other.state, this.#options.length);
    } else {
      step = this.#options.protocol.stabilize(state, other.state, this.#options.length);
    }
    const todo = step.next.do === 'enter again' ? nothing : step.next;
    return [this.number({ state: step.state, next: todo, entry }), otherNumber];
  }

  /** A notify arrives. */
  notify(number: number, otherNumber: number, isPredecessorDead: boolean): Effect {
    const peer = this.#peers[number]!;
    const done = this.number({ ...peer, next: nothing });
    const other = this.#peers[otherNumber];
    const isStale = other?.state.self.id !== peer.state.successors[0]?.id;
    if (other === undefined || (isStale && !this.#options.hasStaleNotifies)) return [done, otherNumber];
    const candidate = peer.state.self;
    const rectified = this.#options.protocol.rectify(other.state, candidate, this.#options.length);
    if (rectified !== undefined) return [done, this.changed(otherNumber, rectified)];
    if (!isPredecessorDead) return [done, otherNumber];
    return [done, this.changed(otherNumber, this.#options.protocol.forgetPredecessor(other.state))];
  }

  /** The number of a peer whose pointers have changed. */
  changed(number: number, state: RingState): number {
    const peer = this.#peers[number]!;
    return state === peer.state ? number : this.number({ ...peer, state });
  }

  /** One number for each different thing that a peer can know. */
  number(peer: Peer): number {
    const { self, predecessor, successors } = peer.state;
    const { next, entry } = peer;
    const key = [
      this.at(self),
      predecessor === null ? '-' : this.at(predecessor),
      successors.map((other) => this.at(other)).join(),
      'peer' in next ? `${next.do}${this.at(next.peer)}` : '',
      entry === undefined
        ? ''
        : `${entry.witness},${this.#bits(entry.known.met)},${this.#bits(entry.known.heard.keys())}`,
    ].join(';');
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#peers.length;
      this.#peers.push(peer);
      this.#numbers.set(key, number);
    }
    return number;
  }

  #bits(ids: Iterable<Id>): number {
    let bits = 0;
    for (const id of ids) bits |= 1 << this.#placeOf.get(id)!;
    return bits;
  }
}
