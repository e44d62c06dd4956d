/**
 * Pointers that are wrong, each in a way that its peer cannot see: its list is in order, as every peer checks, and what it
 * names may be dead, may never have been, or may be there and not know.
 */
import type { Random } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import { listBehind } from '../../src/ring/successor-list.js';
import { shuffled } from './partition.js';

/** What a peer begins with. */
export type Pointers = Pick<RingState, 'predecessor' | 'successors'>;

/** The ways in which pointers are wrong, by the number that `--kind` takes. */
export const pointerKinds = ['random', 'rings', 'loopy', 'all at one', 'alone', 'backwards'] as const;
export type PointerKind = (typeof pointerKinds)[number];

export interface Population {
  /** Those who live, in the order of their ids; at least one. */
  readonly peers: readonly PeerRef[];
  /** Those whom nobody can reach under that name. */
  readonly ghosts: readonly PeerRef[];
  readonly listLength: number;
}

/** Draws everybody's pointers. */
export function drawPointers(
  kind: PointerKind,
  population: Population,
  random: Random,
): ReadonlyMap<Id, Pointers> {
  const { peers, ghosts, listLength } = population;
  const some = 2 + random.below(3);
  switch (kind) {
    case 'random':
      return pointersOf(peers, (peer) => anyPointers(peer, [...peers, ...ghosts], listLength, random));
    case 'rings': {
      const order = shuffled(peers, random);
      const rings = Array.from({ length: some }, (_, ring) =>
        inOrder(order.filter((_peer, at) => at % some === ring)),
      );
      return new Map(rings.flatMap((ring) => [...pointersAlong(ring, listLength)]));
    }
    case 'loopy': {
      // Every other peer, and then those in between: once round the ring is not once round the circle.
      const turns = Array.from({ length: some }, (_, turn) =>
        peers.filter((_peer, at) => at % some === turn),
      );
      return pointersAlong(turns.flat(), listLength);
    }
    case 'all at one': {
      const one = peers[random.below(peers.length)]!;
      return pointersOf(peers, (peer) =>
        peer === one ? anyPointers(peer, [...peers, ...ghosts], listLength, random) : pointersTo(one),
      );
    }
    case 'alone':
      return pointersOf(peers, () => ({ predecessor: null, successors: [] }));
    case 'backwards':
      return pointersAlong([...peers].reverse(), listLength);
  }
}

function pointersOf(peers: readonly PeerRef[], draw: (peer: PeerRef) => Pointers): ReadonlyMap<Id, Pointers> {
  return new Map(peers.map((peer) => [peer.id, draw(peer)]));
}

function pointersTo(one: PeerRef): Pointers {
  return { predecessor: one, successors: [one] };
}

/** Everybody's pointers when each peer is followed by the next one of a circle, whatever their ids. */
function pointersAlong(circle: readonly PeerRef[], listLength: number): ReadonlyMap<Id, Pointers> {
  return new Map(
    circle.map((peer, at): [Id, Pointers] => {
      const others = [...circle.slice(at + 1), ...circle.slice(0, at)];
      const [head, ...tail] = others;
      if (head === undefined) return [peer.id, { predecessor: null, successors: [] }];
      const successors = listBehind(peer.id, head, tail, listLength);
      return [peer.id, { predecessor: others.at(-1) ?? null, successors }];
    }),
  );
}

function anyPointers(peer: PeerRef, all: readonly PeerRef[], listLength: number, random: Random): Pointers {
  const others = shuffled(
    all.filter(({ id }) => id !== peer.id),
    random,
  );
  const predecessor = random.below(4) === 0 ? null : (others[0] ?? null);
  const listed = inOrder(others.slice(0, random.below(Math.min(listLength, others.length) + 1)));
  const first = listed.findIndex(({ id }) => id > peer.id);
  const [head, ...tail] = first < 0 ? listed : [...listed.slice(first), ...listed.slice(0, first)];
  return {
    predecessor,
    successors: head === undefined ? [] : listBehind(peer.id, head, tail, listLength),
  };
}

function inOrder(peers: readonly PeerRef[]): readonly PeerRef[] {
  return [...peers].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * Whom each peer remembers: just so many that the peers are connected, if no direction is asked for. A row, a star or a
 * random tree, with ghosts here and there; or nobody, where the pointers of that kind connect all.
 */
export function drawMemories(
  kind: PointerKind,
  { peers, ghosts }: Population,
  random: Random,
): ReadonlyMap<Id, readonly PeerRef[]> {
  const memories = new Map<Id, PeerRef[]>(peers.map(({ id }) => [id, []]));
  if ((kind === 'loopy' || kind === 'backwards') && random.below(2) === 0) return memories;
  const order = shuffled(peers, random);
  const shape = random.below(3);
  for (const [at, peer] of order.entries()) {
    if (at === 0) continue;
    const other = order[shape === 0 ? at - 1 : shape === 1 ? 0 : random.below(at)]!;
    if (random.below(2) === 0) memories.get(peer.id)!.push(other);
    else memories.get(other.id)!.push(peer);
  }
  for (const ghost of ghosts) memories.get(order[random.below(order.length)]!.id)!.push(ghost);
  return memories;
}
