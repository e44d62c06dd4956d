/**
 * A share of the peers lie, together, about who is closer to a key, whose it is, and who their neighbours are
 * (../liars.ts has their strategies). How many lookups do they *bend*, so that they end with a peer that is not the key's
 * owner? Pointers and fingers of the honest peers are true.
 *
 * **Lookups of peers**, who have no cache, along one path (`lookup`) and along two that share no peer (`lookupDisjoint`).
 * Honest peers tell the truth, so a lookup is bent only after it has asked a liar; and where two paths end at different
 * peers, the one nearer behind the key is believed once it has proved who it is, so both paths have to be bent, by two
 * liars. Both are rules here, for every single lookup.
 *
 * They also bound how many are bent. Until it asks its first liar, a lookup goes the way that it would go if all were
 * honest, and who lies is independent of that way. So of lookups that ask h peers among the honest, liars of a share f are
 * met by at most g(h) = 1 - (1 - f)^h, and bent on two paths by g(h1) g(h2) at most: two liars of a fixed number are met
 * less often than independent ones, and that one path leaves peers to the other hardly changes its way. How the questions
 * are divided is not counted; g is log-concave, so g((h1 + h2) / 2)^2 is never less. `boundOne` and `boundTwo` are the means of these over the same lookups with
 * everybody honest; the shares of bent ones may exceed them by chance (four standard errors).
 *
 * **Lookups of clients** (`RingView`, with its cache, its two witnesses and its suspicion of thin lists) in the same rings.
 * Each client knows two random peers to begin with, liars or not, and learns from every answer, also from lies: caches
 * are poisoned as far as they can be.
 *
 * **Small rings** (`small`): 8 peers, one of which lies. No lookup of a peer is bent, since its own list names everybody: it
 * asks the owner first. A client that knows two peers sees the ring as both together say it is, so that one of them
 * alone hides nobody, or it looks keys up along two paths: no write goes wrong. Both are rules. A client that knows the liar
 * alone knows what that one says.
 *
 * `--share` of the liars, `--peers`, `--steps` lookups for each strategy and each number of paths.
 */
