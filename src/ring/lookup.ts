/**
 * Iterative lookup: the asking side walks the ring itself, one question at a time, so that a dead or slow peer costs
 * one question and not the lookup. lookup-plan.ts decides whom to ask; here the questions are asked, along one path or
 * along two.
 */
import { assert, hasCode, isFailure, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Id, shortId } from './identifier.js';
import { between } from './interval.js';
import { type Finding, isNearer, LookupPlan, type Purpose } from './lookup-plan.js';
import type { PeerRef } from './peer.js';
import type { LookupStep } from './routing.js';

export interface LookupOptions {
  /** Asks a peer for one step. Its failures (UNREACHABLE, TIMEOUT...) make the lookup go on with the next best. */
  readonly ask: (peer: PeerRef, key: Id) => Promise<LookupStep>;
  /** Answers in place of a peer that needs no asking, such as the asker itself. */
  readonly local?: (peer: PeerRef, key: Id) => LookupStep | undefined;
  /**
   * Whether the answer has to be certain: it begins with a peer that has answered itself, and nobody who was named lies
   * before it. Without it the word of one peer is enough, which saves a question or two where the owner is asked next in
   * any case, and refuses what is not its own.
   */
  readonly confirm?: boolean;
  /** A peer that is neither asked nor named: the asker itself, where it wants to know how the others see its place. */
  readonly except?: Id;
  /** Fires to end the lookup with CANCELLED. */
  readonly signal?: AbortSignal;
}

export interface LookupResult {
  /** The responsible peer first, then those behind it: as far as the last answer knew them, without the ones that failed. */
  readonly peers: readonly PeerRef[];
  /** Who gave the answer: the responsible peer itself, or the last one before the key. */
  readonly answeredBy: PeerRef;
  /** Questions to other peers that were answered, until the owner was known. To confirm it is not one of them. */
  readonly hops: number;
  /** Questions to other peers that were not, until an owner had answered. */
  readonly failures: number;
}

/**
 * Finds the peer that is responsible for a key.
 * @param start peers to begin with, in any order
 * @throws PeerStoreError UNREACHABLE when no peer is left to ask, UNSETTLED when those that are cannot say now, CANCELLED.
 */
export async function lookup(
  key: Id,
  start: Iterable<PeerRef>,
  options: LookupOptions,
): Promise<LookupResult> {
  const path = new Path(key, options, new LookupPlan(key, start, options));
  return resultOf(await path.walk(), [path]);
}

/**
 * Finds the peer that is responsible for a key along two paths on which no peer is asked twice, so that one peer that lies
 * bends one of them at most. Somebody who lies can hide peers and cannot invent them, for whoever is asked proves its
 * identifier. So where the paths disagree, the peer nearer behind the key is right if it lives and says so itself.
 * @param start peers to begin with, in any order; those that are nearest to the key are dealt out to both paths
 * @throws PeerStoreError as {@link lookup}, when neither path leads to the key.
 */
export async function lookupDisjoint(
  key: Id,
  start: Iterable<PeerRef>,
  options: LookupOptions,
): Promise<LookupResult> {
  const nearestFirst = [...start].sort((a, b) => (isNearer(a.id, b.id, key) ? -1 : 1));
  const plans = [0, 1].map((hand): LookupPlan => {
    const dealt = nearestFirst.filter((_, at) => at % 2 === hand);
    return new LookupPlan(key, dealt, {
      ...options,
      isTaken: (id) => plans[1 - hand]?.hasAsked(id) === true,
    });
  });
  const paths = plans.map((plan) => new Path(key, options, plan));
  const ends = await Promise.allSettled(paths.map((path) => path.walk()));
  const findings = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  const [first, second] = findings.sort((a, b) => (isNearerBehind(key, ownerOf(a), ownerOf(b)) ? -1 : 1));
  if (first === undefined) throw ends.find((end) => end.status === 'rejected')?.reason;
  if (second === undefined) return resultOf(first, paths);
  if (ownerOf(first).id === ownerOf(second).id) return resultOf(first.claimed ? first : second, paths);
  return resultOf(
    first.claimed || (await paths[0]?.isOwner(ownerOf(first))) === true ? first : second,
    paths,
  );
}

function resultOf({ peers, answeredBy }: Finding, paths: readonly Path[]): LookupResult {
  const sum = (count: (path: Path) => number): number => paths.reduce((all, path) => all + count(path), 0);
  return { peers, answeredBy, hops: sum(({ hops }) => hops), failures: sum(({ failures }) => failures) };
}

function ownerOf({ peers }: Finding): PeerRef {
  const [owner] = peers;
  assert(owner !== undefined, 'a finding names somebody');
  return owner;
}

/** Whether `a` comes before `b`, clockwise from the key on. */
function isNearerBehind(key: Id, a: PeerRef, b: PeerRef): boolean {
  return a.id !== b.id && b.id !== key && (a.id === key || between(key, a.id, b.id));
}

/** One walk towards a key. */
class Path {
  hops = 0;
  failures = 0;
  readonly #key: Id;
  readonly #options: LookupOptions;
  readonly #plan: LookupPlan;

  constructor(key: Id, options: LookupOptions, plan: LookupPlan) {
    this.#key = key;
    this.#options = options;
    this.#plan = plan;
  }

  /** @throws PeerStoreError as {@link lookup}. */
  async walk(): Promise<Finding> {
    let lastError: unknown;
    while (this.#plan.asked < limits.lookupSteps) {
      if (this.#options.signal?.aborted === true) {
        throw new PeerStoreError('CANCELLED', 'the lookup was cancelled');
      }
      const move = this.#plan.next();
      if (move.do === 'finish') return move.finding;
      if (move.do === 'give up') {
        if (move.passing) throw this.#unsettled(lastError);
        break;
      }
      lastError = (await this.#ask(move.peer, move.purpose)) ?? lastError;
    }
    throw new PeerStoreError(
      'UNREACHABLE',
      `found no path to the peer responsible for ${shortId(this.#key)}: ${this.#plan.asked} peers asked, ` +
        `${this.failures} did not answer`,
      { cause: lastError },
    );
  }

  /** Whether a peer lives and says that it is responsible. */
  async isOwner(peer: PeerRef): Promise<boolean> {
    try {
      const { found, peers } = await this.#options.ask(peer, this.#key);
      this.hops += 1;
      return found && peers[0]?.id === peer.id;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.failures += 1;
      return false;
    }
  }

  /** @returns why the peer did not answer, if it did not. */
  async #ask(peer: PeerRef, purpose: Purpose): Promise<unknown> {
    const own = this.#options.local?.(peer, this.#key);
    if (own !== undefined) {
      this.#plan.answered(peer, own);
      return undefined;
    }
    try {
      const step = await this.#options.ask(peer, this.#key);
      if (purpose === 'way') this.hops += 1;
      this.#plan.answered(peer, step);
      return undefined;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (purpose !== 'check') this.failures += 1;
      // Who is busy, or on its way in, lives.
      if (hasCode(error, 'BUSY', 'UNSETTLED')) this.#plan.cannotSay(peer);
      else this.#plan.failed(peer);
      return error;
    }
  }

  #unsettled(cause: unknown): PeerStoreError {
    const what = `peers that may know who is responsible for ${shortId(this.#key)} cannot say just now`;
    return new PeerStoreError('UNSETTLED', what, { cause, retryAfterMs: limits.unsettledRetryMs });
  }
}
