import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { RingView } from '../../src/client/ring-view.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { lookupStep } from '../../src/ring/routing.js';
import type { RingState } from '../../src/ring/state.js';
import type { MethodName, RequestOf, ResponseOf } from '../../src/wire/catalogue.js';
import type { Endpoint, Transport } from '../../src/wire/transport.js';
import { IdealRing } from '../sim/ideal-ring.js';
import { ManualClock } from '../wire/manual-clock.js';

interface Question {
  readonly peer: PeerRef;
  readonly method: MethodName;
}

/** A ring in which everybody answers at once; some are dead, some lie. */
class Stage {
  readonly ring: IdealRing;
  readonly clock = new ManualClock();
  readonly questions: Question[] = [];
  readonly dead = new Set<Id>();
  /** What liars say that their pointers are. */
  readonly lies = new Map<Id, RingState>();
  /** Liars that name nobody but each other. */
  readonly gang = new Set<Id>();

  constructor(count: number) {
    this.ring = new IdealRing(count, 16, seededRandom(count));
  }

  view(...entries: readonly PeerRef[]): RingView {
    return new RingView({
      transport: this.#transport(),
      clock: this.clock,
      random: seededRandom(1),
      entries: entries.map(({ address }) => ({ address })),
    });
  }

  order(key: Id): readonly Id[] {
    return [...this.ring.from(key)].map(({ id }) => id);
  }

  /** How many questions something asks. */
  async cost(work: () => Promise<unknown>): Promise<number> {
    const before = this.questions.length;
    await work();
    return this.questions.length - before;
  }

  #transport(): Transport {
    return {
      call: async (to: Endpoint, method: MethodName, request: unknown) => {
        await Promise.resolve();
        const peer = this.ring.peers.find(({ address }) => address === to.address);
        if (peer === undefined || this.dead.has(peer.id)) throw new PeerStoreError('UNREACHABLE', 'dead');
        if (to.id !== undefined && to.id !== peer.id) throw new PeerStoreError('NOT_ADMITTED', 'another');
        this.questions.push({ peer, method });
        return { response: this.#answer(peer, method, request), body: new Uint8Array() };
      },
      listen: () => Promise.reject(new Error('a client does not listen')),
      close: () => Promise.resolve(),
    } as unknown as Transport;
  }

  #answer(peer: PeerRef, method: MethodName, request: unknown): unknown {
    if (this.gang.has(peer.id)) return this.#lieOf(peer, method, request);
    const state = this.lies.get(peer.id) ?? this.ring.state(peer.id);
    const fingers = this.ring.fingers(peer.id);
    if (method === 'successorList') return state satisfies ResponseOf<'successorList'>;
    if (method === 'successor') {
      const { key } = request as RequestOf<'successor'>;
      return lookupStep(state, fingers, key);
    }
    const { after } = request as RequestOf<'knownPeers'>;
    return { peers: [...this.ring.from(after)].filter(({ id }) => id !== after).slice(0, 256) };
  }

  #lieOf(self: PeerRef, method: MethodName, request: unknown): unknown {
    const friends = (place: Id): PeerRef[] =>
      [...this.ring.from(place)].filter(({ id }) => this.gang.has(id) && id !== self.id && id !== place);
    const list = friends(self.id);
    const state = { self, predecessor: list.at(-1) ?? null, successors: list.slice(0, 16) };
    if (method === 'successorList') return state;
    if (method === 'successor') return lookupStep(state, list, (request as RequestOf<'successor'>).key);
    return { peers: friends((request as RequestOf<'knownPeers'>).after) };
  }
}

const key = (n: number): Id => hashToId(Buffer.from(`key ${n}`));
const idsOf = (peers: readonly PeerRef[]): Id[] => peers.map(({ id }) => id);