import { type Random, randomFraction, seededRandom } from '../../../src/base/random.js';
import { PeerStoreError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { type Paths, RingView } from '../../../src/client/ring-view.js';
import { hashToId, type Id, shortId } from '../../../src/ring/identifier.js';
import { lookup, lookupDisjoint } from '../../../src/ring/lookup.js';
import type { PeerRef } from '../../../src/ring/peer.js';
import type { LookupStep } from '../../../src/ring/routing.js';
import { Bending } from '../bending.js';
import { IdealRing } from '../ideal-ring.js';
import { Gang, strategies, type StrategyName } from '../liars.js';
import { LyingNetwork } from '../lying-network.js';
import { type CommonOptions, LookupFigures, type Scenario } from '../scenario.js';
import { StaticReport } from '../static-report.js';
import { VirtualClock } from '../virtual-clock.js';

const shares = [0.05, 0.1, 0.2, 0.3];
/** Rings with liars of their own, and clients of each. */
const ringCount = 4;
const clientCount = 25;
const smallRing = 8;
/** Keys that one client looks up in a small ring. */
const smallKeys = 10;
const names = Object.keys(strategies) as readonly StrategyName[];

export const hostile = {
  summary: 'a share of the peers lie: which lookups they bend, along one path and two',
  own: { share: undefined },
  // Enough liars for their number to tell what they can do.
  draw: (random) => ({
    peers: 100 + random.below(200),
    steps: 100,
    share: 0.1 + 0.3 * randomFraction(random),
  }),
  async run({ seed, peers = 1000, steps = 1000, share }: CommonOptions & { readonly share?: number }) {
    if (share !== undefined && !(share > 0 && share < 1)) {
      throw new RangeError('--share is above 0 and below 1');
    }
    const report = new StaticReport('hostile', { seed, peers, steps });
    const random = seededRandom(seed);
    const rings = Array.from(
      { length: ringCount },
      () => new IdealRing(peers, limits.successorListLength, random),
    );
    for (const part of share === undefined ? shares : [share]) {
      const gangs = rings.map((ring) => chooseGang(ring, Math.max(1, Math.round(part * peers)), random));
      await measureShare(report, part, { gangs, count: steps, seed: random.below(2 ** 32) });
    }
    for (const name of names) await measureSmall(report, name, { count: steps, random });
    return report.outcome();
  },
} satisfies Scenario;

/** The same lookups in the same rings, whatever the liars do. */
interface Trial {
  readonly gangs: readonly Gang[];
  readonly count: number;
  readonly seed: number;
}

type PathsTaken = Readonly<Record<Paths, Bending>>;

async function measureShare(report: StaticReport, share: number, trial: Trial): Promise<void> {
  const honest = await measurePeers(report, trial, undefined);
  const liars = trial.gangs.reduce((sum, { ids }) => sum + ids.size, 0);
  for (const name of names) {
    const peers = await measurePeers(report, trial, name);
    const clients = await measureClients(report, trial, name);
    for (const paths of ['one', 'two'] as const) {
      report.expectAtMost(
        peers[paths].bent,
        honest[paths].mayMeasure(liars, paths === 'one' ? 1 : 2),
        'no more lookups are bent than meet liars',
        `with ${share} of liars, ${name}, ${paths}`,
      );
    }
    report.row('shares', {
      share,
      strategy: name,
      bentOne: peers.one.bent,
      boundOne: honest.one.bound,
      failedOne: peers.one.failed,
      bentTwo: peers.two.bent,
      boundTwo: honest.two.bound,
      failedTwo: peers.two.failed,
      clientBentOne: clients.one.bent,
      clientFailedOne: clients.one.failed,
      clientBentTwo: clients.two.bent,
      clientFailedTwo: clients.two.failed,
    });
  }
}

/** @param name undefined for liars that tell the truth */
async function measurePeers(
  report: StaticReport,
  { gangs, count, seed }: Trial,
  name: StrategyName | undefined,
): Promise<PathsTaken> {
  const bendings = { one: new Bending(), two: new Bending() };
  const figures = new LookupFigures();
  for (const [at, gang] of gangs.entries()) {
    const random = seededRandom(seed + at);
    const network = new LyingNetwork(gang, name);
    const askers = gang.ring.peers.filter(({ id }) => !gang.ids.has(id));
    const liarsShare = gang.ids.size / (gang.ring.peers.length - 1);
    for (let round = 0; round < count / gangs.length; round += 1) {
      const asker = askers[random.below(askers.length)]!;
      const key = hashToId(random.bytes(32));
      const owner = gang.ring.owner(key)?.id;
      for (const paths of ['one', 'two'] as const) {
        network.forget();
        const named = await find(network, asker, key, paths);
        report.note(`${name ?? 'honest'} ${paths} ${shortId(asker.id)} ${shortId(key)} ${named ?? 'nobody'}`);
        const { asked, unanswered, liarsAsked } = network;
        const met = 1 - (1 - liarsShare) ** (paths === 'one' ? asked : asked / 2);
        const isBent = bendings[paths].add(named, owner, paths === 'one' ? met : met ** 2);
        report.expect(
          !isBent || liarsAsked.size >= (paths === 'one' ? 1 : 2),
          'a lookup is bent by liars on every path',
          `${paths} from ${shortId(asker.id)} for ${shortId(key)}, ${name ?? 'honest'}`,
        );
        if (paths === 'two') continue;
        if (named === owner) figures.answered(asked - unanswered, unanswered);
        else figures.failed();
      }
    }
  }
  report.condition(figures);
  return bendings;
}

/** @returns the peer that a lookup ends with, if it ends with one. */
async function find(network: LyingNetwork, asker: PeerRef, key: Id, paths: Paths): Promise<Id | undefined> {
  const own = network.truth(asker, key);
  if (own.found) return own.peers[0]?.id;
  const ask = async (peer: PeerRef): Promise<LookupStep> => {
    await Promise.resolve();
    return network.step(peer, key);
  };
  const local = (peer: PeerRef): LookupStep | undefined => (peer.id === asker.id ? own : undefined);
  return orNobody(
    paths === 'one'
      ? lookup(key, [asker], { ask, local })
      : lookupDisjoint(key, [asker, ...own.peers], { ask, local }),
  );
}

/** Who stands first in a result; undefined when there was none. */
async function orNobody(result: Promise<{ readonly peers: readonly PeerRef[] }>): Promise<Id | undefined> {
  try {
    return (await result).peers[0]?.id;
  } catch (error) {
    if (error instanceof PeerStoreError) return undefined;
    throw error;
  }
}

async function measureClients(
  report: StaticReport,
  { gangs, count, seed }: Trial,
  name: StrategyName,
): Promise<PathsTaken> {
  const bendings = { one: new Bending(), two: new Bending() };
  for (const [at, gang] of gangs.entries()) {
    const network = new LyingNetwork(gang, name);
    const random = seededRandom(seed + at);
    for (let client = 0; client < clientCount; client += 1) {
      const keys = Math.ceil(count / gangs.length / clientCount);
      const entries = draw(gang.ring.peers, 2, random);
      await lookUpAsClient(report, { network, gang, entries, keys, random }, bendings);
    }
  }
  return bendings;
}

interface ClientTrial {
  readonly network: LyingNetwork;
  readonly gang: Gang;
  readonly entries: readonly PeerRef[];
  readonly keys: number;
  readonly random: Random;
}

/** New clients, one for each number of paths, look up the same keys. */
async function lookUpAsClient(
  report: StaticReport,
  { network, gang, entries, keys, random }: ClientTrial,
  bendings: PathsTaken,
): Promise<void> {
  const wanted = Array.from({ length: keys }, () => hashToId(random.bytes(32)));
  for (const paths of ['one', 'two'] as const) {
    const view = new RingView({
      transport: network.transport(),
      clock: new VirtualClock(),
      random: seededRandom(random.below(2 ** 32)),
      entries,
    });
    for (const key of wanted) {
      const named = await orNobody(view.holders(key, paths).then((peers) => ({ peers })));
      report.note(`client ${paths} ${shortId(key)} ${named ?? 'nobody'}`);
      bendings[paths].add(named, gang.ring.owner(key)?.id);
    }
  }
}

/** Rings of a few peers, one of which lies: what the peers see, and clients that know one of them, and two. */
async function measureSmall(
  report: StaticReport,
  name: StrategyName,
  { count, random }: { readonly count: number; readonly random: Random },
): Promise<void> {
  const gangs = Array.from({ length: Math.ceil(count / smallKeys) }, () => {
    const ring = new IdealRing(smallRing, limits.successorListLength, random);
    return chooseGang(ring, 1, random);
  });
  const peers = await measurePeers(report, { gangs, count, seed: random.below(2 ** 32) }, name);
  for (const paths of ['one', 'two'] as const) {
    report.expectAtMost(peers[paths].bent, 0, 'who sees everybody is not misled', `${name}, ${paths}`);
  }
  for (const known of [1, 2]) {
    const clients = { one: new Bending(), two: new Bending() };
    for (const gang of gangs) {
      const network = new LyingNetwork(gang, name);
      const entries = draw(gang.ring.peers, known, random);
      await lookUpAsClient(report, { network, gang, entries, keys: smallKeys, random }, clients);
    }
    if (known > 1) report.expectAtMost(clients.two.bent, 0, 'one liar alone bends no write', name);
    report.row('small', {
      peers: smallRing,
      liars: 1,
      strategy: name,
      bentOne: peers.one.bent,
      bentTwo: peers.two.bent,
      clientKnows: known,
      clientBentOne: clients.one.bent,
      clientBentTwo: clients.two.bent,
    });
  }
}

function chooseGang(ring: IdealRing, size: number, random: Random): Gang {
  return new Gang(ring, new Set(draw(ring.peers, size, random).map(({ id }) => id)), random);
}

/** Some of the peers, each once. */
function draw(peers: readonly PeerRef[], count: number, random: Random): readonly PeerRef[] {
  const drawn = new Set<PeerRef>();
  while (drawn.size < count) drawn.add(peers[random.below(peers.length)]!);
  return [...drawn];
}
