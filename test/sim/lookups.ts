/**
 * Lookups that are held against the truth: the owner of a key is the first peer at or after it, as the ring was at some
 * moment between the question and the answer.
 *
 * A newcomer is on its way into the ring for a while: some point to it and some do not, and it answers for no key yet.
 * So an answer is true when no member of the ring that has been taken in lies before it, be it such a member itself or a
 * newcomer on its way.
 */
import { PeerStoreError } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import { type Id, idFromBytes, idFromNumber, idToNumber, shortId } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import { lookup, type LookupResult } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { LookupStep } from '../../src/ring/routing.js';
import type { Transport } from '../../src/wire/transport.js';
import { Crashed } from './machine.js';
import type { SimulatedPeer } from './peer.js';
import type { LookupFigures } from './scenario.js';
import type { World } from './world.js';

/** In this time a newcomer hears of those who have come in beside it. */
const newMs = 1_000;

/** A key that is easily taken for somebody else's. @param id a peer's */
function edgeAt(id: Id, random: Random): Id {
  return idFromNumber(idToNumber(id) + BigInt(random.below(3) - 1));
}

/** A question that is under way, with the members of the ring that have been first at or after the key so far. */
interface Open {
  readonly key: Id;
  readonly owners: Set<Id>;
}

export class CheckedLookups {
  readonly #world: World;
  readonly #figures: LookupFigures;
  readonly #user: Transport;
  readonly #open = new Set<Open>();
  /** When peers were last seen in the ring, for those that have gone. */
  readonly #goneAtMs = new Map<Id, number>();
  /** When peers were first seen inside; those who were there before are no news. */
  readonly #insideSinceMs = new Map<Id, number>();
  /** Those of the living who were not. */
  readonly #outside = new Set<Id>();
  #living: ReadonlySet<Id> = new Set();
  #version = -1;

  /** @param figures where each lookup is counted */
  constructor(world: World, figures: LookupFigures) {
    this.#world = world;
    this.#figures = figures;
    this.#user = world.user('seeker').transport;
    this.#look();
    for (const id of this.#insideSinceMs.keys()) this.#insideSinceMs.set(id, -Infinity);
    world.listeners.add(() => this.#look());
  }

  /** A random key looked up by a peer. */
  random(peer: SimulatedPeer): Promise<void> {
    return this.#byPeer(peer, idFromBytes(this.#world.random.bytes(32)));
  }

  /** A key looked up by a peer where one's keys end and the next one's begin: some peer's id, or the one beside it. */
  atEdge(peer: SimulatedPeer, edge: Id): Promise<void> {
    return this.#byPeer(peer, edgeAt(edge, this.#world.random));
  }

  /**
   * A key at such an edge, looked up through a peer by somebody who takes the word of one peer for it, as clients do. It
   * may be an old word where somebody who was asked did not answer, and the word of a newcomer that has not heard yet who
   * came in with it: then whoever is named has to refuse.
   */
  plain(entry: SimulatedPeer, edge: Id): Promise<void> {
    const key = edgeAt(edge, this.#world.random);
    const ask = async (peer: PeerRef): Promise<LookupStep> =>
      (await this.#user.call(peer, 'successor', { key })).response;
    return this.check(
      key,
      () => lookup(key, [entry.ref], { ask }),
      ({ failures, answeredBy }) => failures === 0 && !this.#isNew(answeredBy.id),
    );
  }

  async #byPeer(peer: SimulatedPeer, key: Id): Promise<void> {
    const sinceMs = this.#world.clock.monotonicMs();
    await this.check(key, async () => {
      const result = await peer.unlessItCrashes(peer.node.membership.lookup(key));
      const [owner] = result.peers;
      const isAlive = owner !== undefined && this.#world.peerOf(owner.id)?.isUp === true;
      if (owner !== undefined && !isAlive && !this.#livedSince(owner.id, sinceMs))
        this.#world.violated('lookupNamesTheLiving', `${shortId(key)} is said to be of ${shortId(owner.id)}`);
      return result;
    });
  }

  /**
   * Looks a key up and checks the answer. An answer that was true at no moment is a violation; one that names nobody
   * who lives, and none at all, is a lookup that failed.
   * @param hasToBeTrue whether this answer has to; one that need not and is not counts as failed
   */
  async check(
    key: Id,
    lookup: () => Promise<LookupResult>,
    hasToBeTrue: (result: LookupResult) => boolean = () => true,
  ): Promise<void> {
    const { clock } = this.#world;
    const sinceMs = clock.monotonicMs();
    const open: Open = { key, owners: new Set() };
    this.#note(open);
    this.#open.add(open);
    try {
      const result = await lookup();
      const { peers, hops, failures } = result;
      const at = peers.findIndex(({ id }) => this.#livedSince(id, sinceMs));
      const answer = peers[at];
      if (answer === undefined) {
        this.#figures.failed();
        return;
      }
      if (!isTrue(answer.id, open)) {
        this.#figures.failed();
        if (!hasToBeTrue(result)) return;
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

  #isNew(id: Id): boolean {
    return this.#world.clock.monotonicMs() - (this.#insideSinceMs.get(id) ?? Infinity) < newMs;
  }

  #livedSince(id: Id, sinceMs: number): boolean {
    return this.#living.has(id) || (this.#goneAtMs.get(id) ?? -1) >= sinceMs;
  }

  #look(): void {
    const { checker, clock } = this.#world;
    this.#noteInside(clock.monotonicMs());
    if (checker.version === this.#version) return;
    for (const id of checker.live.keys()) if (!this.#living.has(id)) this.#outside.add(id);
    for (const id of this.#living) if (!checker.live.has(id)) this.#outside.delete(id);
    this.#noteInside(clock.monotonicMs());
    this.#version = checker.version;
    for (const id of this.#living) if (!checker.live.has(id)) this.#goneAtMs.set(id, clock.monotonicMs());
    this.#living = new Set(checker.live.keys());
    for (const open of this.#open) this.#note(open);
  }

  #noteInside(nowMs: number): void {
    for (const id of this.#outside) {
      if (this.#world.peerOf(id)?.isInside !== true) continue;
      this.#insideSinceMs.set(id, nowMs);
      this.#outside.delete(id);
    }
  }

  #note({ key, owners }: Open): void {
    const { checker } = this.#world;
    const members = checker.shape.rings.flat().filter((id) => this.#world.peerOf(id)?.isInside === true);
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
