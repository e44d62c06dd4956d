/**
 * Lookups in a ring in which nothing changes, each from a random peer for a random key, and what they cost.
 *
 * A *path* is the number of other peers that were asked, and answered, until the owner was known. The question that the
 * owner is asked next in any case, and that tells whether it lives, is not one of them. SIGCOMM's figure counts the
 * same: with the paper's routing, one successor and one peer for each finger, this count is the published one to a few
 * hundredths (1,024 peers: 4.82 and 4.89; 4,096: 5.85 both; 16,384: 6.87 both). ToN's formula for lists of r,
 * (log2 N - log2 r) / 2 + 1, ends likewise at the peer before the key. A *timeout* is a peer that was asked and did not
 * answer, the dead ones that were named as owners included.
 */
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import type { Random } from '../../src/base/random.js';
import { hashToId, type Id, shortId } from '../../src/ring/identifier.js';
import { lookup, type LookupOptions, type LookupResult } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { type LookupStep, lookupStep } from '../../src/ring/routing.js';
import type { IdealRing } from './ideal-ring.js';
import type { LookupFigures } from './scenario.js';
import type { CachedPeers } from './peer-caches.js';
import type { StaticReport } from './static-report.js';

export interface StaticLookups {
  readonly ring: IdealRing;
  /** Decides who asks, and for which keys. */
  readonly random: Random;
  /** How many. */
  readonly count: number;
  /** Nobody is dead by default. */
  readonly isAlive?: (id: Id) => boolean;
  /** What peers know beside their pointers and fingers. */
  readonly caches?: CachedPeers | undefined;
  readonly report: StaticReport;
  /** Where each lookup is counted. */
  readonly figures: LookupFigures;
}

/** Runs the lookups. One that names another peer than the first live one at or after the key has failed. */
export async function runLookups(options: StaticLookups): Promise<void> {
  const { report, figures, ring, random, count, isAlive = () => true } = options;
  const askers = ring.peers.filter(({ id }) => isAlive(id));
  for (let round = 0; round < count; round += 1) {
    const asker = askers[random.below(askers.length)]!;
    const key = hashToId(random.bytes(32));
    const path: string[] = [shortId(asker.id), shortId(key)];
    const result = await lookupFrom(asker, key, {
      // Where somebody may be dead, an owner counts as found when it is known to live.
      confirm: options.isAlive !== undefined,
      ask: (peer) => {
        path.push(shortId(peer.id));
        if (!isAlive(peer.id)) return Promise.reject(new PeerStoreError('UNREACHABLE', 'it is dead'));
        return Promise.resolve(answerOf(options, peer, key));
      },
      local: (peer) => (peer.id === asker.id ? answerOf(options, peer, key) : undefined),
    });
    const named = result?.peers[0];
    report.note(`${path.join(' ')} ${named === undefined ? 'nobody' : shortId(named.id)}`);
    if (result !== undefined && named?.id === ring.owner(key, isAlive)?.id) {
      figures.answered(result.hops, result.failures);
    } else figures.failed();
  }
}

/** A lookup that begins at a peer; undefined when it found no way. */
export async function lookupFrom(
  asker: PeerRef,
  key: Id,
  options: LookupOptions,
): Promise<LookupResult | undefined> {
  try {
    return await lookup(key, [asker], options);
  } catch (error) {
    if (error instanceof PeerStoreError) return undefined;
    throw error;
  }
}

function answerOf({ ring, caches }: StaticLookups, peer: PeerRef, key: Id): LookupStep {
  const cached = caches?.before(peer, key, limits.lookupCandidates) ?? [];
  return lookupStep(ring.state(peer.id), [...cached, ...ring.fingers(peer.id)], key);
}
