import { expect } from 'chai';

import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { hashToId, idFromNumber, idToNumber } from '../../src/ring/identifier.js';
import { World } from '../sim/world.js';
import { failureOf } from '../wire/helpers.js';
import { Town } from './town.js';

const shortRoster = {
  replicas: 3,
  rosterMs: 120_000,
  trashMs: 60_000,
  repairAfterMs: 60_000,
  scrubEveryMs: 86_400_000,
};

describe('node: blocks', () => {
  for (const count of [1, 2, 3, 8]) {
    it(`a block posted to a ring of ${count} is on its true holders, and nowhere else`, async () => {
      const town = await Town.of(count, count);
      for (let time = 0; time < 10; time += 1) {
        const block = town.block();
        const { isNew, copies } = await town.post(block.holders[0]!, block);
        await town.world.clock.runFor(1000);
        expect(isNew).to.equal(true);
        expect(copies).to.be.at.least(Math.floor(Math.min(3, count) / 2) + 1);
        expect(await town.holding(block.id)).to.have.members(block.holders);
      }
    });
  }

  it('copies go to distinct machines', async () => {
    const world = new World({ seed: 10 });
    const machines = [hashToId(utf8('m1')), hashToId(utf8('m2')), hashToId(utf8('m3'))];
    for (const machine of machines) await world.grow(4, { machine });
    await world.untilIdeal();
    const { transport } = world.user();
    for (let time = 0; time < 10; time += 1) {
      const body = utf8(`on machines ${time}`);
      const id = hashToId(body);
      const holders = world.trueHolders(id, 3);
      expect(new Set(holders.map(({ machine }) => machine)).size).to.equal(3);
      await world.clock.run(transport.call(holders[0]!, 'postBlock', { id }, { body }));
      await world.clock.runFor(1000);
      for (const peer of world.peers) {
        const isHolder = holders.some((holder) => holder.id === peer.id);
        expect((await peer.store.getBlock(id)) !== undefined).to.equal(isHolder);
      }
    }
  });

  it('copies go to distinct zones first', async () => {
    const world = new World({ seed: 11 });
    for (const zone of ['attic', 'attic', 'attic', 'attic', 'cellar', 'garden'])
      await world.grow(1, { zone });
    await world.untilIdeal();
    const { transport } = world.user();
    for (let time = 0; time < 10; time += 1) {
      const body = utf8(`in zones ${time}`);
      const id = hashToId(body);
      await world.clock.run(transport.call(world.trueOrder(id)[0]!, 'postBlock', { id }, { body }));
      await world.clock.runFor(1000);
      const zones: (string | undefined)[] = [];
      for (const { store, ref } of world.peers) {
        if ((await store.getBlock(id)) !== undefined) zones.push(ref.zone);
      }
      expect(zones.sort()).to.deep.equal(['attic', 'cellar', 'garden']);
    }
  });

  it('a majority acknowledges when one holder is dead, and a stand-in gets the copy', async () => {
    const town = await Town.of(12, 6);
    const block = town.block();
    block.holders[1]!.crash();
    expect((await town.post(block.holders[0]!, block)).copies).to.be.at.least(2);
    await town.world.clock.runFor(1000);
    expect(await town.holding(block.id)).to.have.length(3);
  });

  it('a majority acknowledges at once when one holder is silent, and the copy is given up when it is found dead', async () => {
    const town = await Town.of(13, 6);
    // More blocks than there may be late copies.
    const first = town.block();
    first.holders[1]!.pause();
    const silent = first.holders[1]!;
    const sinceMs = town.world.clock.monotonicMs();
    let posted = 0;
    while (posted < limits.copiesUnderWay + 10) {
      const block = town.block();
      if (block.holders[0] === silent || !block.holders.includes(silent)) continue;
      await town.post(block.holders[0]!, block);
      posted += 1;
      if (posted === 1) expect(town.world.clock.monotonicMs() - sinceMs).to.be.lessThan(100);
    }
    expect(town.world.clock.monotonicMs() - sinceMs).to.be.lessThan(20_000);
  });

  it('a majority acknowledges when one holder is full', async () => {
    const world = new World({ seed: 14 });
    await world.grow(2);
    await world.grow(1, { capacityBytes: 1 });
    await world.untilIdeal();
    const { transport } = world.user();
    for (let time = 0; time < 10; time += 1) {
      const body = utf8(`much ${time}`);
      const id = hashToId(body);
      const { response } = await world.clock.run(
        transport.call(world.trueOrder(id)[0]!, 'postBlock', { id }, { body }),
      );
      expect(response.copies).to.equal(2);
    }
  });

  it('says that there is no space when no majority has any, and keeps serving', async () => {
    const town = await Town.of(15, 3, { capacityBytes: limits.storedValueBytesMin });
    const block = town.block();
    await town.post(block.holders[0]!, block);
    const next = town.block();
    expect((await failureOf(town.post(next.holders[0]!, next))).code).to.equal('NO_SPACE');
    const { body } = await town.world.clock.run(
      town.user.transport.call(block.holders[0]!.ref, 'getBlock', { id: block.id }),
    );
    expect(Buffer.from(body).equals(block.body)).to.equal(true);
  });

  it('refuses a key that belongs to another peer, and bytes that do not have their hash', async () => {
    const town = await Town.of(16, 5);
    const block = town.block();
    const failure = await failureOf(town.post(block.holders[1]!, block));
    expect(failure.code).to.equal('NOT_RESPONSIBLE');
    expect(failure.retryAfterMs).to.be.greaterThan(0);
    const wrong = { id: block.id, body: utf8('something else') };
    expect((await failureOf(town.post(block.holders[0]!, wrong))).code).to.equal('DAMAGED');
    expect(await town.holding(block.id)).to.deep.equal([]);
  });

  it('a minority does not acknowledge writes alone, until the others were gone for longer than the roster counts', async () => {
    const town = await Town.of(17, 3, { policy: shortRoster });
    const [one, ...others] = town.world.peers;
    town.world.cut([one!], others);
    await town.world.clock.runFor(30_000);
    expect(one!.node.status().successors).to.deep.equal([]);
    const block = town.block();
    expect((await failureOf(town.post(one!, block))).code).to.equal('TOO_FEW_COPIES');
    // Off and on again, it still knows that it is not the whole ring.
    one!.crash();
    await town.world.clock.runFor(1_000_000);
    await town.world.clock.run(one!.restart());
    expect((await failureOf(town.post(one!, block))).code).to.equal('TOO_FEW_COPIES');
    await town.world.clock.runFor(shortRoster.rosterMs);
    expect((await town.post(one!, block)).copies).to.equal(1);
  });

  it('a majority part goes on acknowledging', async () => {
    const town = await Town.of(18, 3, { policy: shortRoster });
    const [one, ...others] = town.world.peers;
    town.world.cut([one!], others);
    await town.world.clock.runFor(30_000);
    const block = town.block();
    const owner = town.world
      .trueOrder(block.id)
      .map((ref) => town.at(ref))
      .find((peer) => peer !== one)!;
    expect((await town.post(owner, block)).copies).to.equal(2);
  });

  it('a peer that has lost the one before it takes nothing until it knows where its keys begin', async () => {
    const world = new World({ seed: 23 });
    await world.growInCrowds(24);
    const peer = world.live[5]!;
    const before = world.trueOrder(peer.id).at(-1)!;
    world.peers.find(({ id }) => id === before.id)!.crash();
    // Nobody tells it of another predecessor.
    world.fault = ({ kind, method, to }) =>
      kind === 'request' && method === 'notify' && to === peer.address ? 'lose' : undefined;
    await world.clock.runFor(20_000);
    expect(peer.state?.predecessor).to.equal(null);
    const body = utf8('a block');
    const { transport } = world.user();
    const post = () =>
      world.clock.run(transport.call(peer.ref, 'postBlock', { id: hashToId(body) }, { body }));
    expect((await failureOf(post())).code).to.equal('UNSETTLED');
    world.fault = () => undefined;
    await world.clock.runFor(10_000);
    expect((await failureOf(post())).code).to.equal('NOT_RESPONSIBLE');
  });

  it('a block that its owner gives up is gone from every holder', async () => {
    const town = await Town.of(21, 5);
    const block = town.block();
    await town.post(block.holders[0]!, block);
    await town.world.clock.runFor(1000);
    const { response } = await town.world.clock.run(
      town.user.transport.call(block.holders[0]!.ref, 'deleteBlock', {
        id: block.id,
        liveSetAtMs: town.world.clock.nowMs(),
      }),
    );
    expect(response.released).to.equal(true);
    expect(await town.holding(block.id)).to.deep.equal([]);
  });

  it('a block given up by a device whose clock is ahead is there when it is posted again', async () => {
    const town = await Town.of(31, 6);
    const { clock } = town.world;
    const block = town.block();
    await town.post(block.holders[0]!, block);
    await clock.runFor(1000);
    const givenUpAtMs = clock.nowMs();
    const request = { id: block.id, liveSetAtMs: givenUpAtMs + 300_000 };
    await clock.run(town.user.transport.call(block.holders[0]!.ref, 'deleteBlock', request));
    await clock.runFor(60_000);
    const postedAtMs = clock.nowMs();
    await town.post(block.holders[0]!, block);
    await clock.runFor(1000);
    expect(await town.holding(block.id)).to.have.members(block.holders);
    // Nor is it undone at a holder that has heard of the post and not yet of the delete.
    for (const { store } of block.holders) {
      const [ownership] = (await store.blockStates([block.id]))[0]!.ownerships;
      expect(ownership!.releasedAtMs).to.be.within(givenUpAtMs, postedAtMs - 1);
      expect(ownership!.touchedAtMs).to.be.within(postedAtMs, clock.nowMs());
    }
  });

  it('what a caller gave up is called off at the holders, too', async () => {
    const town = await Town.of(22, 3);
    const block = town.block();
    for (const holder of block.holders.slice(1)) holder.pause();
    const caller = new AbortController();
    const posting = failureOf(
      town.user.transport.call(
        block.holders[0]!.ref,
        'postBlock',
        { id: block.id },
        { body: block.body, signal: caller.signal },
      ),
    );
    await town.world.clock.runFor(500);
    expect(block.holders[0]!.node.status().pool.running).to.equal(1);
    caller.abort();
    await town.world.clock.runFor(100);
    expect((await posting).code).to.equal('CANCELLED');
    expect(block.holders[0]!.node.status().pool.running).to.equal(0);
  });
});

