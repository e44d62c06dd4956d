/**
 * A small exact model of a ring: all peers' pointers at one moment, and every single atomic step that may come next.
 *
 * The steps are the functions of src/ring; the model only chooses who takes one, and what the network is like. A world
 * is one number for each place of the circle, which stands for everything that the peer there knows: so worlds are
 * cheap to compare, and the effect of a step is computed once.
 */
import { strangers } from '../../src/ring/entry.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { aloneState, firstSuccessor, type RingState, seesWholeRing } from '../../src/ring/state.js';
import { type Entry, nobody, nothing, nowhere, type Peer, SmallPeers } from './small-peers.js';
import { production, type Protocol } from './small-protocol.js';

/** For each place the number of what its peer knows; {@link nobody} where none runs. */
export type World = readonly number[];

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

const names = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export interface ModelOptions {
  readonly places: number;
  /** Entries of a successor list. */
  readonly length: number;
  readonly protocol?: Protocol;
  /**
   * Whether a notify may arrive when its sender has come to have another first successor, because the one in between has
   * restarted meanwhile. (What it claims is then a claim of its sender no more, and skips who has come again.)
   */
  readonly hasStaleNotifies?: boolean;
}

export class SmallModel {
  readonly places: number;
  readonly length: number;
  readonly #protocol: Protocol;
  readonly #peers: SmallPeers;

  constructor({ places, length, protocol = production, hasStaleNotifies = true }: ModelOptions) {
    this.places = places;
    this.length = length;
    this.#protocol = protocol;
    this.#peers = new SmallPeers({ places, length, protocol, hasStaleNotifies });
  }

