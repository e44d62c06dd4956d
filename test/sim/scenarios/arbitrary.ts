/**
 * Peers begin with pointers that are wrong in every way that a peer cannot see by itself: rings side by side, a ring that
 * goes round several times before it comes back, everybody pointing to one, to the dead, to nobody at all. As long as the
 * peers that they remember hang together, they become one ideal ring.
 */
import { limits } from '../../../src/base/limits.js';
import { randomFraction } from '../../../src/base/random.js';
import { idFromBytes } from '../../../src/ring/identifier.js';
import { drawMemories, drawPointers, pointerKinds } from '../arbitrary-pointers.js';
import { comeToRest, idealWithinMs } from '../ideal-check.js';
import { listRules } from '../rules.js';
import { type CommonOptions, commonFigures, LookupFigures, type Scenario } from '../scenario.js';
import { RingShape } from '../shape.js';
import { World } from '../world.js';

/** An ideal ring stays as it is; looked at for this long. */
const quietMs = 600_000;
/** For `--kind`: one of them, as the seed says. */
const anyKind = pointerKinds.length;

export const arbitrary = {
  summary: 'peers begin with wrong pointers, and become one ideal ring',
  own: { kind: anyKind },
  draw: (random) => ({ peers: 2 + random.below(random.below(2) === 0 ? 16 : 59) }),
  async run({ seed, peers: count = 24, kind = anyKind }: CommonOptions & { readonly kind?: number }) {
    const world = new World({ seed, rules: listRules });
    const { clock, random } = world;
    world.faults.conditions = { ...world.faults.conditions, delayMs: 50 ** randomFraction(random) };
    const drawnKind = random.below(anyKind);
    const pointerKind = pointerKinds[kind] ?? pointerKinds[drawnKind]!;
    const peers = Array.from({ length: count }, () => world.peer());
    const population = {
      peers: peers.map(({ ref }) => ref).sort((a, b) => (a.id < b.id ? -1 : 1)),
      ghosts: makeGhosts(world, random.below(count + 1)),
      listLength: limits.successorListLength,
    };
    const pointers = drawPointers(pointerKind, population, random);
    const memories = drawMemories(pointerKind, population, random);
    for (const peer of peers) peer.beginWith(pointers.get(peer.id)!, memories.get(peer.id)!);
    const started = Promise.all(peers.map((peer) => peer.start()));
    await clock.runUntil('all have begun', () => peers.every(({ state }) => state !== undefined), 1);
    const rings = RingShape.of(world.members()).rings.length;
    // What they begin with is no change.
    await clock.runUntil('all are watched', () => world.checker.live.size === count, 60_000);
    const figures = new LookupFigures();
    const withinMs = idealWithinMs(count + population.ghosts.length);
    const idealAfterMs = Math.round(await comeToRest(world, figures, { withinMs, quietMs }));
    await clock.run(started);
    return {
      violations: world.violations,
      figures: {
        ...commonFigures('arbitrary', world, figures),
        kind: pointerKind,
        ghosts: population.ghosts.length,
        rings,
        idealAfterMs,
      },
    };
  },
} satisfies Scenario;

/** Names of peers that cannot be reached: nobody listens there, somebody listens and says nothing, or it is another. */
function makeGhosts(world: World, count: number) {
  return Array.from({ length: count }, (_, at) => {
    const id = idFromBytes(world.random.bytes(32));
    const address = `10.1.${at >> 8}.${at & 255}:3001`;
    const manner = world.random.below(3);
    if (manner === 0) return { id, machine: id, address };
    if (manner === 1) {
      world.network.pause(address);
      return { id, machine: id, address };
    }
    return { id, machine: id, address: world.peers[world.random.below(world.peers.length)]!.address };
  });
}
