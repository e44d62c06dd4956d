import { expect } from 'chai';

import { brokenRules, ringRules, type RuleSet } from '../sim/rules.js';
import type { SimulatedPeer } from '../sim/peer.js';
import { smallRingRules } from '../sim/principals.js';
import { World } from '../sim/world.js';

const rules: RuleSet = {
  states: ringRules.states,
  shapes: { ...ringRules.shapes, ...smallRingRules.shapes },
};

const isInside = (peer: SimulatedPeer): boolean =>
  peer.isUp && peer.state !== undefined && peer.node.membership.isInside;

/** Peers come, crash, leave and come again, whoever they are: only the last member is spared. */
async function turmoil(seed: number, steps: number): Promise<World> {
  const world = new World({ seed });
  const { clock, random } = world;
  const broken: string[] = [];
  const onEvent = clock.onEvent;
  clock.onEvent = () => {
    onEvent();
    const members = world.peers.filter(isInside).map(({ state }) => ({ state: state!, alive: true }));
    for (const [rule, what] of brokenRules(members, rules))
      broken.push(`${clock.monotonicMs()}: ${rule}: ${what}`);
  };
  const pauseMs = 10 ** (1 + random.below(4));
  const underWay = new Set<Promise<unknown>>();
  await world.grow(1);
  for (let step = 0; step < steps; step += 1) {
    const inside = world.peers.filter(isInside);
    const victim = inside[random.below(inside.length)]!;
    const down = world.peers.filter(({ isUp }) => !isUp);
    if (inside.length > 1 && random.below(2) === 0) {
      victim.crash();
    } else if (world.live.length < 8) {
      const again = down.length > 0 && (world.peers.length >= 10 || random.below(2) === 0);
      const peer = again ? down[random.below(down.length)]! : world.peer();
      const start = peer.start([victim]).catch(() => peer.crash());
      underWay.add(start);
      void start.then(() => underWay.delete(start));
    }
    await clock.runFor(random.below(pauseMs));
    expect(broken.slice(0, 3), `seed ${seed}`).to.deep.equal([]);
  }
  while (underWay.size > 0) await clock.run(Promise.all(underWay));
  await world.untilIdeal();
  expect(broken.slice(0, 3), `seed ${seed}`).to.deep.equal([]);
  return world;
}

describe('node: a ring of a few', () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`knows all its members at every moment, whoever crashes and comes again (seed ${seed})`, async () => {
      await turmoil(seed, 40);
    });
  }

  it('is found by a newcomer whom only a peer that is lost had told of it', async () => {
    const world = new World({ seed: 7 });
    const { clock } = world;
    await world.grow(3);
    await world.untilIdeal();
    const [founder, second, third] = world.live;
    await clock.runFor(10_000);
    second!.crash();
    third!.crash();
    await clock.runFor(30_000);
    const newcomer = world.peer();
    await clock.run(newcomer.start([founder!]));
    founder!.crash();
    newcomer.crash();
    for (const peer of [newcomer, second!, third!]) await clock.run(peer.restart());
    await world.untilIdeal(180_000);
    expect(newcomer.state?.successors).to.have.length(2);
  });
});
