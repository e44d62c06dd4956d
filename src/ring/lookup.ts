/**
 * Iterative lookup: the asking side walks the ring itself, one question at a time, so that a dead or slow peer costs
 * one question and not the lookup.
 *
 * It keeps every peer that it heard of, and always asks the one nearest before the key that it has not asked yet. An answer has to come closer: peers that do not lie between the answering peer and the key
 * are ignored, so that a lookup ends, and a confused or hostile peer cannot lead it in circles.
 */
import { assert, hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Id, shortId } from './identifier.js';
import { between } from './interval.js';
import type { PeerRef } from './peer.js';
import type { LookupStep } from './routing.js';

export interface LookupOptions {
  /** Asks a peer for one step. Its failures (UNREACHABLE, TIMEOUT, BUSY...) make the lookup go on with the next best. */
  readonly ask: (peer: PeerRef, key: Id) => Promise<LookupStep>;
  /** Fires to end the lookup with CANCELLED. */
  readonly signal?: AbortSignal;
}

export interface LookupResult {
  /** The responsible peer first, then those behind it: as far as the last answer knew them, without the ones that failed. */
  readonly peers: readonly PeerRef[];
  /** Who gave the last answer: the responsible peer itself, or one shortly before the key. */
  readonly answeredBy: PeerRef;
  /** Questions that were answered. */
  readonly hops: number;
  /** Questions that were not. */
  readonly failures: number;
}

/**
 * Finds the peer that is responsible for a key.
 * @param start peers to begin with, in any order
 * @throws PeerStoreError UNREACHABLE when no peer is left to ask, CANCELLED.
 */
export async function lookup(
  key: Id,
  start: Iterable<PeerRef>,
  options: LookupOptions,
): Promise<LookupResult> {
  const waiting = new Map<Id, PeerRef>();
  const asked = new Set<Id>();
  const failed = new Set<Id>();
  for (const peer of start) waiting.set(peer.id, peer);
  let hops = 0;
  let lastError: unknown;
  while (waiting.size > 0 && asked.size < limits.lookupSteps) {
    if (options.signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'the lookup was cancelled');
    const peer = nearestBefore(key, waiting.values());
    waiting.delete(peer.id);
    asked.add(peer.id);
    let step: LookupStep;
    try {
      step = await options.ask(peer, key);
    } catch (error) {
      if (hasCode(error, 'CANCELLED')) throw error;
      lastError = error;
      failed.add(peer.id);
      continue;
    }
    hops += 1;
    if (step.found) {
      const peers = step.peers.filter(({ id }) => !failed.has(id));
      if (peers.length > 0) return { peers, answeredBy: peer, hops, failures: failed.size };
    } else {
      for (const closer of step.peers) {
        if (between(peer.id, closer.id, key) && !asked.has(closer.id)) waiting.set(closer.id, closer);
      }
    }
  }
  throw new PeerStoreError(
    'UNREACHABLE',
    `found no path to the peer responsible for ${shortId(key)}: ${asked.size} peers asked, ${failed.size} did not answer`,
    { cause: lastError },
  );
}

/** The peer from which it is the shortest way, clockwise, to the key. */
function nearestBefore(key: Id, peers: Iterable<PeerRef>): PeerRef {
  let best: PeerRef | undefined;
  for (const peer of peers) {
    if (best === undefined || isNearer(peer.id, best.id, key)) best = peer;
  }
  assert(best !== undefined, 'there is a peer to choose from');
  return best;
}

function isNearer(a: Id, b: Id, key: Id): boolean {
  return b !== key && (a === key || between(b, a, key));
}
