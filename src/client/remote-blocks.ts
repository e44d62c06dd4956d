/** Blocks in the ring: put, got and asked for, with every answer checked and every passing failure tried again. */
import PQueue from 'p-queue';

import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { sha256, toHex } from '../base/bytes.js';
import { type Id, type PeerRef, shortId, type Transport } from '../wire/index.js';
import { isPassing, retrying, type RetryOptions } from './retry.js';
import type { RingView } from './ring-view.js';

export interface RemoteOptions {
  readonly transport: Transport;
  readonly view: RingView;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How long a request is tried again while peers are busy or the ring is in motion. */
  readonly retryForMs: number;
  readonly signal?: AbortSignal;
}

/** Requests with bodies that a client has under way at once. */
const blocksAtOnce = 16;
/** Rounds through all holders before a block counts as missing: a ring in motion may name the wrong ones once. */
const readRounds = 3;

export class RemoteBlocks {
  readonly #options: RemoteOptions;
  readonly #retry: RetryOptions;
  readonly #queue = new PQueue({ concurrency: blocksAtOnce });

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#retry = options;
  }

  /**
   * Stores a block at a majority of its holders.
   * @returns whether any of them did not have it.
   * @throws PeerStoreError NO_SPACE, TOO_FEW_COPIES, UNREACHABLE, BUSY beyond the retries, CANCELLED.
   */
  async put(id: Id, bytes: Uint8Array): Promise<{ isNew: boolean }> {
    return this.#queue.add(() =>
      retrying(this.#retry, () =>
        this.#atOwner(id, async (owner) => {
          const { response } = await this.#options.transport.call(
            owner,
            'postBlock',
            { id },
            { ...this.#signal(), body: bytes },
          );
          return { isNew: response.isNew };
        }),
      ),
    );
  }

  /**
   * Which blocks a majority of their holders has; those are spared by every delete decided before now.
   * @throws PeerStoreError UNREACHABLE, BUSY beyond the retries, CANCELLED.
   */
  async has(ids: readonly Id[]): Promise<readonly boolean[]> {
    const present = new Map<Id, boolean>();
    await retrying(this.#retry, async () => {
      for (const { owner, keys } of await this.#byOwner(ids.filter((id) => !present.has(id)))) {
        const answer = await this.#at(owner, async () => {
          return (await this.#options.transport.call(owner, 'hasBlocks', { ids: keys }, this.#signal()))
            .response;
        });
        for (const [at, id] of keys.entries()) present.set(id, answer.present[at] === true);
      }
    });
    return ids.map((id) => present.get(id) === true);
  }

  /**
   * A block's bytes, or a part of them, from the first holder that has them. Whole blocks are checked against their
   * id; parts are sealed, and the seal is checked by whoever opens it.
   * @throws PeerStoreError MISSING when no holder that answers has it undamaged, UNREACHABLE, CANCELLED.
   */
  async get(id: Id, range?: { readonly offset: number; readonly length: number }): Promise<Uint8Array> {
    return this.#queue.add(() => this.#get(id, range));
  }

  async #get(
    id: Id,
    range: { readonly offset: number; readonly length: number } | undefined,
  ): Promise<Uint8Array> {
    const { view, transport, log } = this.#options;
    let lastError: unknown;
    for (let round = 0; round < readRounds; round += 1) {
      const holders = await retrying(this.#retry, () => view.holders(id, this.#options.signal));
      for (const holder of holders) {
        try {
          const { body } = await retryingBusy(this.#retry, () =>
            transport.call(holder, 'getBlock', { id, ...range }, this.#signal()),
          );
          if (range === undefined ? toHex(sha256(body)) === id : body.length === range.length) return body;
          lastError = new PeerStoreError(
            'DAMAGED',
            `block ${shortId(id)} came damaged from ${holder.address}`,
          );
          log.warn('a holder gave a damaged block; another one is asked', {
            block: shortId(id),
            peer: holder.address,
          });
        } catch (error) {
          if (hasCode(error, 'CANCELLED')) throw error;
          if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(holder);
          if (!hasCode(error, 'NOT_FOUND')) lastError = error;
        }
      }
      view.invalidate();
    }
    const reason = lastError === undefined ? 'no peer has it' : `the last failure: ${messageOf(lastError)}`;
    throw new PeerStoreError('MISSING', `block ${id} cannot be read: ${reason}`, { cause: lastError });
  }

  async #byOwner(ids: readonly Id[]): Promise<readonly { owner: PeerRef; keys: readonly Id[] }[]> {
    const groups = new Map<Id, { owner: PeerRef; keys: Id[] }[]>();
    for (const id of ids) {
      const owner = await this.#ownerOf(id);
      const batches = groups.get(owner.id) ?? [];
      groups.set(owner.id, batches);
      let batch = batches.at(-1);
      if (batch === undefined || batch.keys.length >= limits.hasBlocksIds) {
        batch = { owner, keys: [] };
        batches.push(batch);
      }
      batch.keys.push(id);
    }
    return [...groups.values()].flat();
  }

  async #ownerOf(key: Id): Promise<PeerRef> {
    const [owner] = await this.#options.view.holders(key, this.#options.signal);
    if (owner === undefined) throw new PeerStoreError('UNREACHABLE', 'the ring has no peer to store on');
    return owner;
  }

  async #atOwner<T>(key: Id, act: (owner: PeerRef) => Promise<T>): Promise<T> {
    const owner = await this.#ownerOf(key);
    return this.#at(owner, () => act(owner));
  }

  /** Does something at a peer, and lets the view know what its failure says about the ring. */
  async #at<T>(peer: PeerRef, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) this.#options.view.suspect(peer);
      else if (isPassing(error) && !hasCode(error, 'BUSY')) this.#options.view.invalidate();
      throw error;
    }
  }

  #signal(): { signal?: AbortSignal } {
    return this.#options.signal === undefined ? {} : { signal: this.#options.signal };
  }
}

/** Waits for a busy peer, and leaves every other failure to the caller. */
function retryingBusy<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  return retrying<{ value: T } | { error: unknown }>(options, async () => {
    try {
      return { value: await attempt() };
    } catch (error) {
      if (hasCode(error, 'BUSY')) throw error;
      return { error };
    }
  }).then((result) => {
    if ('error' in result) throw result.error;
    return result.value;
  });
}