describe('node: records', () => {
  it('a record is on its true holders; a newer value replaces it, the same one changes nothing', async () => {
    const town = await Town.of(30, 6);
    for (const [sequence, value] of [
      [1, 'one'],
      [2, 'two'],
      [2, 'two'],
    ] as const) {
      const record = town.record(sequence, value);
      await town.write(record.holders[0]!, record);
      await town.world.clock.runFor(1000);
      for (const peer of town.world.peers) {
        const found = await peer.store.getRecord(record.id);
        expect(found?.sequence).to.equal(record.holders.includes(peer) ? sequence : undefined);
      }
    }
  });

  it('another value for the same number is a conflict, and so is an older one', async () => {
    const town = await Town.of(31, 6);
    const record = town.record(5, 'five');
    await town.write(record.holders[0]!, record);
    await town.world.clock.runFor(1000);
    for (const [sequence, value] of [
      [5, 'other'],
      [4, 'four'],
    ] as const) {
      const late = town.record(sequence, value);
      expect((await failureOf(town.write(late.holders[0]!, late))).code).to.equal('CONFLICT');
    }
  });

  it('a conflict is not outvoted by peers that have not heard of the record', async () => {
    const town = await Town.of(32, 8);
    const record = town.record(5, 'five');
    await town.write(record.holders[0]!, record);
    await town.world.clock.runFor(1000);
    const newcomer = town.world.peer({ id: record.id });
    await town.world.clock.run(newcomer.start(town.world.live.slice(0, 1)));
    await town.world.untilIdeal();
    const late = town.record(4, 'four');
    expect((await failureOf(town.write(newcomer, late))).code).to.equal('CONFLICT');
    const copies = await Promise.all(town.world.peers.map(({ store }) => store.getRecord(record.id)));
    expect(copies.filter((copy) => copy?.sequence === 5)).to.have.length(3);
    // The next value goes everywhere.
    const next = town.record(6, 'six');
    await town.write(newcomer, next);
  });

  it('a new value is accepted where the one before it is damaged', async () => {
    const town = await Town.of(37, 5);
    const record = town.record(1, 'one');
    const [owner] = record.holders;
    await town.write(owner!, record);
    await town.world.clock.runFor(1000);
    owner!.store.getRecord = () => Promise.reject(new PeerStoreError('DAMAGED', 'the record is damaged'));
    expect((await town.write(owner!, town.record(2, 'two'))).copies).to.be.at.least(2);
  });

  it('a conflict is heard of even if all holders are newcomers', async () => {
    const town = await Town.of(36, 8);
    const record = town.record(5, 'five');
    await town.write(record.holders[0]!, record);
    await town.world.clock.runFor(1000);
    // Repair, which would tell them of it, has not come to it yet.
    town.world.fault = ({ method }) => (method === 'compareRanges' ? 'lose' : undefined);
    const newcomers = [0n, 1n, 2n].map((place) =>
      town.world.peer({ id: idFromNumber(idToNumber(record.id) + place) }),
    );
    for (const peer of newcomers) await town.world.clock.run(peer.start(town.world.live.slice(0, 1)));
    const late = town.record(5, 'other');
    expect((await failureOf(town.write(newcomers[0]!, late))).code).to.equal('CONFLICT');
    await town.write(newcomers[0]!, town.record(6, 'six'));
  });

  it('only its writer may write a record, and it has to be what was signed', async () => {
    const town = await Town.of(33, 4);
    const record = town.record(1, 'mine');
    const stranger = town.world.user('eve');
    expect((await failureOf(town.write(record.holders[0]!, record, stranger))).code).to.equal('FORBIDDEN');
    const forged = { ...record, body: Uint8Array.from(record.body) };
    forged.body[70]! ^= 1;
    expect((await failureOf(town.write(record.holders[0]!, forged))).code).to.equal('DAMAGED');
    const elsewhere = { ...record, id: town.record(1, 'x', 'other').id };
    const holder = town.at(town.world.trueOrder(elsewhere.id)[0]);
    expect((await failureOf(town.write(holder, elsewhere))).code).to.equal('DAMAGED');
    for (const { store } of town.world.peers) expect(store.stats().records).to.equal(0);
  });

  it('a record for another peer is refused', async () => {
    const town = await Town.of(34, 5);
    const record = town.record(1, 'one');
    expect((await failureOf(town.write(record.holders[1]!, record))).code).to.equal('NOT_RESPONSIBLE');
  });
});

