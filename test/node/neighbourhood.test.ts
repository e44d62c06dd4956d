import { expect } from 'chai';

import { answerTo, tagOf } from '../../src/node/neighbourhood.js';
import type { RingState } from '../../src/ring/state.js';
import { peerAt } from '../ring/fixtures.js';
import { World } from '../sim/world.js';

const pointers: RingState = { self: peerAt(1), predecessor: peerAt(9), successors: [peerAt(4), peerAt(9)] };

describe('node/neighbourhood', () => {
  it('pointers that differ in anything have another tag, and equal ones the same', () => {
    const others: RingState[] = [
      { ...pointers, self: { ...peerAt(1), address: 'other.example:3001' } },
      { ...pointers, predecessor: null },
      { ...pointers, successors: [peerAt(9)] },
      { ...pointers, successors: [peerAt(4), { ...peerAt(9), zone: 'attic' }] },
      { ...pointers, successors: [peerAt(4), { ...peerAt(9), machine: peerAt(7).machine }] },
      { self: peerAt(1), predecessor: peerAt(4), successors: [peerAt(9), peerAt(9)] },
    ];
    const text = (state: RingState): string => Buffer.from(tagOf(state)).toString('hex');
    expect(new Set([pointers, ...others].map(text)).size).to.equal(others.length + 1);
    expect(text({ ...pointers, successors: [...pointers.successors] })).to.equal(text(pointers));
  });

  it('who has seen them is only told that they are the same', () => {
    expect(answerTo(undefined, pointers)).to.equal(pointers);
    expect(answerTo(tagOf(pointers), pointers)).to.deep.equal({
      self: pointers.self,
      predecessor: null,
      successors: [],
      isSame: true,
    });
    const changed = { ...pointers, predecessor: peerAt(8) };
    expect(answerTo(tagOf(pointers), changed)).to.equal(changed);
  });

  it('a quiet ring sends its lists no more, and hears of the first change', async () => {
    const world = new World({ seed: 5 });
    await world.grow(6);
    await world.untilIdeal();
    const user = world.user().transport;
    const [peer] = world.live;
    const { response } = await world.clock.run(user.call({ address: peer!.address }, 'successorList', {}));
    const again = user.call({ address: peer!.address }, 'successorList', { seen: tagOf(response) });
    expect((await world.clock.run(again)).response).to.include({ isSame: true });
    await world.grow(1);
    const news = user.call({ address: peer!.address }, 'successorList', { seen: tagOf(response) });
    const { successors, isSame } = (await world.clock.run(news)).response;
    expect(isSame).to.equal(undefined);
    expect(successors).to.have.length(6);
  });
});
