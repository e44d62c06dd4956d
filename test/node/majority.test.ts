import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { Majority } from '../../src/node/majority.js';
import { RememberedPeers } from '../../src/node/remembered-peers.js';
import type { Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { RingState } from '../../src/ring/state.js';
import { peerAt } from '../ring/fixtures.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { failureOf } from '../wire/helpers.js';
import { Town } from './town.js';

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;

/** A peer at 100 that remembers some, and whose pointers can be set. */
async function peerKnowing(known: readonly PeerRef[]) {
  const clock = new VirtualClock();
  const memory = { load: () => Promise.resolve([]), save: () => Promise.resolve() };
  const remembered = new RememberedPeers(peerAt(100).id, clock, memory);
  remembered.see(known);
  const membership = { state: stateOf(known), isInside: true };
  const majority = new Majority({ membership, remembered, clock });
  const set = (peers: readonly PeerRef[]): void => {
    const { state } = membership;
    membership.state = stateOf(peers);
    majority.changed(state);
  };
  const message = (): string | undefined => {
    try {
      majority.require();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  await clock.runFor(minuteMs);
  return { clock, remembered, set, message };
}

/** Its list: the nearest behind it, as many as there is room for. */
function stateOf(peers: readonly PeerRef[]): RingState {
  const self = peerAt(100);
  const order = [...peers].sort((a, b) => placeOf(a) - placeOf(b));
  return { self, predecessor: order.at(-1) ?? null, successors: order.slice(0, limits.successorListLength) };
}

const placeOf = ({ id }: PeerRef): number => (parseInt(id, 16) - 100 + 65_536) % 65_536;

describe('node/majority', () => {
  for (const [others, absent, isEnough] of [
    [0, 0, true],
    [1, 0, true],
    [1, 1, false],
    [2, 1, true],
    [2, 2, false],
    [3, 1, true],
    [3, 2, false],
    [4, 2, true],
    [4, 3, false],
    [16, 8, true],
    [16, 9, false],
  ] as const) {
    it(`${isEnough ? 'is there' : 'is lacking'} with ${absent} of ${others} others away`, async () => {
      const peers = Array.from({ length: others }, (_, at) => peerAt(10 + at));
      const { set, message } = await peerKnowing(peers);
      expect(message()).to.equal(undefined);
      set(peers.slice(absent));
      if (isEnough) expect(message()).to.equal(undefined);
      else
        expect(message())
          .to.contain(`${1 + others - absent} of the ${1 + others} machines`)
          .and.contain(peers[0]!.address);
    });
  }

  it('has to be there for a while before it counts again', async () => {
    const peers = [peerAt(1), peerAt(2)];
    const { clock, set, message } = await peerKnowing(peers);
    set([]);
    await clock.runFor(minuteMs);
    set(peers);
    await clock.runFor(limits.majorityHoldMs - minuteMs);
    expect(message()).to.contain('try again in 1 min');
    await clock.runFor(minuteMs);
    expect(message()).to.equal(undefined);
  });

  for (const [rule, isInside] of [
    ['has to be there for a while where a peer that starts has served alone first', true],
    ['counts at once where a peer that starts finds the others before it serves', false],
  ] as const) {
    it(rule, async () => {
      const clock = new VirtualClock();
      await clock.runFor(minuteMs);
      const entries = [
        { peer: peerAt(1), lastSeenMs: 1 },
        { peer: peerAt(2), lastSeenMs: 0, leftMs: 1 },
      ];
      const memory = { load: () => Promise.resolve(entries), save: () => Promise.resolve() };
      const remembered = new RememberedPeers(peerAt(100).id, clock, memory);
      await remembered.load();
      const membership = { state: stateOf([]), isInside };
      const majority = new Majority({ membership, remembered, clock });
      const { state } = membership;
      membership.state = stateOf([peerAt(1), peerAt(2)]);
      majority.changed(state);
      membership.isInside = true;
      if (isInside) expect(() => majority.require()).to.throw('served alone lately');
      else majority.require();
    });
  }

  it('who has handed everything over does not count, who said goodbye to come back does, and nobody for ever', async () => {
    const peers = [1, 2, 3, 4].map(peerAt);
    const { clock, remembered, set, message } = await peerKnowing(peers);
    remembered.left(peerAt(1).id, true);
    remembered.left(peerAt(2).id, true);
    set([peerAt(3)]);
    expect(message()).to.equal(undefined);
    remembered.left(peerAt(3).id);
    set([]);
    expect(message()).to.contain('1 of the 3 machines');
    await clock.runFor(limits.majorityOfMs - dayMs);
    expect(message()).to.contain('1 of the 3 machines');
    await clock.runFor(dayMs + 1);
    expect(message()).to.contain('try again');
    await clock.runFor(limits.majorityHoldMs);
    expect(message()).to.equal(undefined);
  });

  it('machines that nobody has spoken with do not count', async () => {
    const { remembered, message } = await peerKnowing([peerAt(1)]);
    remembered.see([7, 8, 9].map(peerAt), () => false);
    expect(message()).to.equal(undefined);
  });

  it('of a large ring, half of which is gone, each peer judges by those next to it', async () => {
    const peers = Array.from({ length: 60 }, (_, at) => peerAt(101 + at));
    const { set, message } = await peerKnowing(peers);
    expect(message()).to.equal(undefined);
    set(peers.filter((_, at) => at % 3 !== 0));
    expect(message()).to.equal(undefined);
    set(peers.filter((_, at) => at % 3 === 0));
    expect(message()).to.contain('of the 17 machines');
    // Those far behind that it has met once are not there in its list, and may well be in the ring.
    set(peers.slice(0, 20));
    expect(message()).to.contain('try again');
  });

  describe('in a ring', () => {
    const list = ({ world, user }: Town, peer: SimulatedPeer, first: Id = peer.id) =>
      world.clock.run(user.transport.call(peer.ref, 'ownBlocks', { first }));
    const release = ({ world, user }: Town, peer: SimulatedPeer, id: Id) =>
      world.clock.run(user.transport.call(peer.ref, 'deleteBlock', { id, liveSetAtMs: world.clock.nowMs() }));

    it('what is needed elsewhere is neither listed nor given up where others cannot be reached', async () => {
      const town = await Town.of(51, 3);
      const { world } = town;
      const block = town.block();
      await town.post(block.holders[0]!, block);
      const [one, ...others] = world.peers;
      world.cut([one!], others);
      // So long that it takes itself for the whole ring in everything else.
      await world.clock.runFor(20 * minuteMs);
      for (const asked of [list(town, one!, block.id), release(town, one!, block.id)]) {
        const failure = await failureOf(asked);
        expect(failure.code).to.equal('UNSETTLED');
        expect(failure.message).to.contain('1 of the 3 machines').and.contain(others[0]!.address);
      }
      world.heal();
      await world.untilIdeal(10 * minuteMs);
      const failure = await failureOf(list(town, one!));
      expect(failure.message).to.contain('cut off');
      await world.clock.runFor(limits.majorityHoldMs);
      await list(town, one!);
      const { response } = await list(town, block.holders[0]!, block.id);
      expect(response.blocks.map(({ id }) => id)).to.deep.equal([block.id]);
    });

    it('a peer that is started alone gives nothing up, also after all have said goodbye', async () => {
      const town = await Town.of(52, 3);
      const { world } = town;
      await world.clock.runFor(2 * minuteMs);
      for (const peer of world.peers) await world.clock.run(peer.stop());
      const last = world.peers.at(-1)!;
      await world.clock.run(last.restart());
      const failure = await failureOf(list(town, last));
      expect(failure.message).to.contain('1 of the 3 machines');
    });

    it('goes on when all others have handed everything over', async () => {
      const town = await Town.of(53, 3);
      const { world } = town;
      const block = town.block();
      await town.post(block.holders[0]!, block);
      await world.clock.runFor(2 * minuteMs);
      for (const peer of world.peers.slice(1)) {
        await world.clock.run(peer.drain());
        await world.untilIdeal();
      }
      const { response } = await list(town, world.peers[0]!);
      expect(response).to.have.property('upTo');
    });
  });
});