  /** One member, a ring of its own. */
  founded(place = 0): World {
    const peer: Peer = { state: aloneState(this.#peers.ref(place)), next: nothing, entry: undefined };
    return Array.from({ length: this.places }, (_, at) => (at === place ? this.#peers.number(peer) : nobody));
  }

  /** The pointers of the members, by place; undefined where nobody is, or somebody who is still on the way in. */
  states(world: World): readonly (RingState | undefined)[] {
    return world.map((number) => {
      const peer = this.#peers.get(number);
      return peer?.entry === undefined ? peer?.state : undefined;
    });
  }

  /** The pointers of everybody, also of those on the way in. */
  allStates(world: World): readonly (RingState | undefined)[] {
    return world.map((number) => this.#peers.get(number)?.state);
  }

  /** Whether a member is at a place. */
  isMember(world: World, place: number): boolean {
    const peer = this.#peers.get(world[place]);
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
      if (this.#peers.get(world[place]) === undefined) continue;
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
      peers.map((peer) => names[this.#peers.at(peer)]).join('');
    return world
      .flatMap((number, place) => {
        const peer = this.#peers.get(number);
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
    const peer = this.#peers.get(world[place]);
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
    const { state } = this.#peers.get(world[place])!;
    let next = this.#crashed(world, place);
    for (const neighbour of [state.predecessor, state.successors[0]]) {
      const at = neighbour === null || neighbour === undefined ? -1 : this.#peers.at(neighbour);
      if (at < 0 || next[at] === nobody) continue;
      const told = this.#peers.get(next[at])!;
      next = replaced(
        next,
        at,
        this.#peers.number({ ...told, state: this.#protocol.afterLeave(told.state, state.self.id) }),
      );
    }
    return next;
  }

  /** Newcomers that had it for their witness have to begin again: should it come back, it remembers nothing. */
  #crashed(world: World, place: number): World {
    return world.map((number, at) => {
      const peer = this.#peers.get(number);
      if (at === place) return nobody;
      if (peer?.entry?.witness !== place || !this.#protocol.knowsLives) return number;
      return this.#peers.number({ ...peer, entry: { ...peer.entry, witness: nowhere } });
    });
  }

  /** A peer that is not there starts, with nothing in memory. */
  *#beginnings(world: World, place: number): Generator<Event> {
    for (let at = 0; at < this.places; at += 1) {
      if (at === place || world[at] === nobody || !this.#leadsOn(world, at, place)) continue;
      const effect = this.#peers.effect('begin', place + 1, world[at]!, () =>
        this.#peers.begin(place, at, world[at]!),
      );
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
    const seen = this.#protocol.without(this.#peers.get(world[at])!.state, this.#peers.ref(newcomer).id);
    return seesWholeRing(seen) || seen.successors.some((peer) => world[this.#peers.at(peer)] !== nobody);
  }

  *#entryOf(world: World, place: number, entry: Entry): Generator<Event> {
    const number = world[place]!;
    const { state } = this.#peers.get(number)!;
    const before = state.predecessor === null ? nowhere : this.#peers.at(state.predecessor);
    // The ring has outgrown the lists meanwhile: then who is taken in is in.
    if (!seesWholeRing(state) && before !== nowhere && this.isMember(world, before)) {
      const [head] = this.#peers.get(world[before])!.state.successors;
      const self = this.#peers.number({ ...this.#peers.get(number)!, entry: undefined });
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
      const self = this.#peers.number({ ...this.#peers.get(number)!, entry: undefined });
      yield { kind: 'entry', place, what: `${names[place]} is done`, world: replaced(world, place, self) };
      return;
    }
    const isWitnessed = entry.witness !== nowhere && this.isMember(world, entry.witness);
    if (this.#protocol.asksAgain && !isWitnessed) {
      yield* this.#beginnings(world, place);
      return;
    }
    const missing = strangers(entry.known).map((peer) => this.#peers.at(peer));
    for (const at of missing) {
      const [self, other] = this.#peers.effect(`introduce${at}`, number, world[at]!, () =>
        this.#peers.introduce(number, at, world[at]!),
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
    const [self] = this.#peers.effect('finish', number, world[witness]!, () =>
      this.#peers.finish(number, world[witness]!),
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
    const { state, next } = this.#peers.get(number)!;
    const letter = names[place]!;
    if (next.do === 'ask' || next.do === 'nothing') {
      const at = next.do === 'ask' ? this.#peers.at(next.peer) : this.#peers.at(firstSuccessor(state));
      const what = next.do === 'ask' ? 'nearer' : 'head';
      const [self] = this.#peers.effect(what, number, at === place ? number : world[at]!, () =>
        this.#peers.ask(number, at === place ? number : world[at]!),
      );
      if (self !== number) {
        const world1 = replaced(world, place, self);
        yield { kind: 'ask', place, what: `${letter} asks ${names[at]} (${what})`, world: world1 };
      }
    } else if (next.do === 'notify') {
      const at = this.#peers.at(next.peer);
      const before = this.#peers.get(world[at])?.state.predecessor;
      const isDead = before !== null && before !== undefined && world[this.#peers.at(before)] === nobody;
      const [self, other] = this.#peers.effect(isDead ? 'notify, dead' : 'notify', number, world[at]!, () =>
        this.#peers.notify(number, world[at]!, isDead),
      );
      yield {
        kind: 'ask',
        place,
        what: `${letter} notifies ${names[at]}`,
        world: replaced(replaced(world, at, other), place, self),
      };
    }
    const { predecessor } = state;
    if (predecessor !== null && world[this.#peers.at(predecessor)] === nobody) {
      const after = this.#peers.changed(number, this.#protocol.forgetPredecessor(state));
      yield {
        kind: 'miss',
        place,
        what: `${letter} misses its predecessor`,
        world: replaced(world, place, after),
      };
    }
    for (const peer of state.successors.slice(1)) {
      if (world[this.#peers.at(peer)] !== nobody) continue;
      const after = this.#peers.changed(number, this.#protocol.forgetMember(state, peer.id));
      if (after === number) continue;
      yield {
        kind: 'miss',
        place,
        what: `${letter} misses ${names[this.#peers.at(peer)]}`,
        world: replaced(world, place, after),
      };
    }
  }
}

function replaced(world: World, place: number, number: number): World {
  if (world[place] === number) return world;
  const next = [...world];
  next[place] = number;
  return next;
}
