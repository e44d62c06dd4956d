/**
 * A small exact model of a ring: all peers' pointers at one moment, and every single atomic step that may come next.
 *
 * The steps are the functions of src/ring; the model only chooses who takes one, and what the network is like. A world
 * is one number for each place of the circle, which stands for everything that the peer there knows: so worlds are
 * cheap to compare, and the effect of a step is computed once.
 */
import { type Acquaintance, meet, missed, noAcquaintance, strangers } from '../../src/ring/entry.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { aloneState, firstSuccessor, type RingState, seesWholeRing } from '../../src/ring/state.js';
import * as steps from '../../src/ring/steps.js';
import * as wholeRing from '../../src/ring/whole-ring.js';
import { peerAt } from './fixtures.js';

/** The rules of the ring that a model runs: those of production, or with one of them taken out. */
export type Protocol = Pick<
  typeof steps,
  | 'join'
  | 'isPlaceOf'
  | 'stabilize'
  | 'stabilizeWithoutAnswer'
  | 'stabilizeFromPredecessor'
  | 'stabilizeFromPredecessorWithoutAnswer'
  | 'rectify'
  | 'rectifyAfterPing'
  | 'forgetPredecessor'
  | 'forgetMember'
  | 'afterLeave'
> &
  Pick<typeof wholeRing, 'takeIn' | 'without'> & {
    /** Whether a newcomer introduces itself to everybody before it is a member. */
    readonly introduces: boolean;
    /** Whether it asks its witness once more before it counts itself in. */
    readonly asksAgain: boolean;
    /** Whether it notices that the one whom it asks has restarted in between. */
    readonly knowsLives: boolean;
  };

export const production: Protocol = {
  ...steps,
  ...wholeRing,
  introduces: true,
  asksAgain: true,
  knowsLives: true,
};

/** A newcomer on its way in. */
interface Entry {
  /** The member that let it in; {@link nowhere} once that one has crashed. */
  readonly witness: number;
  readonly known: Acquaintance;
}

const nowhere = -1;

/** What the peer at a place knows. */
interface Peer {
  readonly state: RingState;
  /** The rest of a round of stabilize. */
  readonly next: steps.Next;
  /** Undefined once it is a member. */
  readonly entry: Entry | undefined;
}

/** For each place the number of what its peer knows; {@link nobody} where none runs. */
export type World = readonly number[];

export const nobody = 0;

/** Something that may happen, and the world after it. */
export interface Event {
  readonly what: string;
  readonly world: World;
  /**
   * `enter`: a peer starts, or begins its way in again. `entry`: it goes on. `ask`: one step of stabilize or rectify.
   * `miss`: somebody is found dead. `end`: somebody crashes or leaves.
   */
  readonly kind: 'enter' | 'entry' | 'ask' | 'miss' | 'end';
  /** Whose step it is. */
  readonly place: number;
}

type Effect = readonly [self: number, other: number];

const nothing: steps.Next = { do: 'nothing' };
const names = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export interface ModelOptions {
  readonly places: number;
  /** Entries of a successor list. */
  readonly length: number;
  readonly protocol?: Protocol;
}

export class SmallModel {
  readonly places: number;
  readonly length: number;
  readonly #protocol: Protocol;
  readonly #refs: readonly PeerRef[];
  readonly #placeOf: ReadonlyMap<Id, number>;
  readonly #peers: (Peer | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();
  readonly #effects = new Map<string, Map<number, Effect>>();

  constructor({ places, length, protocol = production }: ModelOptions) {
    this.places = places;
    this.length = length;
    this.#protocol = protocol;
    this.#refs = Array.from({ length: places }, (_, place) => peerAt(place + 1));
    this.#placeOf = new Map(this.#refs.map(({ id }, place) => [id, place]));
  }

