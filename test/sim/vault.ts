/** What people have stored in a ring, and what of it is on which disks: read off the disks, so that nobody can be wrong. */
import { utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { SimulatedPeer } from './peer.js';
import type { SimulatedUser, World } from './world.js';

/** One block that was acknowledged. */
export interface Stored {
  readonly id: Id;
  readonly bytes: Uint8Array;
  readonly acknowledgedAtMs: number;
}

export class Vault {
  readonly #world: World;
  readonly #user: SimulatedUser;
  readonly #blocks = new Map<Id, Stored>();
  readonly #deleted = new Map<Id, Stored>();
  readonly #blockBytes: number;
  #written = 0;

  constructor(world: World, blockBytes: number) {
    this.#world = world;
    this.#user = world.user('keeper');
    this.#blockBytes = blockBytes;
  }

  /** What was acknowledged, and not deleted since. */
  get blocks(): readonly Stored[] {
    return [...this.#blocks.values()];
  }

  /** What was deleted, as far as that was acknowledged. */
  get deleted(): readonly Stored[] {
    return [...this.#deleted.values()];
  }

  /** Writes a new block, if the ring takes it. @returns whether it was acknowledged. */
  async write(): Promise<boolean> {
    this.#written += 1;
    const bytes = Buffer.alloc(this.#blockBytes, utf8(`value ${this.#written} `));
    const id = hashToId(bytes);
    const owner = this.#ownerOf(id);
    if (owner === undefined) return false;
    return this.#try(async () => {
      await this.#user.transport.call(owner.ref, 'postBlock', { id }, { body: bytes });
      this.#blocks.set(id, { id, bytes, acknowledgedAtMs: this.#world.clock.monotonicMs() });
    });
  }

  /** Deletes a block, if the ring does. @returns whether it was acknowledged. */
  async delete(block: Stored): Promise<boolean> {
    const owner = this.#ownerOf(block.id);
    if (owner === undefined) return false;
    // Whether it is done or not: from now on nobody may count on it.
    this.#blocks.delete(block.id);
    return this.#try(async () => {
      const request = { id: block.id, liveSetAtMs: this.#world.clock.nowMs() };
      const { response } = await this.#user.transport.call(owner.ref, 'deleteBlock', request);
      if (response.released) this.#deleted.set(block.id, block);
    });
  }

  /** How many disks have a block whole, running or not. */
  async disksWith({ id }: Stored): Promise<readonly SimulatedPeer[]> {
    const found: SimulatedPeer[] = [];
    for (const peer of this.#world.peers)
      if (peer.store.stats().blocks > 0 && (await holds(peer, id))) found.push(peer);
    return found;
  }

  #ownerOf(id: Id): SimulatedPeer | undefined {
    const owner = this.#world.trueOrder(id).find((ref) => this.#world.peerOf(ref.id)?.isInside === true);
    return owner === undefined ? undefined : this.#world.peerOf(owner.id);
  }

  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof PeerStoreError) return false;
      throw error;
    }
  }
}

/** Whether a disk has a block with the right bytes. */
async function holds({ store }: SimulatedPeer, id: Id): Promise<boolean> {
  try {
    const found = await store.getBlock(id);
    return found !== undefined && hashToId(found.bytes) === id;
  } catch (error) {
    // Rotten, and noticed just now.
    if (error instanceof PeerStoreError) return false;
    throw error;
  }
}
