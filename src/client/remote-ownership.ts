/** What a user has in the ring, and the giving up of it. */
import { hasCode, PeerStoreError } from '../base/errors.js';
import { allKeys, type Id, keyAfter, type PeerRef } from '../wire/index.js';
import { whileMember } from './member-call.js';
import type { RemoteOptions } from './remote-blocks.js';
import { isBusy, isPassing, retrying } from './retry.js';

export interface OwnBlock {
  readonly id: Id;
  readonly sizeBytes: number;
  /** When it was last posted or asked for, by the same clock as {@link OwnBlocks.nowMs}. */
  readonly touchedAtMs: number;
}

/** Some of the user's blocks, and what the clock of the peer showed that named them. */
export interface OwnBlocks {
  readonly blocks: readonly OwnBlock[];
  readonly nowMs: number;
}

export class RemoteOwnership {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /**
   * The user's blocks in the ring, once round, as the peers that are responsible for them know them.
   * @throws PeerStoreError UNREACHABLE, BUSY beyond the retries, PROTOCOL, CANCELLED.
   */
  async *list(): AsyncGenerator<OwnBlocks, void> {
    for (let from: Id | undefined = allKeys.first; from !== undefined;) {
      const asked: Id = from;
      const { response } = await this.#atOwner(asked, (owner, signal) =>
        this.#options.transport.call(owner, 'ownBlocks', { first: asked }, { signal }),
      );
      const { blocks, upTo, nowMs } = response;
      if (upTo < asked || blocks.some(({ id }) => id < asked || id > upTo))
        throw new PeerStoreError('PROTOCOL', 'a peer names blocks that it was not asked for');
      yield { blocks, nowMs };
      from = keyAfter(upTo);
    }
  }

  /**
   * Gives up a block, unless anybody touched it after a time.
   * @returns whether it is given up.
   * @throws PeerStoreError TOO_FEW_COPIES, UNREACHABLE, BUSY beyond the retries, CANCELLED.
   */
  async release(id: Id, liveSetAtMs: number): Promise<boolean> {
    const { response } = await this.#atOwner(id, (owner, signal) =>
      this.#options.transport.call(owner, 'deleteBlock', { id, liveSetAtMs }, { signal }),
    );
    return response.released;
  }

  /** Calls the peer responsible for a key. */
  #atOwner<T>(key: Id, call: (owner: PeerRef, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { view } = this.#options;
    return retrying(this.#options, async () => {
      const [owner] = await view.holders(key, 'two');
      if (owner === undefined) throw new PeerStoreError('UNREACHABLE', 'the ring has no peer to ask');
      try {
        return await whileMember(this.#options, owner, key, (signal) => call(owner, signal));
      } catch (error) {
        if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(owner);
        else if (isPassing(error) && !isBusy(error)) view.invalidate();
        throw error;
      }
    });
  }
}
