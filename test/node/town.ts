import { utf8 } from '../../src/base/bytes.js';
import type { SigningKey } from '../../src/identity/keys.js';
import { recordId, signRecord } from '../../src/identity/record.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { SimulatedPeer, SimulatedPeerOptions } from '../sim/peer.js';
import { type SimulatedUser, World } from '../sim/world.js';

/** An ideal ring, a user, and what the tests do with them. */
export class Town {
  readonly world: World;
  readonly user: SimulatedUser;
  #values = 0;

  private constructor(world: World) {
    this.world = world;
    this.user = world.user();
  }

  static async of(seed: number, count: number, options: SimulatedPeerOptions = {}): Promise<Town> {
    const world = new World({ seed });
    await world.grow(count, options);
    await world.untilIdeal();
    return new Town(world);
  }

  at(ref: PeerRef | undefined): SimulatedPeer {
    return this.world.peers.find(({ id }) => id === ref?.id)!;
  }

  /** A new block, its id, and its true holders. */
  block(copies = 3): { body: Uint8Array; id: Id; holders: SimulatedPeer[] } {
    this.#values += 1;
    const body = utf8(`block ${this.#values}`);
    const id = hashToId(body);
    return { body, id, holders: this.world.trueHolders(id, copies).map((ref) => this.at(ref)) };
  }

  record(sequence: number, value: string, name = 'name', key: SigningKey = this.user.key) {
    const body = signRecord(key, {
      kind: 'test',
      name,
      sequence,
      timeMs: 0,
      deleted: false,
      value: utf8(value),
    });
    const id = recordId('test', key.publicKey, name);
    return { body, id, holders: this.world.trueHolders(id, 3).map((ref) => this.at(ref)) };
  }

  post(to: SimulatedPeer, { id, body }: { id: Id; body: Uint8Array }, user = this.user) {
    return this.world.clock.run(
      user.transport.call(to.ref, 'postBlock', { id }, { body }).then(({ response }) => response),
    );
  }

  write(to: SimulatedPeer, { id, body }: { id: Id; body: Uint8Array }, user = this.user) {
    return this.world.clock.run(
      user.transport.call(to.ref, 'postRecord', { id }, { body }).then(({ response }) => response),
    );
  }

  /** The peers that have a block now. */
  async holding(id: Id): Promise<SimulatedPeer[]> {
    const found: SimulatedPeer[] = [];
    for (const peer of this.world.peers) if ((await peer.store.getBlock(id)) !== undefined) found.push(peer);
    return found;
  }

  /** Whatever a peer sends takes two seconds from now on. @returns how long it has at the most not compared its keys. */
  slowDown(peer: SimulatedPeer): () => number {
    const { clock, faults } = this.world;
    faults.delayMs = (from) => (from === peer.address ? 2_000 : 1);
    let lookedAtMs = clock.monotonicMs();
    let longestMs = 0;
    this.world.fault = ({ kind, method, from }) => {
      if (kind === 'request' && method === 'compareRanges' && from === peer.address) {
        longestMs = Math.max(longestMs, clock.monotonicMs() - lookedAtMs);
        lookedAtMs = clock.monotonicMs();
      }
      return undefined;
    };
    return () => longestMs;
  }
}
