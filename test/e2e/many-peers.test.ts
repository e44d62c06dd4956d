import { randomInt } from 'node:crypto';
import { join } from 'node:path';

import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { type Id, idFromBytes, parseId } from '../../src/ring/identifier.js';
import { firstFrom } from '../sim/lookups.js';
import { World } from '../sim/world.js';
import { Lab, type Peer } from './harness.js';
import { until } from './processes.js';
import { RingProbe } from './ring-probe.js';

const peerCount = 20;
const killCount = 6;
const keyCount = 1000;
/** The kills are spread over this time. */
const killingMs = 5_000;
/** A simulated ring is whole again within a few seconds of its own time. This one shares its machine. */
const agreedWithinMs = 60_000;

/** Decides which peers are killed, when, and which keys are looked up. */
const seed = randomInt(2 ** 32);

describe(`A ring of ${peerCount} processes, ${killCount} of them killed with -9 (seed ${seed})`, function () {
  this.timeout(300_000);
  const random = seededRandom(seed);
  const keys = Array.from({ length: keyCount }, () => idFromBytes(random.bytes(32)));
  let lab: Lab;
  let probe: RingProbe | undefined;
  let peers: readonly Peer[];

  before(async () => {
    lab = new Lab();
    const founder = await lab.peer('p1');
    peers = [founder, ...(await lab.peers(peerCount - 1, founder))];
    const ada = await lab.user('ada', founder);
    probe = await RingProbe.open(join(ada.home, '.config', 'peerstore', 'user.key'));
  });
  after(async () => {
    await probe?.close();
    await lab.close();
  });

  const inOrder = (some: readonly Peer[]): readonly string[] => some.map(({ id }) => id).sort();

  /** Whether every one of these peers names the next ones as its successors, as far as its list goes. */
  async function isWhole(some: readonly Peer[]): Promise<boolean> {
    const ids = inOrder(some);
    const seen = await Promise.all(some.map((peer) => probe!.pointers(peer.address)));
    return seen.every(({ self, successors }) => {
      const at = ids.indexOf(self.id);
      return successors.every(({ id }, place) => id === ids[(at + 1 + place) % ids.length]);
    });
  }

  it(`agrees with itself and with a simulated ring on the owners of ${keyCount} keys, asked at every survivor`, async () => {
    await until('the ring to be whole', () => isWhole(peers), 60_000);
    const victims = new Set<Peer>();
    while (victims.size < killCount) victims.add(peers[random.below(peers.length)]!);
    await Promise.all(
      [...victims].map(async (victim) => {
        await new Promise((resolve) => setTimeout(resolve, random.below(killingMs)));
        victim.kill('SIGKILL');
        await victim.ended;
      }),
    );
    const survivors = peers.filter((peer) => !victims.has(peer));

    const simulated = await simulatedOwners(peers, victims, keys);
    expect(simulated).to.deep.equal(
      keys.map((key) =>
        firstFrom(
          key,
          survivors.map(({ id }) => parseId(id)),
        ),
      ),
    );

    let last: readonly (readonly (Id | undefined)[])[] = [];
    const agree = async (): Promise<boolean> => {
      last = await Promise.all(survivors.map(({ address }) => probe!.owners(address, keys)));
      return last.every((owners) => owners.every((owner, at) => owner === simulated[at]));
    };
    await until('every survivor to know the owners', agree, agreedWithinMs).catch(() => undefined);
    for (const owners of last) expect(owners).to.deep.equal(simulated);
  });
});

/** The owners of keys in a simulated ring of the same peers, without the same victims. */
async function simulatedOwners(
  peers: readonly Peer[],
  victims: ReadonlySet<Peer>,
  keys: readonly Id[],
): Promise<readonly (Id | undefined)[]> {
  const world = new World({ seed });
  for (const { id } of peers) await world.grow(1, { id: parseId(id) });
  for (const [at, peer] of world.peers.entries()) if (victims.has(peers[at]!)) peer.crash();
  await world.untilIdeal();
  const owners: (Id | undefined)[] = [];
  for (const [at, key] of keys.entries()) {
    const seeker = world.live[at % world.live.length]!;
    owners.push((await world.clock.run(seeker.node.membership.lookup(key))).peers[0]?.id);
  }
  return owners;
}
