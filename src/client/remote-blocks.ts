/** Blocks in the ring: put, got and asked for, with every answer checked and every passing failure tried again. */
import PQueue from 'p-queue';

import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { sha256, toHex } from '../base/bytes.js';
import { type Id, type PeerRef, type RequestOf, shortId, type Transport } from '../wire/index.js';
import { whileMember } from './member-call.js';
import { readersOf } from './readers.js';
import { isBusy, isPassing, retrying, type RetryOptions } from './retry.js';
import type { Paths, RingView } from './ring-view.js';

interface Range {
  readonly offset: number;
  readonly length: number;
}

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

/**
 * Peers whose bytes came wrong in one read, also when they had been told so, and what to say of each: they are not asked
 * again in it.
 */
type Liars = Map<Id, PeerStoreError>;

/** What one read is after. */
interface Wanted {
  readonly id: Id;
  readonly range: Range | undefined;
  readonly liars: Liars;
}

/** Requests with bodies that a client has under way at once. */
const blocksAtOnce = 16;
/** Requests without bodies. */
const questionsAtOnce = 16;
/** Rounds through all holders before a block counts as missing: a ring in motion may name the wrong ones once. */
const readRounds = 3;

export class RemoteBlocks {
  readonly #options: RemoteOptions;
  readonly #retry: RetryOptions;
  readonly #queue = new PQueue({ concurrency: blocksAtOnce });
  readonly #questions = new PQueue({ concurrency: questionsAtOnce });

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
    const { transport } = this.#options;
    return this.#queue.add(() =>
      retrying(this.#retry, async () => {
        const owner = await this.#ownerOf(id);
        const { response } = await this.#at(owner, id, (signal) =>
          transport.call(owner, 'postBlock', { id }, { signal, body: bytes }),
        );
        return { isNew: response.isNew };
      }),
    );
  }

  /**
   * Which blocks a majority of their holders has; those are spared by every delete decided before now.
   * @throws PeerStoreError UNREACHABLE, BUSY beyond the retries, CANCELLED.
   */
  async has(ids: readonly Id[]): Promise<readonly boolean[]> {
    const present = new Map<Id, boolean>();
    await retrying(this.#retry, async () => {
      const groups = await this.#byOwner(ids.filter((id) => !present.has(id)));
      // Each group's answers count, whatever the other groups' peers say.
      const asked = groups.map(({ owner, keys }) => this.#ask(owner, keys, present));
      const failed = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    });
    return ids.map((id) => present.get(id) === true);
  }

  /**
   * A block's bytes, or a part of them, from the first peer that has them, of the holders and those behind. Whole blocks
   * are checked against their id; parts are sealed, and the seal is checked by whoever opens it. Peers send what they have
   * unchecked: one whose block came damaged is told so, once, for it may have rotted there without anybody knowing.
   * @throws PeerStoreError MISSING when no peer that answers has it undamaged; UNREACHABLE when no peer answers; BUSY
   *   beyond the retries, CANCELLED.
   */
  async get(id: Id, range?: Range): Promise<Uint8Array> {
    let rounds = 0;
    const liars: Liars = new Map();
    const mayPass = (error: unknown): error is PeerStoreError =>
      isPassing(error) || (hasCode(error, 'MISSING') && rounds < readRounds);
    return this.#queue.add(() =>
      retrying(
        this.#retry,
        () => {
          rounds += 1;
          // That a block is nowhere is not believed on the word of one path.
          return this.#getFromAny({ id, range, liars }, rounds === 1 ? 'one' : 'two');
        },
        mayPass,
      ),
    );
  }

  /** One round: each peer in its turn. */
  async #getFromAny(wanted: Wanted, paths: Paths): Promise<Uint8Array> {
    const { view } = this.#options;
    const { id } = wanted;
    const failures: unknown[] = [];
    for await (const holder of readersOf(this.#options, id, paths)) {
      try {
        return await this.#getFrom(holder, wanted);
      } catch (error) {
        if (hasCode(error, 'CANCELLED')) throw error;
        failures.push(error);
      }
    }
    view.invalidate();
    const busy = failures.find(isBusy);
    if (busy !== undefined) throw busy;
    const telling = failures.find((error) => !hasCode(error, 'NOT_FOUND'));
    const reason = telling === undefined ? 'no peer has it' : `a failure on the way: ${messageOf(telling)}`;
    throw new PeerStoreError('MISSING', `block ${id} cannot be read: ${reason}`, { cause: telling });
  }

  async #getFrom(holder: PeerRef, { id, range, liars }: Wanted): Promise<Uint8Array> {
    const lie = liars.get(holder.id);
    if (lie !== undefined) throw lie;
    const body = await this.#bytesFrom(holder, { id, ...range });
    if (range === undefined ? isBlock(id, body) : body.length === range.length) return body;
    const [block, peer] = [shortId(id), holder.address];
    this.#options.log.warn('a holder gave a damaged block', { block, peer });
    if (range === undefined) {
      const again = await this.#bytesFrom(holder, { id, isDoubted: true });
      if (isBlock(id, again)) return again;
    }
    const damaged = new PeerStoreError('DAMAGED', `block ${block} came damaged from ${peer}`);
    liars.set(holder.id, damaged);
    throw damaged;
  }

  async #bytesFrom(holder: PeerRef, request: RequestOf<'getBlock'>): Promise<Uint8Array> {
    const { transport } = this.#options;
    const { body } = await this.#at(holder, request.id, (signal) =>
      transport.call(holder, 'getBlock', request, { signal }),
    );
    return body;
  }

  /** Asks the peer responsible for these blocks which of them are stored. */
  async #ask(owner: PeerRef, keys: readonly Id[], present: Map<Id, boolean>): Promise<void> {
    const [first] = keys;
    if (first === undefined) return;
    const { response } = await this.#questions.add(() =>
      this.#at(owner, first, (signal) =>
        this.#options.transport.call(owner, 'hasBlocks', { ids: keys }, { signal }),
      ),
    );
    for (const [at, id] of keys.entries()) present.set(id, response.present[at] === true);
  }

  async #byOwner(ids: readonly Id[]): Promise<readonly { owner: PeerRef; keys: readonly Id[] }[]> {
    const owners = await Promise.all(ids.map((id) => this.#questions.add(() => this.#ownerOf(id))));
    const groups = new Map<Id, { owner: PeerRef; keys: Id[] }[]>();
    for (const [at, id] of ids.entries()) {
      const owner = owners[at];
      if (owner === undefined) throw new Error('broken rule: every block has an owner');
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

  /** Whom to store a block with, or to ask whether it is stored: a wrong answer would lose it. */
  async #ownerOf(key: Id): Promise<PeerRef> {
    const [owner] = await this.#options.view.holders(key, 'two');
    if (owner === undefined) throw new PeerStoreError('UNREACHABLE', 'the ring has no peer to store on');
    return owner;
  }

  /** Calls a peer as a holder of a key, and lets the view know what its failure says about the ring. */
  async #at<T>(peer: PeerRef, key: Id, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await whileMember(this.#options, peer, key, call);
    } catch (error) {
      if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) this.#options.view.suspect(peer);
      else if (isPassing(error) && !isBusy(error)) this.#options.view.invalidate();
      throw error;
    }
  }
}

function isBlock(id: Id, bytes: Uint8Array): boolean {
  return toHex(sha256(bytes)) === id;
}
