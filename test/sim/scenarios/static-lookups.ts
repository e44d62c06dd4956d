/**
 * Lookups in an ideal ring in which a share of the peers has died at one moment and nothing has been repaired: path
 * lengths with nobody dead (SIGCOMM 2001, figure 10a), and failures, paths and timeouts beside ToN 2003, table II.
 *
 * A path is the number of other peers that were asked, and answered, until the owner was known to live; the owner itself
 * is one of them. A timeout is a peer that was asked and did not answer.
 */
import { seededRandom } from '../../../src/base/random.js';
import { PeerStoreError } from '../../../src/base/errors.js';
import { hashToId, type Id } from '../../../src/ring/identifier.js';
import { lookup } from '../../../src/ring/lookup.js';
import { Tally } from '../figures.js';
import { IdealRing } from '../ideal-ring.js';

export interface StaticLookups {
  readonly seed: number;
  readonly peers: number;
  readonly lookups: number;
  /** Entries of a successor list; 1 leaves routing to the fingers alone. */
  readonly listLength: number;
  /** The share of peers that are dead, from 0 to below 1. */
  readonly deadShare: number;
}

export interface StaticFigures {
  readonly lookups: number;
  /** Lookups that gave no answer, or another one than the first live peer at or after the key. */
  readonly failed: number;
  readonly pathMean: number;
  readonly pathP99: number;
  readonly timeoutsMean: number;
}

/** Runs the lookups, each from a random live peer for a random key. */
export async function staticLookups(options: StaticLookups): Promise<StaticFigures> {
  const random = seededRandom(options.seed);
  const ring = new IdealRing(options.peers, options.listLength, random);
  const dead = chooseDead(ring, options.deadShare, (limit) => random.below(limit));
  const isAlive = (id: Id): boolean => !dead.has(id);
  const living = ring.peers.filter(({ id }) => isAlive(id));
  const paths = new Tally();
  const timeouts = new Tally();
  let failed = 0;
  for (let round = 0; round < options.lookups; round += 1) {
    const from = living[random.below(living.length)]!;
    const key = hashToId(random.bytes(32));
    try {
      const { peers, hops, failures } = await lookup(key, [from], {
        confirm: true,
        local: (peer) => (peer.id === from.id ? ring.step(peer, key) : undefined),
        ask: (peer) =>
          isAlive(peer.id)
            ? Promise.resolve(ring.step(peer, key))
            : Promise.reject(new PeerStoreError('UNREACHABLE', 'it is dead')),
      });
      if (peers[0]?.id !== ring.owner(key, isAlive)?.id) failed += 1;
      paths.add(hops);
      timeouts.add(failures);
    } catch (error) {
      if (!(error instanceof PeerStoreError)) throw error;
      failed += 1;
    }
  }
  return {
    lookups: options.lookups,
    failed,
    pathMean: paths.mean,
    pathP99: paths.percentile(0.99),
    timeoutsMean: timeouts.mean,
  };
}

function chooseDead(ring: IdealRing, share: number, below: (limit: number) => number): ReadonlySet<Id> {
  const ids = ring.peers.map(({ id }) => id);
  const dead = new Set<Id>();
  const wanted = Math.round(share * ids.length);
  while (dead.size < wanted) dead.add(ids[below(ids.length)]!);
  return dead;
}
