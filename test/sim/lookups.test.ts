import { expect } from 'chai';

import type { LookupResult } from '../../src/ring/lookup.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { peerAt } from '../ring/fixtures.js';
import { CheckedLookups } from './lookups.js';
import type { SimulatedPeer } from './peer.js';
import { LookupFigures } from './scenario.js';
import { World } from './world.js';

describe('sim: checked lookups', () => {
  let world: World;
  let lookups: CheckedLookups;
  const broken = () => world.violations.map(({ rule }) => rule);
  const answer = (...peers: readonly PeerRef[]): Promise<LookupResult> =>
    Promise.resolve({ peers, answeredBy: peers[0]!, hops: 1, failures: 0 });
  /** A peer that gives this answer to whatever it is asked to look up. */
  const answering = (...peers: readonly PeerRef[]) =>
    ({
      unlessItCrashes: (work: Promise<unknown>) => work,
      node: { membership: { lookup: () => answer(...peers) } },
    }) as unknown as SimulatedPeer;

  beforeEach(async () => {
    world = new World({ seed: 1 });
    await world.grow(3);
    await world.untilIdeal();
    lookups = new CheckedLookups(world, new LookupFigures());
  });

  it('find every rule kept, at each edge, in a ring that is ideal', async () => {
    for (const peer of world.live) {
      for (const { id } of world.live) {
        for (let times = 0; times < 9; times += 1) {
          await world.clock.run(Promise.all([lookups.atEdge(peer, id), lookups.plain(peer, id)]));
        }
      }
    }
    expect(broken()).to.deep.equal([]);
  });

  it('find a wrong owner', async () => {
    const [one, other] = world.live;
    await lookups.check(one!.id, () => answer(other!.ref));
    expect(broken()).to.deep.equal(['lookupTellsTheTruth']);
  });

  it('find an owner that does not live, also where a living one is named behind it', async () => {
    const [one] = world.live;
    const owner = (key: PeerRef): PeerRef => world.trueOrder(key.id)[0]!;
    await lookups.atEdge(answering(peerAt(1), owner(one!.ref)), one!.id);
    expect(broken()).to.include('lookupNamesTheLiving');
  });
});
