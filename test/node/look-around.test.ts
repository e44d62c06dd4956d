import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { LookAround } from '../../src/node/look-around.js';
import { Pointers } from '../../src/node/pointers.js';
import { RememberedPeers } from '../../src/node/remembered-peers.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';

const place = ({ id }: { readonly id: Id }): number => parseInt(id, 16);

/** A peer at 50 between 40 and 60, and what it does in its rounds. */
function lookAround(options: {
  readonly remembers: readonly number[];
  /** The place that each peer names next after 50; peers that are not there do not answer. */
  readonly names: ReadonlyMap<number, number>;
}) {
  const self = peerAt(50);
  const pointers = new Pointers(self, () => undefined);
  pointers.become({ self, predecessor: peerAt(40), successors: [peerAt(60), peerAt(40)] });
  const memory = { load: () => Promise.resolve([]), save: () => Promise.resolve() };
  const remembered = new RememberedPeers(self.id, new VirtualClock(), memory);
  remembered.see(options.remembers.map(peerAt));
  const asked: number[] = [];
  const told: number[] = [];
  const adopted: number[] = [];
  const subject = new LookAround({
    self,
    random: seededRandom(1),
    remembered,
    pointers,
    routes: {
      find: (key: Id, [through]: readonly PeerRef[], { except, confirm }) => {
        expect([place({ id: key }), except, confirm]).to.deep.equal([50, self.id, true]);
        asked.push(place(through!));
        const named = options.names.get(place(through!));
        if (named === undefined) return Promise.reject(new PeerStoreError('UNREACHABLE', 'it is gone'));
        return Promise.resolve({ peers: [peerAt(named)], answeredBy: through!, hops: 1, failures: 0 });
      },
    },
    liveness: { answers: (peer) => Promise.resolve(options.names.has(place(peer))) },
    stabilizer: {
      notify: (peer) => Promise.resolve(told.push(place(peer)) > 0),
      stabilizeFrom: (peer) => {
        adopted.push(place(peer));
        return Promise.resolve();
      },
    },
    signal: new AbortController().signal,
  });
  return { subject, asked, told, adopted };
}

describe('node/look-around', () => {
  it('whoever comes next for all is the first successor: there is nothing to do', async () => {
    const names = new Map([60, 70, 80].map((from) => [from, 60]));
    const { subject, told, adopted } = lookAround({ remembers: [70, 80], names });
    expect(await subject.round()).to.equal(false);
    expect([told, adopted]).to.deep.equal([[], []]);
  });

  it('a peer that somebody sees before the first successor is adopted', async () => {
    const { subject, told, adopted } = lookAround({ remembers: [70], names: new Map([[70, 55]]) });
    expect(await subject.round()).to.equal(true);
    expect([told, adopted]).to.deep.equal([[], [55]]);
  });

  it('a peer that somebody sees next, and that lies behind the first successor, is told', async () => {
    const { subject, told, adopted } = lookAround({ remembers: [70], names: new Map([[70, 65]]) });
    expect(await subject.round()).to.equal(true);
    expect([told, adopted]).to.deep.equal([[65], []]);
  });

  it('a remembered peer before the first successor is adopted if it answers, whatever it sees', async () => {
    // The first successor is dead, and all who are asked name it.
    const { subject, adopted } = lookAround({ remembers: [52, 55], names: new Map([[55, 60]]) });
    expect(await subject.round()).to.equal(true);
    expect(adopted).to.deep.equal([55]);
  });

  it('the first successor is asked in each round: a ring may go round twice', async () => {
    const { subject, told, asked } = lookAround({ remembers: [], names: new Map([[60, 70]]) });
    expect(await subject.round()).to.equal(true);
    expect([asked, told]).to.deep.equal([[60], [70]]);
  });

  it('all who are remembered and no neighbours have their turn, some in each round, and then again', async () => {
    const remembers = Array.from({ length: 3 * limits.lookAroundPeers - 1 }, (_, at) => 100 + at);
    const { subject, asked } = lookAround({ remembers: [40, 60, ...remembers], names: new Map() });
    for (let time = 1; time <= 2; time += 1) {
      for (let round = 0; round < 3; round += 1) expect(await subject.round()).to.equal(false);
      const others = asked.filter((from) => from !== 60);
      expect(others.sort((a, b) => a - b)).to.deep.equal(
        remembers.flatMap((at) => Array.from({ length: time }, () => at)),
      );
    }
  });
});
