/**
 * Peers that lie about the ring, together: they know everybody, and all answer by the same strategy. What they cannot do is to
 * be somebody else. The transport proves who is asked, so that a peer which they invent is one that does not answer;
 * and nobody chooses its place on the ring.
 */
import { limits } from '../../src/base/limits.js';
import type { Random } from '../../src/base/random.js';
import { first } from '../../src/ring/circle.js';
import { hashToId, type Id, idFromNumber, idToNumber } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { closestBefore, type LookupStep } from '../../src/ring/routing.js';
import type { Neighbourhood } from '../../src/ring/state.js';
import type { IdealRing } from './ideal-ring.js';

/** Who the liars are, and where. There is one at least. */
export class Gang {
  readonly ring: IdealRing;
  readonly ids: ReadonlySet<Id>;
  readonly #random: Random;

  constructor(ring: IdealRing, ids: ReadonlySet<Id>, random: Random) {
    this.ring = ring;
    this.ids = ids;
    this.#random = random;
  }

  /** The nearest liar before a key; the one at the key, if there is no other. */
  before(key: Id): PeerRef {
    return this.ring.before(key, (id) => this.ids.has(id)).next().value!;
  }

  /** The liars at and behind a key, as many as a list has. */
  from(key: Id): readonly PeerRef[] {
    return first(
      limits.successorListLength,
      this.ring.from(key, (id) => this.ids.has(id)),
    );
  }

  /** The liars behind one of them, up to where it comes round again. @param count at most */
  behind({ id: liar }: PeerRef, count: number = limits.successorListLength): readonly PeerRef[] {
    return first(
      count,
      this.ring.from(liar, (id) => id !== liar && this.ids.has(id)),
    );
  }

  /** A list as dense as the ring: a peer, and its true successors. */
  denseFrom(peer: PeerRef): readonly PeerRef[] {
    return [peer, ...this.ring.state(peer.id).successors];
  }

  /** A peer that does not exist, right before a key. */
  inventedBefore(key: Id): PeerRef {
    return nobody(idFromNumber(idToNumber(key) - BigInt(1 + this.#random.below(2 ** 32))));
  }

  /** Peers that do not exist, anywhere on the ring. */
  inventedEverywhere(count: number): readonly PeerRef[] {
    return Array.from({ length: count }, () => nobody(hashToId(this.#random.bytes(32))));
  }
}

function nobody(id: Id): PeerRef {
  return { id, machine: id, address: `nobody-${id}:1` };
}

/** What a liar answers. `truth` is what it would answer if it were honest. */
export interface Strategy {
  readonly step: (gang: Gang, liar: PeerRef, key: Id, truth: LookupStep) => LookupStep;
  readonly neighbourhood: (gang: Gang, truth: Neighbourhood) => Neighbourhood;
  /** Peers that it says it knows behind itself. */
  readonly page: (gang: Gang, liar: PeerRef) => readonly PeerRef[];
}

/** It knows liars and nobody else: who believes it, and only it, begins every lookup with liars. */
function onlyLiars(gang: Gang, liar: PeerRef): readonly PeerRef[] {
  return gang.behind(liar, limits.knownPeersPage);
}

/** Its first successor is a liar, and behind that one come the true ones. */
function skippingToLiar(gang: Gang, truth: Neighbourhood): Neighbourhood {
  const { self } = truth;
  const [next] = gang.behind(self);
  if (next === undefined) return { self, predecessor: null, successors: [] };
  const list = gang.denseFrom(next).filter(({ id }) => id === next.id || between(next.id, id, self.id));
  return { ...truth, successors: list.slice(0, limits.successorListLength) };
}

export const strategies = {
  /** Names liars and nobody else, as closer peers, as owners and as neighbours. Its lists are sparse. */
  herd: {
    step: (gang, liar, key) => {
      const closer = closestBefore(
        liar.id,
        gang.ring.before(key, (id) => gang.ids.has(id)),
        key,
        limits.lookupCandidates,
      );
      const after = gang.from(key);
      const predecessor = gang.before(liar.id);
      return closer.length === 0
        ? { found: true, peers: after, predecessor }
        : { found: false, peers: closer, after, predecessor };
    },
    neighbourhood: (gang, { self }) => {
      const predecessor = gang.before(self.id);
      return {
        self,
        predecessor: predecessor.id === self.id ? null : predecessor,
        successors: gang.behind(self),
      };
    },
    page: onlyLiars,
  },
  /**
   * Whatever the key, it is its own, and a liar before the key is its predecessor. Its lists are dense. Of its neighbours it
   * names one, so that nobody sees a small ring as a whole and has to ask.
   */
  own: {
    step: (gang, liar, key) => ({ found: true, peers: gang.denseFrom(liar), predecessor: gang.before(key) }),
    neighbourhood: (_gang, truth) => ({ ...truth, successors: truth.successors.slice(0, 1) }),
    page: onlyLiars,
  },
  /** The first liar from the key on is its first successor. Its lists are dense behind that one. */
  accomplice: {
    step: (gang, _liar, key) => ({
      found: true,
      peers: gang.denseFrom(gang.from(key)[0]!),
      predecessor: gang.before(key),
    }),
    neighbourhood: skippingToLiar,
    page: onlyLiars,
  },
  /** The truth, without the honest peers between the nearest liars on both sides of the key. */
  hide: {
    step: (gang, _liar, key, truth) => {
      const before = gang.before(key);
      const behind = gang.from(key)[0]!;
      const shown = (peers: readonly PeerRef[]): readonly PeerRef[] =>
        peers.filter(({ id }) => gang.ids.has(id) || !between(before.id, id, behind.id));
      const peers = shown(truth.peers);
      return {
        found: truth.found,
        peers: truth.found && peers.length === 0 ? gang.denseFrom(behind) : peers,
        ...(truth.after === undefined ? {} : { after: shown(truth.after) }),
        predecessor: before,
      };
    },
    neighbourhood: skippingToLiar,
    page: onlyLiars,
  },
  /** Peers that do not exist, to lose time and to fill caches. */
  invent: {
    step: (gang, liar, key) => {
      const invented = Array.from({ length: limits.lookupCandidates }, () => gang.inventedBefore(key));
      return { found: false, peers: closestBefore(liar.id, invented, key, limits.lookupCandidates) };
    },
    neighbourhood: (_gang, truth) => truth,
    page: (gang) => gang.inventedEverywhere(limits.knownPeersPage),
  },
} satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof strategies;