describe('client/ring-view', () => {
  for (const count of [1, 2, 3, 17]) {
    it(`sees a ring of ${count} whole with two questions, and asks no more for seconds`, async () => {
      const stage = new Stage(count);
      const view = stage.view(stage.ring.at(0));
      expect(await stage.cost(() => view.refresh())).to.equal(Math.min(2, count));
      const cost = await stage.cost(async () => {
        for (let n = 0; n < 50; n += 1) {
          expect(idsOf(await view.holders(key(n)))).to.deep.equal(stage.order(key(n)));
          expect(idsOf(await view.holders(key(n), 'two'))).to.deep.equal(stage.order(key(n)));
        }
      });
      expect(cost).to.equal(0);
      stage.clock.advance(6_000);
      expect(await stage.cost(() => view.holders(key(1)))).to.equal(Math.min(2, count));
    });
  }

  it('is not shown a smaller ring by one peer that leaves others out', async () => {
    const stage = new Stage(12);
    const liar = stage.ring.at(0);
    // It names itself and one friend for the whole ring.
    stage.lies.set(liar.id, { self: liar, predecessor: stage.ring.at(5), successors: [stage.ring.at(5)] });
    const view = stage.view(liar, stage.ring.at(3));
    for (let n = 0; n < 20; n += 1) {
      expect(idsOf(await view.holders(key(n), 'two'))).to.deep.equal(stage.order(key(n)));
    }
  });

  it('does not believe one peer about where all others are', async () => {
    const stage = new Stage(6);
    const liar = stage.ring.at(0);
    const { predecessor, successors } = stage.ring.state(liar.id);
    const nowhere = (peer: PeerRef): PeerRef => ({ ...peer, address: 'nowhere:1' });
    stage.lies.set(liar.id, {
      self: liar,
      predecessor: predecessor && nowhere(predecessor),
      successors: successors.map(nowhere),
    });
    const view = stage.view(stage.ring.at(3), liar);
    let misled = 0;
    for (let n = 0; n < 40; n += 1) {
      const [owner] = await view.holders(key(n), 'two');
      if (owner?.address === 'nowhere:1') misled += 1;
    }
    expect(misled).to.be.below(8);
  });

  it('asks somebody else when a list is out of order', async () => {
    const stage = new Stage(6);
    const [liar, honest] = [stage.ring.at(0), stage.ring.at(1)];
    const { predecessor, successors } = stage.ring.state(liar.id);
    stage.lies.set(liar.id, { self: liar, predecessor, successors: [...successors].reverse() });
    const view = stage.view(liar, honest);
    expect(idsOf(await view.holders(key(1)))).to.deep.equal(stage.order(key(1)));
    const alone = stage.view(liar);
    const failure = await alone.refresh().catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(PeerStoreError).with.property('code', 'UNREACHABLE');
  });

  it('does without a second peer when none answers', async () => {
    const stage = new Stage(3);
    for (const at of [1, 2]) stage.dead.add(stage.ring.at(at).id);
    const view = stage.view(stage.ring.at(0));
    expect(idsOf(await view.holders(key(1)))).to.have.members(stage.order(key(1)));
  });

  it('finds the peers that it has met when its entries are gone', async () => {
    const stage = new Stage(5);
    const entry = stage.ring.at(0);
    const view = stage.view(entry);
    await view.refresh();
    stage.dead.add(entry.id);
    view.suspect(entry);
    const holders = idsOf(await view.holders(entry.id));
    expect(holders.at(-1)).to.equal(entry.id);
    expect(holders).to.have.length(5);
  });

  it('asks one peer for a key in a large ring that it has come to know, and two for a write', async () => {
    const stage = new Stage(600);
    const view = stage.view(stage.ring.at(7));
    await view.holders(key(0));
    const pages = stage.questions.filter(({ method }) => method === 'knownPeers').length;
    expect(pages, 'three pages from each of two peers').to.be.at.most(6);
    for (let n = 1; n <= 40; n += 1) {
      const one = await stage.cost(async () => {
        expect((await view.holders(key(n)))[0]?.id).to.equal(stage.order(key(n))[0]);
      });
      // Some honest answer in a thousand is so thin that another one is asked for.
      expect(one).to.be.at.most(3);
      const two = await stage.cost(async () => {
        expect((await view.holders(key(n), 'two'))[0]?.id).to.equal(stage.order(key(n))[0]);
      });
      expect(two).to.be.at.most(3);
    }
    const total = await stage.cost(async () => {
      for (let n = 100; n < 200; n += 1) await view.holders(key(n));
    });
    expect(total).to.be.at.most(110);
  });

  it('gets to know the ring from two peers, so that one that lies does not show it its friends only', async () => {
    const stage = new Stage(600);
    for (let at = 0; at < 600; at += 10) stage.gang.add(stage.ring.at(at).id);
    const [liar, honest] = [stage.ring.at(10), stage.ring.at(7)];
    for (const entries of [
      [liar, honest],
      [honest, liar],
    ]) {
      const view = stage.view(...entries);
      let bent = 0;
      for (let n = 0; n < 100; n += 1)
        if ((await view.holders(key(n), 'two'))[0]?.id !== stage.order(key(n))[0]) bent += 1;
      expect(bent).to.be.below(10);
    }
  });

  it('is not led astray on a write by the peer before the key, which leaves the owner out', async () => {
    const stage = new Stage(600);
    const view = stage.view(stage.ring.at(7));
    await view.holders(key(0));
    let bent = 0;
    for (let n = 1; n <= 40; n += 1) {
      const [before] = [...stage.ring.from(key(n))].slice(-1);
      const { self, predecessor, successors } = stage.ring.state(before!.id);
      stage.lies.clear();
      stage.lies.set(self.id, { self, predecessor, successors: successors.slice(1) });
      if ((await view.holders(key(n)))[0]?.id !== stage.order(key(n))[0]) bent += 1;
      expect((await view.holders(key(n), 'two'))[0]?.id).to.equal(stage.order(key(n))[0]);
    }
    expect(bent).to.be.above(20);
  });

  it('asks along a second path when an answer is so thin that somebody may have been left out', async () => {
    const stage = new Stage(600);
    const view = stage.view(stage.ring.at(7));
    await view.holders(key(0));
    let mended = 0;
    for (let n = 1; n <= 40; n += 1) {
      const [before] = [...stage.ring.from(key(n))].slice(-1);
      // Its friends are every tenth peer.
      const friends = stage.ring.peers.filter((_, at) => at % 10 === 0);
      const at = friends.findIndex(({ id }) => id > before!.id);
      const successors = [...friends.slice(at), ...friends.slice(0, at)].slice(0, 16);
      stage.lies.clear();
      stage.lies.set(before!.id, { self: before!, predecessor: friends.at(at - 2)!, successors });
      if ((await view.holders(key(n)))[0]?.id === stage.order(key(n))[0]) mended += 1;
    }
    expect(mended).to.be.at.least(38);
  });

  it('names all members of a ring, and of a large one as many as are asked for', async () => {
    const small = new Stage(40);
    expect(idsOf(await small.view(small.ring.at(3)).members())).to.have.members(idsOf(small.ring.peers));
    const large = new Stage(600);
    expect(await large.view(large.ring.at(3)).members()).to.have.length(256);
  });
});
