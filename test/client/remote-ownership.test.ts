import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { seededRandom } from '../../src/base/random.js';
import { RemoteOwnership } from '../../src/client/remote-ownership.js';
import type { RingView } from '../../src/client/ring-view.js';
import type { Id } from '../../src/ring/identifier.js';
import { allKeys, keyAfter } from '../../src/ring/key-range.js';
import type { PeerRef, RequestOf, ResponseOf, Transport } from '../../src/wire/index.js';
import { codeOf } from '../archive/support.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';

type Answer = ResponseOf<'ownBlocks'>;

const two = [peerAt(10), peerAt(20)];
const block = (id: Id) => ({ id, sizeBytes: 1, touchedAtMs: 1 });
/** The answer of a peer that has nothing. */
const nothing = (first: Id, { id }: PeerRef): Answer => ({
  blocks: [],
  upTo: first > id ? allKeys.last : id,
  nowMs: 1_000,
});

/** A ring of some peers, and what they answer. @returns the first keys that they were asked for, too. */
function ownershipIn(answer: (first: Id, owner: PeerRef) => Answer, peers: readonly PeerRef[] = two) {
  const asked: Id[] = [];
  const call = (owner: PeerRef, _: string, { first }: RequestOf<'ownBlocks'>) => {
    asked.push(first);
    if (asked.length > 2 * limits.ownBlocksAnswers) throw new Error('asked for ever');
    return Promise.resolve({ response: answer(first, owner) });
  };
  const holders = (key: Id) => Promise.resolve([peers.find(({ id }) => key <= id) ?? peers[0]!]);
  const view = { holders, invalidate: () => undefined, suspect: () => undefined };
  const ownership = new RemoteOwnership({
    transport: { call } as unknown as Transport,
    view: view as unknown as RingView,
    clock: new VirtualClock(),
    random: seededRandom(1),
    log: silentLogger,
    retryForMs: 0,
  });
  const listed = async (): Promise<number> => {
    let blocks = 0;
    for await (const page of ownership.list()) blocks += page.blocks.length;
    return blocks;
  };
  return { ownership, asked, listed };
}

describe('client/remote-ownership', () => {
  const idOf = (number: number): Id => peerAt(number).id;

  it('asks every peer once, and the first of them for both ends of the ring', async () => {
    const { asked, listed } = ownershipIn(nothing);
    expect(await listed()).to.equal(0);
    expect(asked).to.deep.equal([allKeys.first, idOf(11), idOf(21)]);
  });

  it('goes on behind what was named', async () => {
    const { asked, listed } = ownershipIn((first, owner) =>
      first === idOf(11)
        ? { blocks: [idOf(12), idOf(15)].map(block), upTo: idOf(15), nowMs: 1 }
        : nothing(first, owner),
    );
    expect(await listed()).to.equal(2);
    expect(asked).to.deep.equal([allKeys.first, idOf(11), idOf(16), idOf(21)]);
  });

  it('learns from every peer whether it sees enough of the ring, with one question each, and the earliest clock', async () => {
    const { ownership, asked } = ownershipIn((first, owner) => ({
      ...nothing(first, owner),
      nowMs: owner === two[1] ? 5 : 1_000,
    }));
    expect(await ownership.requireMajority()).to.equal(5);
    expect(asked).to.deep.equal([idOf(10), idOf(20), allKeys.last]);
  });

  it('is told at once when one does not', async () => {
    const { ownership, asked } = ownershipIn((first, owner) => {
      if (owner === two[0]) return nothing(first, owner);
      throw new PeerStoreError('UNSETTLED', 'cut off', { retryAfterMs: 600_000 });
    });
    expect(await codeOf(ownership.requireMajority())).to.equal('UNSETTLED');
    expect(asked).to.have.length(2);
  });

  for (const [what, answer] of [
    ['stays where it is', (first: Id) => ({ blocks: [], upTo: first, nowMs: 1 })],
    ['creeps', (first: Id) => ({ blocks: [], upTo: keyAfter(first) ?? first, nowMs: 1 })],
    ['speaks for others', () => ({ blocks: [], upTo: idOf(15), nowMs: 1 })],
    [
      'goes back',
      (first: Id) => ({ blocks: [], upTo: first === allKeys.first ? idOf(1) : allKeys.first, nowMs: 1 }),
    ],
    ['names what is elsewhere', () => ({ blocks: [block(idOf(15))], upTo: idOf(10), nowMs: 1 })],
  ] as const) {
    it(`does not follow a peer that ${what}`, async () => {
      // Alone, so that creeping does not get to its end.
      const peers = what === 'creeps' ? [peerAt(0xffff_ffff)] : two;
      expect(await codeOf(ownershipIn(answer, peers).listed())).to.equal('PROTOCOL');
    }).timeout(60_000);
  }
});
