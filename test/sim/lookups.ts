/**
 * Lookups that are held against the truth: the owner of a key is the first peer at or after it, as the ring was at some
 * moment between the question and the answer.
 *
 * A newcomer is on its way into the ring for a while: some point to it and some do not, and it answers for no key yet.
 * So an answer is true when no member of the ring that has been taken in lies before it, be it such a member itself or a
 * newcomer on its way.
 */
import { PeerStoreError } from '../../src/base/errors.js';
import { type Id, idFromBytes, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { LookupResult } from '../../src/ring/lookup.js';
import { Crashed } from './machine.js';
import type { SimulatedPeer } from './peer.js';
import type { LookupFigures } from './scenario.js';
import type { World } from './world.js';

/** A question that is under way, with the members of the ring that have been first at or after the key so far. */
interface Open {
  readonly key: Id;
  readonly owners: Set<Id>;
}

export class CheckedLookups {
  readonly #world: World;
  readonly #figures: LookupFigures;
  readonly #open = new Set<Open>();
  /** When peers were last seen in the ring, for those that have gone. */
  readonly #goneAtMs = new Map<Id, number>();
  #living: ReadonlySet<Id> = new Set();
  #version = -1;

  /** @param figures where each lookup is counted */
  constructor(world: World, figures: LookupFigures) {
    this.#world = world;
    this.#figures = figures;
    world.listeners.add(() => this.#look());
    this.#look();
  }

  /** A random key looked up by a peer. */
  random(peer: SimulatedPeer): Promise<void> {
    const key = idFromBytes(this.#world.random.bytes(32));
    return this.check(key, () => peer.unlessItCrashes(peer.node.membership.lookup(key)));
  }

  /**
   * Looks a key up and checks the answer. An answer that was true at no moment is a violation; one that names nobody
   * who lives, and none at all, is a lookup that failed.
   */
  async check(key: Id, lookup: () => Promise<LookupResult>): Promise<void> {
    const { clock } = this.#world;
    const sinceMs = clock.monotonicMs();
    const open: Open = { key, owners: new Set() };
    this.#note(open);
    this.#open.add(open);
    try {
      const { peers, hops, failures } = await lookup();
      const at = peers.findIndex(({ id }) => this.#livedSince(id, sinceMs));
      const answer = peers[at];
      if (answer === undefined) {
        this.#figures.failed();
        return;
      }
      if (!isTrue(answer.id, open)) {
        this.#figures.failed();
        const owners = [...open.owners].map((id) => shortId(id)).join(' or ');
        this.#world.violated(
          'lookupTellsTheTruth',
          `${shortId(key)} is ${owners}'s, not ${shortId(answer.id)}'s`,
        );
        return;
      }
      this.#figures.answered(hops, failures + at);
    } catch (error) {
      // Nobody is there any more to be told.
      if (error instanceof Crashed) return;
      if (!(error instanceof PeerStoreError)) throw error;
      this.#figures.failed();
    } finally {
      this.#open.delete(open);
    }
  }

  #livedSince(id: Id, sinceMs: number): boolean {
    return this.#living.has(id) || (this.#goneAtMs.get(id) ?? -1) >= sinceMs;
  }

  #look(): void {
    const { checker, clock } = this.#world;
    if (checker.version === this.#version) return;
    this.#version = checker.version;
    for (const id of this.#living) if (!checker.live.has(id)) this.#goneAtMs.set(id, clock.monotonicMs());
    this.#living = new Set(checker.live.keys());
    for (const open of this.#open) this.#note(open);
  }

  #note({ key, owners }: Open): void {
    const { checker } = this.#world;
    const members = checker.shape.rings.flat().filter((id) => this.#world.peerOf(id)?.isTakenIn === true);
    const owner = firstFrom(key, members);
    if (owner !== undefined) owners.add(owner);
  }
}

function isTrue(answer: Id, { key, owners }: Open): boolean {
  if (answer === key) return true;
  return [...owners].some((owner) => answer === owner || (key !== owner && between(key, answer, owner)));
}

/** The first id at or after a key, clockwise. */
export function firstFrom(key: Id, ids: Iterable<Id>): Id | undefined {
  let lowest: Id | undefined;
  let next: Id | undefined;
  for (const id of ids) {
    if (lowest === undefined || id < lowest) lowest = id;
    if (id >= key && (next === undefined || id < next)) next = id;
  }
  return next ?? lowest;
}
