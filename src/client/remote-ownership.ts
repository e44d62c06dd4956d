/** What a user has in the ring, and the giving up of it. */
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
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
   * @throws PeerStoreError UNSETTLED when a peer may be cut off from those that know more; UNREACHABLE, BUSY beyond the
   *   retries, PROTOCOL, CANCELLED.
   */
  list(): AsyncGenerator<OwnBlocks, void> {
    return this.#round((from) => from);
  }

  /**
   * Asks every peer, once round, whether it sees enough of the ring, and has for as long as `limits.majorityHoldMs`, for
   * anything to be given up.
   * @returns the earliest time that any of their clocks showed.
   * @throws PeerStoreError as {@link list}.
   */
  async requireMajority(): Promise<number> {
    let earliestMs = Infinity;
    // The last key of each arc: one question to each peer, with one block at most in the answer.
    for await (const { nowMs } of this.#round((from, owner) => endOfArc(from, owner)))
      earliestMs = Math.min(earliestMs, nowMs);
    return earliestMs;
  }

  /** @param firstOf from where on to ask whoever is responsible for a key */
  async *#round(firstOf: (from: Id, owner: PeerRef) => Id): AsyncGenerator<OwnBlocks, void> {
    const answers = new Map<Id, number>();
    for (let from: Id | undefined = allKeys.first; from !== undefined;) {
      const key: Id = from;
      const { first, owner, response } = await this.#atOwner(key, async (peer, signal) => {
        const asked = firstOf(key, peer);
        const reply = await this.#options.transport.call(peer, 'ownBlocks', { first: asked }, { signal });
        return { first: asked, owner: peer, response: reply.response };
      });
      const { blocks, upTo, nowMs } = response;
      const count = (answers.get(owner.id) ?? 0) + 1;
      answers.set(owner.id, count);
      const end = endOfArc(first, owner);
      const isProgress = upTo === end || (upTo > first && upTo < end);
      // A part of an arc is many keys: whoever names one after the other would be asked for ever.
      if (
        !isProgress ||
        count > limits.ownBlocksAnswers ||
        blocks.some(({ id }) => id < first || id > upTo)
      ) {
        throw new PeerStoreError(
          'PROTOCOL',
          `the peer at ${owner.address} was asked what it has of you, and its answer is not one to that: nothing is given up beside it`,
        );
      }
      yield { blocks, nowMs };
      from = keyAfter(upTo);
    }
  }

  /**
   * Gives up a block, unless anybody touched it after a time.
   * @returns whether it is given up.
   * @throws PeerStoreError UNSETTLED when the peer may be cut off from those that know more; TOO_FEW_COPIES, UNREACHABLE,
   *   BUSY beyond the retries, CANCELLED.
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

/** The last key of those from `first` on that a peer is responsible for. */
function endOfArc(first: Id, { id }: PeerRef): Id {
  return first > id ? allKeys.last : id;
}
