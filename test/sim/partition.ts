/**
 * A network that falls apart: who can hear whom while it lasts. The parts are drawn from the world's chance; peers that
 * come later are told which part they are in.
 */
import type { Timer } from '../../src/base/clock.js';
import { jittered, type Random } from '../../src/base/random.js';
import type { SimulatedPeer } from './peer.js';
import type { World } from './world.js';

/** How a network falls apart, by the number that `--kind` takes. */
export const partitionKinds = ['even', 'uneven', 'one-way', 'flapping', 'some links', 'churn'] as const;
export type PartitionKind = (typeof partitionKinds)[number];

/** The share of links that fail in a network without transitivity, in percent: from a few to every other. */
const lostLinksPercent = [5, 50] as const;

export class Partition {
  readonly kind: PartitionKind;
  readonly #world: World;
  /** The part of each address. */
  readonly #parts = new Map<string, number>();
  readonly #count: number;
  /** Pairs of addresses that cannot hear each other, where links fail one by one. */
  readonly #lostLinks = new Set<string>();
  #isCut = false;
  #flapping: Timer | undefined;

  /**
   * Draws the parts of all peers that there are.
   * @param count how many parts; 0 leaves that to chance
   */
  constructor(world: World, kind: PartitionKind, count = 0) {
    this.#world = world;
    this.kind = kind;
    const { random, peers } = world;
    // Now and then the parts are stretches of the ring: then hardly anybody knows anybody of another part.
    const order = random.below(4) === 0 ? inRingOrder(peers) : shuffled(peers, random);
    const drawn = peers.length > 2 && kind !== 'one-way' && random.below(4) === 0 ? 3 : 2;
    this.#count = count > 0 ? count : drawn;
    const sizes = partSizes(peers.length, this.#count, kind === 'even' || kind === 'churn', random);
    for (const [part, size] of sizes.entries()) {
      for (const peer of order.splice(0, size)) this.place(peer, part);
    }
    if (kind === 'some links') this.#loseLinks();
  }

  /** How many parts there are. */
  get count(): number {
    return this.#count;
  }

  /** Whether each part is whole in itself and hears nothing of the others for as long as it lasts. */
  get isClean(): boolean {
    return this.kind === 'even' || this.kind === 'uneven';
  }

  /** The live peers, by part. */
  get parts(): readonly (readonly SimulatedPeer[])[] {
    const { live } = this.#world;
    return Array.from({ length: this.#count }, (_, part) =>
      live.filter(({ address }) => this.#parts.get(address) === part),
    );
  }

  /** A peer belongs to a part from now on. */
  place(peer: SimulatedPeer, part: number): void {
    this.#parts.set(peer.address, part);
  }

  /** The part that a peer is in. */
  partOf({ address }: SimulatedPeer): number {
    return this.#parts.get(address) ?? 0;
  }

  /** The network falls apart. @param flapMs how long it is cut, and whole, in turn, where it flaps */
  begin(flapMs: number): void {
    this.#world.fault = ({ from, to }) => (this.#isCut && this.#isLost(from, to) ? 'lose' : undefined);
    this.#isCut = true;
    if (this.kind === 'flapping') this.#flap(flapMs);
  }

  /** It is whole again. */
  end(): void {
    this.#flapping?.cancel();
    this.#isCut = false;
    this.#world.heal();
  }

  #isLost(from: string, to: string): boolean {
    if (this.kind === 'some links') return this.#lostLinks.has(linkOf(from, to));
    const [sender, receiver] = [this.#parts.get(from), this.#parts.get(to)];
    if (sender === undefined || receiver === undefined) return false;
    return this.kind === 'one-way' ? sender < receiver : sender !== receiver;
  }

  #flap(flapMs: number): void {
    this.#flapping = this.#world.clock.setTimer(jittered(this.#world.random, flapMs, 0.5), () => {
      this.#isCut = !this.#isCut;
      this.#flap(flapMs);
    });
  }

  #loseLinks(): void {
    const { random, peers } = this.#world;
    const [least, most] = lostLinksPercent;
    const percent = least + random.below(most - least + 1);
    for (const [at, one] of peers.entries()) {
      for (const other of peers.slice(at + 1)) {
        if (random.below(100) < percent) this.#lostLinks.add(linkOf(one.address, other.address));
      }
    }
  }
}

function linkOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

/** How many peers each part has; every part has somebody. */
function partSizes(peers: number, parts: number, isEven: boolean, random: Random): readonly number[] {
  const sizes: number[] = [];
  let left = peers;
  for (let part = 0; part + 1 < parts; part += 1) {
    const most = Math.floor(left / (parts - part));
    // A single peer on its own is a case of its own, and often met: somebody's line is down.
    const size = isEven ? most : random.below(2) === 0 ? 1 : 1 + random.below(most);
    sizes.push(size);
    left -= size;
  }
  return [...sizes, left];
}

function inRingOrder(peers: readonly SimulatedPeer[]): SimulatedPeer[] {
  return [...peers].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The same in an order that chance makes. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let at = order.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