describe('node: who may say what', () => {
  it('a peer speaks for itself alone, and a user not at all', async () => {
    const town = await Town.of(40, 4);
    const [one, two, three] = town.world.peers;
    const before = two!.node.membership.state;
    const liar = town.world.network.transport({ kind: 'peer', ids: [one!.id], machine: one!.machine });
    const leave = { peer: three!.ref };
    const stolen = { ...one!.ref, machine: two!.machine };
    const attempts: readonly (() => Promise<unknown>)[] = [
      () => liar.call(two!.ref, 'notify', { peer: three!.ref }),
      () => liar.call(two!.ref, 'notify', { peer: stolen }),
      () => liar.call(two!.ref, 'notify', { peer: { ...three!.ref, machine: one!.machine } }),
      () => liar.call(two!.ref, 'leave', leave),
      () => liar.call(two!.ref, 'announce', { peer: three!.ref }),
      () => town.user.transport.call(two!.ref, 'notify', { peer: three!.ref }),
      () => town.user.transport.call(two!.ref, 'announce', { peer: three!.ref }),
      () => liar.call(two!.ref, 'probe', { suspect: one!.ref, accuser: three!.ref }),
      () => town.user.transport.call(two!.ref, 'probe', { suspect: two!.ref, accuser: three!.ref }),
      () => town.user.transport.call(two!.ref, 'leave', leave),
    ];
    for (const attempt of attempts) {
      expect((await failureOf(town.world.clock.run(attempt()))).code).to.equal('FORBIDDEN');
    }
    expect(two!.node.membership.state.successors.map(({ id }) => id)).to.deep.equal(
      before.successors.map(({ id }) => id),
    );
  });
});
