import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { hasCode } from '../../src/base/errors.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { Store } from '../../src/store/store.js';
import { World } from '../sim/world.js';
import { failureOf } from '../wire/helpers.js';

const onePool = { pool: { workers: 1, queueLength: 2 } };

/** A store on a slow disk. */
function slow(world: World, inner: Store, delayMs: number): Store {
  const wait = (): Promise<void> => new Promise((resolve) => world.clock.setTimer(delayMs, resolve));
  const putBlock: Store['putBlock'] = async (...args) => {
    await wait();
    return inner.putBlock(...args);
  };
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'putBlock') return putBlock;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A block for a peer, out of many. */
function blockFor(world: World, owner: Id, number: number): { id: Id; body: Uint8Array } {
  for (let salt = 0; ; salt += 1) {
    const body = utf8(`work ${number} ${salt}`);
    const id = hashToId(body);
    if (world.trueOrder(id)[0]?.id === owner) return { id, body };
  }
}

describe('node: work', () => {
  it('beyond the queue a peer says BUSY at once, and goes on answering pings and ring requests', async () => {
    const world = new World({ seed: 1 });
    const peer = world.peer(onePool);
    peer.store = slow(world, peer.store, 1000);
    await world.clock.run(peer.start());
    const { transport } = world.user();
    const posts = Array.from({ length: 10 }, (_, at) => {
      const { id, body } = blockFor(world, peer.id, at);
      return transport.call(peer.ref, 'postBlock', { id }, { body }).then(
        () => 'stored',
        (error: unknown) => {
          if (!hasCode(error, 'BUSY')) throw error;
          expect(error.retryAfterMs).to.be.greaterThan(0);
          return error.code;
        },
      );
    });
    await world.clock.runFor(50);
    expect(peer.node.status().pool).to.deep.include({ running: 1, waiting: 2, refused: 7 });
    const sinceMs = world.clock.monotonicMs();
    await world.clock.run(transport.call(peer.ref, 'ping', {}));
    await world.clock.run(transport.call(peer.ref, 'successorList', {}));
    expect(world.clock.monotonicMs() - sinceMs).to.be.lessThan(100);
    const outcomes = await world.clock.run(Promise.all(posts));
    expect(outcomes.filter((outcome) => outcome === 'stored')).to.have.length(3);
    expect(outcomes.filter((outcome) => outcome === 'BUSY')).to.have.length(7);
  });

  it('peers with one worker each that all fan out to each other finish, and every write is whole', async () => {
    const world = new World({ seed: 2 });
    for (let at = 0; at < 3; at += 1) {
      const peer = world.peer({ pool: { workers: 1, queueLength: 100 } });
      peer.store = slow(world, peer.store, 20);
      await world.clock.run(peer.start(world.live.slice(0, 1).filter((one) => one !== peer)));
    }
    await world.untilIdeal();
    const { transport } = world.user();
    const posts = world.peers.flatMap((peer) =>
      Array.from({ length: 50 }, (_, at) => {
        const { id, body } = blockFor(world, peer.id, at);
        return transport
          .call(peer.ref, 'postBlock', { id }, { body })
          .then(({ response }) => response.copies);
      }),
    );
    const copies = await world.clock.run(Promise.all(posts), 60_000);
    expect(Math.min(...copies)).to.be.at.least(2);
    await world.clock.runFor(30_000);
    for (const { store } of world.peers) expect(store.stats().blocks).to.equal(150);
  });

  it('a busy holder is asked again before somebody stands in for it', async () => {
    const world = new World({ seed: 3 });
    for (let at = 0; at < 5; at += 1) {
      const peer = world.peer({ pool: { workers: 1, queueLength: 1 } });
      peer.store = slow(world, peer.store, 20);
      await world.clock.run(peer.start(world.live.slice(0, 1).filter((one) => one !== peer)));
    }
    await world.untilIdeal();
    const owner = world.peers[0]!;
    const holder = world.peers.find(({ id }) => id === world.trueOrder(owner.id)[1]?.id)!;
    // Other peers keep the holder busy for a while.
    const other = world.network.transport({ kind: 'peer', ids: [owner.id], machine: owner.machine });
    const noise = Array.from({ length: 2 }, (_, at) => {
      const body = utf8(`noise ${at}`);
      const request = { id: hashToId(body), owner: owner.id };
      return other.call(holder.ref, 'postBlock', request, { body });
    });
    await world.clock.runFor(10);
    const { id, body } = blockFor(world, owner.id, 1);
    const { transport } = world.user();
    await world.clock.run(transport.call(owner.ref, 'postBlock', { id }, { body }));
    await world.clock.run(Promise.all(noise));
    await world.clock.runFor(5_000);
    const holders = world.trueHolders(id, 3).map((ref) => ref.id);
    for (const peer of world.peers) {
      expect((await peer.store.getBlock(id)) !== undefined).to.equal(holders.includes(peer.id));
    }
  });

  it('a peer that stops finishes what it has in hand, late copies included', async () => {
    const world = new World({ seed: 4 });
    for (let at = 0; at < 3; at += 1) {
      const peer = world.peer();
      peer.store = slow(world, peer.store, 500);
      await world.clock.run(peer.start(world.live.slice(0, 1).filter((one) => one !== peer)));
    }
    await world.untilIdeal();
    const owner = world.peers[0]!;
    const { transport } = world.user();
    const { id, body } = blockFor(world, owner.id, 1);
    const posting = transport.call(owner.ref, 'postBlock', { id }, { body });
    await world.clock.runFor(100);
    const stopping = owner.stop();
    expect((await world.clock.run(posting)).response.copies).to.be.at.least(2);
    await world.clock.run(stopping);
    for (const { store } of world.peers) expect(await store.getBlock(id)).not.to.equal(undefined);
    const failure = await failureOf(world.clock.run(transport.call(owner.ref, 'ping', {})));
    expect(failure.code).to.equal('UNREACHABLE');
  });

  it('a stopped peer leaves nothing behind that happens', async () => {
    const world = new World({ seed: 5 });
    const peers = await world.grow(3);
    await world.untilIdeal();
    await world.clock.runFor(60_000);
    for (const peer of peers) await world.clock.run(peer.stop());
    await world.clock.runFor(60_000);
    const events = world.clock.events;
    await world.clock.runFor(3_600_000);
    expect(world.clock.events).to.equal(events);
  });

  it('requests that arrive while a peer is on its way in are asked to come back', async () => {
    const world = new World({ seed: 6 });
    const [first] = await world.grow(3);
    await world.untilIdeal();
    const newcomer = world.peer();
    world.fault = ({ from, kind }) => (from === newcomer.address && kind === 'request' ? 'lose' : undefined);
    const starting = newcomer.start([first!]);
    await world.clock.runFor(100);
    const { transport } = world.user();
    const { id, body } = { id: newcomer.id, body: utf8('x') };
    await world.clock.run(transport.call(newcomer.ref, 'ping', {}));
    const attempts: readonly (() => Promise<unknown>)[] = [
      () => transport.call(newcomer.ref, 'successor', { key: id }),
      () => transport.call(newcomer.ref, 'successorList', {}),
      () => transport.call(newcomer.ref, 'predecessor', {}),
      () => transport.call(newcomer.ref, 'postBlock', { id: hashToId(body) }, { body }),
    ];
    for (const attempt of attempts) {
      const failure = await failureOf(world.clock.run(attempt()));
      expect(failure.code).to.equal('UNSETTLED');
      expect(failure.retryAfterMs).to.be.greaterThan(0);
    }
    world.heal();
    await world.clock.run(starting);
    await world.untilIdeal();
    expect(world.violations).to.deep.equal([]);
  });

  it('a peer that restarts between two of a client is never taken for an empty ring', async () => {
    const world = new World({ seed: 7 });
    const peers = await world.grow(4);
    await world.untilIdeal();
    await world.clock.runFor(10_000);
    const { transport } = world.user();
    const peer = peers[3]!;
    peer.crash();
    const restarted = peer.restart();
    let answers = 0;
    for (let time = 0; time < 200; time += 1) {
      const found = await world.clock.run(
        transport.call(peer.ref, 'successorList', {}).then(
          ({ response }) => response.successors.length,
          () => undefined,
        ),
      );
      if (found === undefined) continue;
      answers += 1;
      expect(found).to.equal(3);
    }
    expect(answers).to.be.greaterThan(0);
    await world.clock.run(restarted);
  });
});
