/** Records in the ring: what a majority of the holders says, and what a majority has accepted. */
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { openRecord, recordId, type SignedRecord } from '../identity/record.js';
import { type Id, type PeerRef, shortId } from '../wire/index.js';
import { whileMember } from './member-call.js';
import type { RemoteOptions } from './remote-blocks.js';
import { retrying } from './retry.js';

/** What one holder said of a record. */
type Vote = { readonly kind: 'record'; readonly record: SignedRecord } | { readonly kind: 'none' | 'failed' };

export class RemoteRecords {
  readonly #options: RemoteOptions & { readonly replicas: number };

  /** @param options.replicas copies that the ring's policy asks for */
  constructor(options: RemoteOptions & { readonly replicas: number }) {
    this.#options = options;
  }

  /**
   * The newest record of this kind, writer and name. The holders are asked as long as fewer than a majority of the
   * copies has answered, and all of them before it is said that there is none: a newcomer may stand in front of those
   * that have it.
   * @returns undefined when there is none, or it was deleted.
   * @throws PeerStoreError UNREACHABLE when too few holders answer to be sure, CANCELLED.
   */
  async get(kind: string, writer: Uint8Array, name: string): Promise<SignedRecord | undefined> {
    const id = recordId(kind, writer, name);
    return retrying(this.#options, async () => {
      const { view } = this.#options;
      const holders = await view.holders(id);
      const newest = await this.#newestAt(holders, id);
      if (newest !== undefined) return newest;
      // That there is none is not believed on the word of one path.
      const others = await view.holders(id, 'two');
      const isSame = others.every((peer) => holders.some((holder) => holder.id === peer.id));
      return isSame ? undefined : this.#newestAt(others, id);
    });
  }

  /** @throws PeerStoreError UNREACHABLE when too few of the holders answer to be sure. */
  async #newestAt(holders: readonly PeerRef[], id: Id): Promise<SignedRecord | undefined> {
    const copies = Math.min(this.#options.replicas, holders.length);
    const majority = Math.floor(copies / 2) + 1;
    const votes = await Promise.all(holders.slice(0, copies).map((holder) => this.#ask(holder, id)));
    for (const holder of holders.slice(copies)) {
      const records = votes.filter(({ kind: vote }) => vote === 'record').length;
      const answers = votes.filter(({ kind: vote }) => vote !== 'failed').length;
      if (records > 0 && answers >= majority) break;
      votes.push(await this.#ask(holder, id));
    }
    if (votes.filter((vote) => vote.kind !== 'failed').length < majority) {
      this.#options.view.invalidate();
      throw new PeerStoreError(
        'UNREACHABLE',
        `too few of the peers that hold record ${shortId(id)} answer to be sure of its newest value`,
      );
    }
    let newest: SignedRecord | undefined;
    for (const vote of votes) {
      if (vote.kind === 'record' && (newest === undefined || vote.record.sequence > newest.sequence)) {
        newest = vote.record;
      }
    }
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
  }

  async #ask(holder: PeerRef, id: Id): Promise<Vote> {
    const { transport, view, log } = this.#options;
    try {
      const { body } = await whileMember(this.#options, holder, id, (signal) =>
        transport.call(holder, 'getRecord', { id }, { signal }),
      );
      return { kind: 'record', record: openRecord(body, id) };
    } catch (error) {
      if (hasCode(error, 'CANCELLED')) throw error;
      if (hasCode(error, 'NOT_FOUND')) return { kind: 'none' };
      if (hasCode(error, 'UNREACHABLE', 'TIMEOUT')) view.suspect(holder);
      log.debug('a holder of a record did not answer', { peer: holder.address, error: messageOf(error) });
      return { kind: 'failed' };
    }
  }
}