  /** One member, a ring of its own. */
  founded(place = 0): World {
    const peer: Peer = { state: aloneState(this.#ref(place)), next: nothing, entry: undefined };
    return Array.from({ length: this.places }, (_, at) => (at === place ? this.#number(peer) : nobody));
  }

  /** The pointers of the members, by place; undefined where nobody is, or somebody who is still on the way in. */
  states(world: World): readonly (RingState | undefined)[] {
    return world.map((number) => {
      const peer = this.#peers[number];
      return peer?.entry === undefined ? peer?.state : undefined;
    });
  }

  /** The pointers of everybody, also of those on the way in. */
  allStates(world: World): readonly (RingState | undefined)[] {
    return world.map((number) => this.#peers[number]?.state);
  }

  /** Whether a member is at a place. */
  isMember(world: World, place: number): boolean {
    const peer = this.#peers[world[place]!];
    return peer !== undefined && peer.entry === undefined;
  }

  /** Everything that can happen next. */
  *events(world: World): Generator<Event> {
    for (let place = 0; place < this.places; place += 1) yield* this.#eventsAt(world, place);
  }

  /** Everybody does once what is to be done: a round of upkeep, and the whole way in. */
  round(world: World): World {
    let now = world;
    const take = (place: number, kind: Event['kind'], times: number): void => {
      for (let time = 0; time < times; time += 1) {
        const event = [...this.#eventsAt(now, place)].find((one) => one.kind === kind);
        if (event === undefined) return;
        now = event.world;
      }
    };
    for (let place = 0; place < this.places; place += 1) {
      if (this.#peers[world[place]!] === undefined) continue;
      take(place, 'enter', 1);
      take(place, 'entry', 2 * this.places);
      take(place, 'ask', 3);
      take(place, 'miss', this.places);
    }
    return now;
  }

  /** The world in letters, for a person. */
  describe(world: World): string {
    const letters = (peers: readonly PeerRef[]): string =>
      peers.map((peer) => names[this.#at(peer)]).join('');
    return world
      .flatMap((number, place) => {
        const peer = this.#peers[number];
        if (peer === undefined) return [];
        const { predecessor, successors } = peer.state;
        const before = predecessor === null ? '-' : letters([predecessor]);
        return [
          `${before}<${names[place]}${peer.entry === undefined ? '' : '?'}>${letters(successors) || '-'}`,
        ];
      })
      .join('  ');
  }

  *#eventsAt(world: World, place: number): Generator<Event> {
    const peer = this.#peers[world[place]!];
    if (peer === undefined) {
      yield* this.#beginnings(world, place);
      return;
    }
    yield* this.#stepsOf(world, place);
    if (peer.entry !== undefined) yield* this.#entryOf(world, place, peer.entry);
    yield { kind: 'end', place, what: `${names[place]} crashes`, world: this.#crashed(world, place) };
    if (peer.entry === undefined)
      yield { kind: 'end', place, what: `${names[place]} leaves`, world: this.#left(world, place) };
  }

  /** A member tells its neighbours that it leaves, and is gone. */
  #left(world: World, place: number): World {
    const { state } = this.#peers[world[place]!]!;
    let next = this.#crashed(world, place);
    for (const neighbour of [state.predecessor, state.successors[0]]) {
      const at = neighbour === null || neighbour === undefined ? -1 : this.#at(neighbour);
      if (at < 0 || next[at] === nobody) continue;
      const told = this.#peers[next[at]!]!;
      next = replaced(
        next,
        at,
        this.#number({ ...told, state: this.#protocol.afterLeave(told.state, state, this.length) }),
      );
    }
    return next;
  }

  /** Newcomers that had it for their witness have to begin again: should it come back, it remembers nothing. */
  #crashed(world: World, place: number): World {
    return world.map((number, at) => {
      const peer = this.#peers[number];
      if (at === place) return nobody;
      if (peer?.entry?.witness !== place || !this.#protocol.knowsLives) return number;
      return this.#number({ ...peer, entry: { ...peer.entry, witness: nowhere } });
    });
  }

  /** A peer that is not there starts, with nothing in memory. */
  *#beginnings(world: World, place: number): Generator<Event> {
    for (let at = 0; at < this.places; at += 1) {
      if (at === place || world[at] === nobody || !this.#leadsOn(world, at, place)) continue;
      const effect = this.#effect('begin', place + 1, world[at]!, () => this.#begin(place, at, world[at]!));
      if (effect[0] === nobody) continue;
      yield {
        kind: 'enter',
        place,
        what: `${names[place]} asks ${names[at]} to let it in`,
        world: replaced(replaced(world, place, effect[0]), at, effect[1]),
      };
    }
  }

  /**
   * Whether a member can be joined by. One that is not seen to know the whole ring has to know somebody alive beside the
   * newcomer, who may stand in its list from before a restart; else the newcomer's first question finds nobody, and it looks
   * for another place.
   */
  #leadsOn(world: World, at: number, newcomer: number): boolean {
    const seen = this.#protocol.without(this.#peers[world[at]!]!.state, this.#ref(newcomer).id);
    return seesWholeRing(seen) || seen.successors.some((peer) => world[this.#at(peer)] !== nobody);
  }

  *#entryOf(world: World, place: number, entry: Entry): Generator<Event> {
    const number = world[place]!;
    const { state } = this.#peers[number]!;
    const before = state.predecessor === null ? nowhere : this.#at(state.predecessor);
    // The ring has outgrown the lists meanwhile: then who is taken in is in.
    if (!seesWholeRing(state) && before !== nowhere && this.isMember(world, before)) {
      const [head] = this.#peers[world[before]!]!.state.successors;
      const self = this.#number({ ...this.#peers[number]!, entry: undefined });
      if (head?.id === state.self.id) {
        yield {
          kind: 'entry',
          place,
          what: `${names[place]} is taken in`,
          world: replaced(world, place, self),
        };
        return;
      }
    }
    if (!this.#protocol.asksAgain && strangers(entry.known).length === 0) {
      const self = this.#number({ ...this.#peers[number]!, entry: undefined });
      yield { kind: 'entry', place, what: `${names[place]} is done`, world: replaced(world, place, self) };
      return;
    }
    const isWitnessed = entry.witness !== nowhere && this.isMember(world, entry.witness);
    if (this.#protocol.asksAgain && !isWitnessed) {
      yield* this.#beginnings(world, place);
      return;
    }
    const missing = strangers(entry.known).map((peer) => this.#at(peer));
    for (const at of missing) {
      const [self, other] = this.#effect(`introduce${at}`, number, world[at]!, () =>
        this.#introduce(number, at, world[at]!),
      );
      yield {
        kind: 'entry',
        place,
        what: `${names[place]} introduces itself to ${names[at]}`,
        world: replaced(replaced(world, place, self), at, other),
      };
    }
    if (missing.length > 0) return;
    const { witness } = entry;
    const [self] = this.#effect('finish', number, world[witness]!, () =>
      this.#finish(number, world[witness]!),
    );
    yield {
      kind: 'entry',
      place,
      what: `${names[place]} asks ${names[witness]} whom else there is`,
      world: replaced(world, place, self),
    };
  }

  *#stepsOf(world: World, place: number): Generator<Event> {
    const number = world[place]!;
    const { state, next } = this.#peers[number]!;
    const letter = names[place]!;
    if (next.do === 'ask' || next.do === 'nothing') {
      const at = next.do === 'ask' ? this.#at(next.peer) : this.#at(firstSuccessor(state));
      const what = next.do === 'ask' ? 'nearer' : 'head';
      const [self] = this.#effect(what, number, at === place ? number : world[at]!, () =>
        this.#ask(number, at === place ? number : world[at]!),
      );
      if (self !== number) {
        const world1 = replaced(world, place, self);
        yield { kind: 'ask', place, what: `${letter} asks ${names[at]} (${what})`, world: world1 };
      }
    } else if (next.do === 'notify') {
      const at = this.#at(next.peer);
      const before = this.#peers[world[at]!]?.state.predecessor;
      const isDead = before !== null && before !== undefined && world[this.#at(before)] === nobody;
      const [self, other] = this.#effect(isDead ? 'notify, dead' : 'notify', number, world[at]!, () =>
        this.#notify(number, world[at]!, isDead),
      );
      yield {
        kind: 'ask',
        place,
        what: `${letter} notifies ${names[at]}`,
        world: replaced(replaced(world, at, other), place, self),
      };
    }
    const { predecessor } = state;
    if (predecessor !== null && world[this.#at(predecessor)] === nobody) {
      const after = this.#changed(number, this.#protocol.forgetPredecessor(state));
      yield {
        kind: 'miss',
        place,
        what: `${letter} misses its predecessor`,
        world: replaced(world, place, after),
      };
    }
    for (const peer of state.successors.slice(1)) {
      if (world[this.#at(peer)] !== nobody) continue;
      const after = this.#changed(number, this.#protocol.forgetMember(state, peer.id));
      if (after === number) continue;
      yield {
        kind: 'miss',
        place,
        what: `${letter} misses ${names[this.#at(peer)]}`,
        world: replaced(world, place, after),
      };
    }
  }

  #begin(place: number, at: number, memberNumber: number): Effect {
    const protocol = this.#protocol;
    const { length } = this;
    const self = this.#ref(place);
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
    return [this.#number({ state, next: nothing, entry }), this.#changed(memberNumber, taken)];
  }

  #introduce(number: number, at: number, otherNumber: number): Effect {
    const peer = this.#peers[number]!;
    const { state } = peer;
    const entry = peer.entry!;
    const other = this.#peers[otherNumber];
    if (other === undefined) {
      const dead = this.#ref(at).id;
      const without = this.#protocol.forgetMember(state, dead);
      const known = missed(entry.known, dead);
      return [this.#number({ ...peer, state: without, entry: { ...entry, known } }), otherNumber];
    }
    const seen = this.#protocol.without(other.state, state.self.id);
    const taken = this.#protocol.takeIn(state, other.state.self, this.length);
    return [
      this.#number({ ...peer, state: taken, entry: { ...entry, known: meet(entry.known, seen) } }),
      this.#changed(otherNumber, this.#protocol.takeIn(other.state, state.self, this.length)),
    ];
  }

  #finish(number: number, witnessNumber: number): Effect {
    const peer = this.#peers[number]!;
    const entry = peer.entry!;
    const seen = this.#protocol.without(this.#peers[witnessNumber]!.state, peer.state.self.id);
    const known = meet(entry.known, seen);
    const isDone = strangers(known).length === 0;
    return [this.#number({ ...peer, entry: isDone ? undefined : { ...entry, known } }), witnessNumber];
  }

  #ask(number: number, otherNumber: number): Effect {
    const { state, next, entry } = this.#peers[number]!;
    const other = this.#peers[otherNumber];
    let step: steps.Step;
    if (other === undefined) {
      step =
        next.do === 'ask'
          ? this.#protocol.stabilizeFromPredecessorWithoutAnswer(state)
          : this.#protocol.stabilizeWithoutAnswer(state);
    } else if (next.do === 'ask') {
      step = this.#protocol.stabilizeFromPredecessor(state, other.state, this.length);
    } else {
      step = this.#protocol.stabilize(state, other.state, this.length);
    }
    const todo = step.next.do === 'enter again' ? nothing : step.next;
    return [this.#number({ state: step.state, next: todo, entry }), otherNumber];
  }

  #notify(number: number, otherNumber: number, isPredecessorDead: boolean): Effect {
    const peer = this.#peers[number]!;
    const done = this.#number({ ...peer, next: nothing });
    const other = this.#peers[otherNumber];
    if (other === undefined) return [done, otherNumber];
    const candidate = peer.state.self;
    const rectified = this.#protocol.rectify(other.state, candidate, this.length);
    if (rectified !== undefined) return [done, this.#changed(otherNumber, rectified)];
    if (!isPredecessorDead) return [done, otherNumber];
    return [
      done,
      this.#changed(otherNumber, this.#protocol.rectifyAfterPing(other.state, candidate, this.length)),
    ];
  }

  #effect(what: string, number: number, other: number, compute: () => Effect): Effect {
    let known = this.#effects.get(what);
    if (known === undefined) this.#effects.set(what, (known = new Map<number, Effect>()));
    const key = number * 2 ** 24 + other;
    let effect = known.get(key);
    if (effect === undefined) known.set(key, (effect = compute()));
    return effect;
  }

  #changed(number: number, state: RingState): number {
    const peer = this.#peers[number]!;
    return state === peer.state ? number : this.#number({ ...peer, state });
  }

  /** One number for each different thing that a peer can know. */
  #number(peer: Peer): number {
    const { self, predecessor, successors } = peer.state;
    const { next, entry } = peer;
    const key = [
      this.#at(self),
      predecessor === null ? '-' : this.#at(predecessor),
      successors.map((other) => this.#at(other)).join(),
      'peer' in next ? `${next.do}${this.#at(next.peer)}` : '',
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

  #ref(place: number): PeerRef {
    return this.#refs[place]!;
  }

  #at({ id }: PeerRef): number {
    return this.#placeOf.get(id)!;
  }
}

function replaced(world: World, place: number, number: number): World {
  if (world[place] === number) return world;
  const next = [...world];
  next[place] = number;
  return next;
}
