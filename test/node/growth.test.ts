import { expect } from 'chai';

import { World } from '../sim/world.js';

describe('node: growing a ring', () => {
  it('serves alone', async () => {
    const world = new World({ seed: 1 });
    const [peer] = await world.grow(1);
    expect(peer!.node.status().successors).to.deep.equal([]);
    await world.untilIdeal();
    expect(world.violations).to.deep.equal([]);
  });

  for (const count of [2, 3, 5, 30]) {
    it(`${count} peers that join one after the other become the ideal ring, and keep the rules on the way`, async () => {
      const world = new World({ seed: count });
      await world.grow(count);
      await world.untilIdeal();
      expect(world.violations).to.deep.equal([]);
    });

    it(`${count} peers that join at the same time become the ideal ring, and keep the rules on the way`, async () => {
      const world = new World({ seed: 100 + count });
      const [first] = await world.grow(1);
      const others = Array.from({ length: count - 1 }, () => world.peer());
      await world.clock.run(Promise.all(others.map((peer) => peer.start([first!]))));
      await world.untilIdeal();
      expect(world.violations).to.deep.equal([]);
    });
  }
});
