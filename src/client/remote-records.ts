/** Records in the ring: what a majority of the holders says, and what a majority has accepted. */
import { toHex } from '../base/bytes.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { openRecord, recordId, type SignedRecord } from '../identity/record.js';
import { type Id, type PeerRef, shortId } from '../wire/index.js';
import { whileMember } from './member-call.js';
import { readersOf } from './readers.js';
import type { RemoteOptions } from './remote-blocks.js';
import { retrying } from './retry.js';
import type { Paths } from './ring-view.js';
import type { SeenRecords } from './seen-records.js';

/** What one holder said of a record. */
type Vote = { readonly kind: 'record'; readonly record: SignedRecord } | { readonly kind: 'none' | 'failed' };

/** How much longer than the holders, when all of them have a record, the peers behind them are waited for. */
const standInsMs = 1_000;

export interface RemoteRecordsOptions extends RemoteOptions {
  /** Copies that the ring's policy asks for. */
  readonly replicas: number;
  /** Told of what was read and written. */
  readonly seen: SeenRecords;
}

export class RemoteRecords {
  readonly #options: RemoteRecordsOptions;

  constructor(options: RemoteRecordsOptions) {
    this.#options = options;
  }

  /**
   * The newest record of this kind, writer and name, of all that the holders and the peers behind them have: which of
   * them an earlier value was written to does not say where the newest is. Those behind are not waited for much longer
   * than the holders, if these all have it.
   * @returns undefined when there is none, or it was deleted.
   * @throws PeerStoreError UNREACHABLE when too few peers answer to be sure, CANCELLED.
   */
  async get(kind: string, writer: Uint8Array, name: string): Promise<SignedRecord | undefined> {
    const id = recordId(kind, writer, name);
    return retrying(this.#options, async () => {
      // That there is none is not believed on the word of one path.
      return (await this.#newest(id, 'one')) ?? (await this.#newest(id, 'two'));
    });
  }

  /** @throws PeerStoreError UNREACHABLE when too few peers answer to be sure. */
  async #newest(id: Id, paths: Paths): Promise<SignedRecord | undefined> {
    const votes = await this.#votes(id, paths);
    const majority = Math.floor(Math.min(this.#options.replicas, votes.length) / 2) + 1;
    if (votes.filter(({ kind: vote }) => vote !== 'failed').length < majority) {
      this.#options.view.invalidate();
      throw new PeerStoreError(
        'UNREACHABLE',
        `too few of the peers that hold record ${shortId(id)} answer to be sure of its newest value`,
      );
    }
    const newest = newestOf(votes);
    if (newest !== undefined) this.#options.seen.note(id, newest.sequence);
    return newest;
  }

  /**
   * Writes a signed record.
   * @throws PeerStoreError CONFLICT when another value was accepted for its number or a higher one; NO_SPACE,
   *   TOO_FEW_COPIES, UNREACHABLE, BUSY beyond the retries, CANCELLED.
   */
  async put(bytes: Uint8Array): Promise<void> {
    const record = openRecord(bytes);
    const id = recordId(record.kind, record.writer, record.name);
    const { transport, view } = this.#options;
    await retrying(this.#options, async () => {
      const [owner] = await view.holders(id, 'two');
      if (owner === undefined) throw new PeerStoreError('UNREACHABLE', 'the ring has no peer to store on');
      const method = record.deleted ? 'deleteRecord' : 'postRecord';
      try {
        await whileMember(this.#options, owner, id, (signal) =>
          transport.call(owner, method, { id }, { signal, body: bytes }),
        );
      } catch (error) {
        if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(owner);
        else view.invalidate();
        throw error;
      }
    });
    this.#options.seen.note(id, record.sequence);
  }

  /** What each of the peers says that may have a record. */
  async #votes(id: Id, paths: Paths): Promise<readonly Vote[]> {
    const { clock, replicas, signal } = this.#options;
    const enough = new AbortController();
    const until = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
    const asked: Promise<Vote>[] = [];
    for await (const peer of readersOf(this.#options, id, paths)) asked.push(this.#ask(peer, id, until));
    const holders = await Promise.all(asked.slice(0, replicas));
    const areSettled = holders.every(({ kind }) => kind === 'record');
    const timer = areSettled ? clock.setTimer(standInsMs, () => enough.abort()) : undefined;
    try {
      return await Promise.all(asked);
    } finally {
      timer?.cancel();
    }
  }

  /** Never rejects: a question that was cancelled has failed, too. */
  async #ask(holder: PeerRef, id: Id, signal: AbortSignal): Promise<Vote> {
    const { transport, view, log } = this.#options;
    try {
      const { body } = await whileMember({ ...this.#options, signal }, holder, id, (until) =>
        transport.call(holder, 'getRecord', { id }, { signal: until }),
      );
      return { kind: 'record', record: openRecord(body, id) };
    } catch (error) {
      if (hasCode(error, 'NOT_FOUND')) return { kind: 'none' };
      if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(holder);
      log.debug('a holder of a record did not answer', { peer: holder.address, error: messageOf(error) });
      return { kind: 'failed' };
    }
  }
}

/** The record with the highest number; where peers have accepted different ones for it, the one that most have. */
function newestOf(votes: readonly Vote[]): SignedRecord | undefined {
  const candidates = new Map<string, { readonly record: SignedRecord; holders: number }>();
  for (const vote of votes) {
    if (vote.kind !== 'record') continue;
    const { sequence, timeMs, deleted, value } = vote.record;
    const key = `${sequence} ${timeMs} ${deleted} ${toHex(value)}`;
    const candidate = candidates.get(key);
    if (candidate === undefined) candidates.set(key, { record: vote.record, holders: 1 });
    else candidate.holders += 1;
  }
  const [newest] = [...candidates.values()].sort(
    (a, b) => b.record.sequence - a.record.sequence || b.holders - a.holders,
  );
  return newest?.record;
}
