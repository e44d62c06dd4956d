import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { findPlace } from '../../src/node/join.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { lookupStep } from '../../src/ring/routing.js';
import type { RingState } from '../../src/ring/state.js';
import type { Transport } from '../../src/wire/transport.js';
import { peerAt } from '../ring/fixtures.js';
import { failureOf } from '../wire/helpers.js';

const signal = new AbortController().signal;

/** A ring that stands still, with peers at these places, without fingers. Those in `dead` do not answer. */
function ringOf(places: readonly number[], dead: readonly number[] = []) {
  const peers = places.map(peerAt);
  const at = (index: number): PeerRef => peers[(index + peers.length) % peers.length]!;
  const states = new Map<string, RingState>(
    peers.map((self, index) => {
      const count = Math.min(16, places.length - 1);
      const successors = Array.from({ length: count }, (_, step) => at(index + 1 + step));
      return [self.id, { self, predecessor: count === 0 ? null : at(index - 1), successors }];
    }),
  );
  const far = peers.filter((_, index) => index % 50 === 0);
  let calls = 0;
  const call = (to: PeerRef, method: string, request: { key: PeerRef['id'] }): Promise<unknown> => {
    calls += 1;
    const state = states.get(to.id);
    if (state === undefined || dead.includes(parseInt(to.id, 16))) {
      return Promise.reject(new PeerStoreError('UNREACHABLE', `nobody at ${to.address}`));
    }
    return Promise.resolve({
      response: method === 'successor' ? lookupStep(state, far, request.key) : state,
    });
  };
  return { transport: { call } as unknown as Transport, calls: () => calls };
}

const many = Array.from({ length: 2000 }, (_, index) => 10 * (index + 1));

describe('node/join', () => {
  for (const entry of [10, 50, 990, 1000, 1010, 1020, 5000, 20_000]) {
    it(`a newcomer at 1005 of a large ring belongs behind 1000, whoever it asks (${entry})`, async () => {
      const { transport, calls } = ringOf(many);
      const member = await findPlace(peerAt(1005), [peerAt(entry)], transport, signal);
      expect(parseInt(member.self.id, 16)).to.equal(1000);
      expect(calls()).to.be.lessThan(20);
    });

    it(`a peer that is still in the lists finds the place it had (${entry})`, async () => {
      const { transport } = ringOf(many);
      const member = await findPlace(peerAt(1000), [peerAt(entry === 1000 ? 30 : entry)], transport, signal);
      expect(parseInt(member.self.id, 16)).to.equal(990);
      expect(member.successors.map(({ id }) => parseInt(id, 16)).slice(0, 2)).to.deep.equal([1010, 1020]);
    });
  }

  it('wraps around zero, and joins a ring of one', async () => {
    for (const [places, self, behind] of [
      [[10, 20, 30], 5, 30],
      [[10, 20, 30], 35, 30],
      [[10], 5, 10],
      [[10], 15, 10],
      [[10, 20], 20, 10],
    ] as const) {
      const { transport } = ringOf(places);
      const member = await findPlace(peerAt(self), [peerAt(places[0])], transport, signal);
      expect(parseInt(member.self.id, 16)).to.equal(behind);
    }
  });

  it('passes over entries that do not answer, and says so when none does', async () => {
    const { transport } = ringOf(many);
    const nobody = Array.from({ length: 20 }, (_, at) => peerAt(3 + 10 * at));
    const member = await findPlace(peerAt(1005), [...nobody, peerAt(70)], transport, signal);
    expect(parseInt(member.self.id, 16)).to.equal(1000);
    expect((await failureOf(findPlace(peerAt(1005), nobody, transport, signal))).code).to.equal(
      'UNREACHABLE',
    );
    expect((await failureOf(findPlace(peerAt(1005), [], transport, signal))).code).to.equal('UNREACHABLE');
  });

  it('a gap where the newcomer belongs is worth another attempt', async () => {
    const { transport } = ringOf(many, [1000]);
    expect((await failureOf(findPlace(peerAt(1005), [peerAt(70)], transport, signal))).code).to.equal(
      'UNSETTLED',
    );
  });
});
