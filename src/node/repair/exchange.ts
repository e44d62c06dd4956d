/** What holders ask each other about copies, from the side that asks: to compare, to fetch one, to hand one over. */
import type { Clock } from '../../base/clock.js';
import { hasCode, PeerStoreError } from '../../base/errors.js';
import type { Random } from '../../base/random.js';
import { openRecord } from '../../identity/record.js';
import { type Id, shortId } from '../../ring/identifier.js';
import type { PeerRef } from '../../ring/peer.js';
import type { BlockState, KeyItem, Store, StoredRecord } from '../../store/store.js';
import { keyDigestBytes, type MethodName, type RequestOf } from '../../wire/catalogue.js';
import type { Reply, Transport } from '../../wire/transport.js';
import { untilNotBusy } from '../patience.js';
import type { Side } from './comparison.js';
import { isSameItem } from './items.js';
import { NotRead, reading } from './not-read.js';
import { Rate } from './rate.js';

export interface ExchangeOptions {
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Waits until so many bytes may be moved. @throws PeerStoreError CANCELLED. */
  readonly mayMove: (sizeBytes: number) => Promise<void>;
  /** Told of a block that was to be handed over and turned out to be damaged here. */
  readonly onDamaged: (id: Id) => void;
  /** Ends every question. */
  readonly signal: AbortSignal;
}

/** What goes along with the bytes of a block. */
interface Copy {
  readonly id: Id;
  readonly state: BlockState;
  readonly fromTrash?: boolean;
}

/** What came of moving a copy: bytes were sent; or none, for only what is known of it was news; or nothing was. */
export type Moved = 'sent' | 'told' | 'nothing new';

/** Whoever gives a block leaves it to its receiver to check it, and checks it when that one says that it came damaged. */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #rate: Rate;
  #movedBytes = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#rate = new Rate(options.clock);
  }

  /** Bytes of values that were fetched and handed over so far. */
  get movedBytes(): number {
    return this.#movedBytes;
  }

  /** Of these, how many a second lately; null when there were none. */
  get bytesPerS(): number | null {
    return this.#rate.bytesPerS;
  }

  /** Another holder, as somebody to compare with. */
  sideOf(peer: PeerRef): Side {
    return {
      compare: async (ranges) => (await this.#call(peer, 'compareRanges', { ranges })).response.answers,
    };
  }

  /** What another holder has under a key. */
  async itemsOf(peer: PeerRef, id: Id): Promise<readonly KeyItem[]> {
    const nothing = { first: id, last: id, count: 0, sum: new Uint8Array(keyDigestBytes) };
    const [answer] = await this.sideOf(peer).compare([nothing]);
    return answer?.items?.filter((item) => item.id === id) ?? [];
  }

  /** Which of these very copies another holder has. At most `limits.heldItems`. */
  async held(peer: PeerRef, items: readonly KeyItem[]): Promise<readonly boolean[]> {
    return (await this.#call(peer, 'heldItems', { items })).response.held;
  }

  /**
   * Takes over what another holder has of a key.
   * @returns what of it was news; a record that is older than the own one is none, nor is a tombstone that has expired.
   * @throws NotRead what the holder or the way to it says; else PeerStoreError what the own store says, DAMAGED when what
   *   came is not what the key says.
   */
  async fetch(peer: PeerRef, { kind, id }: KeyItem): Promise<Moved> {
    const { store } = this.#options;
    if (kind === 'record') return unlessNewer(store.putRecord(await reading(this.#getRecord(peer, id))));
    const before = await store.itemOf(id, kind);
    const { response } = await reading(this.#call(peer, 'getCopy', { id, withBytes: false }));
    const needsBytes = (await store.mergeBlock(id, response.state)) === 'needs bytes';
    if (needsBytes) {
      await checkedIfDamaged(
        (isDoubted) => this.#getBlock(peer, id, response.state.sizeBytes, isDoubted),
        ({ state, bytes }) => store.mergeBlock(id, state, bytes),
      );
    }
    const after = await store.itemOf(id, kind);
    if (after === undefined || isSameItem(after, before)) return 'nothing new';
    return needsBytes ? 'sent' : 'told';
  }

  /**
   * Gives what this peer has of a key to another holder.
   * @returns what of it was news, as far as is known.
   * @throws NotRead what the own store says, or NOT_FOUND; else PeerStoreError what the holder or the way to it says.
   */
  async handOver(peer: PeerRef, { kind, id }: KeyItem): Promise<Moved> {
    if (kind === 'record') {
      const record = await reading(this.#options.store.getRecord(id));
      if (record === undefined) throw goneMeanwhile(id);
      return this.#putRecord(peer, record);
    }
    const state = await this.#ownState(id);
    return this.#putBlock(peer, { id, state }, async (isDoubted) => {
      await this.#options.mayMove(state.sizeBytes);
      return this.#ownBytes(id, isDoubted);
    });
  }

  /** Whether another holder lacks the bytes of a block that lies in the trash here, now that it knows of it. */
  async lacksTrash(peer: PeerRef, id: Id): Promise<boolean> {
    const request = { id, state: await this.#ownState(id), hasBytes: false, fromTrash: true };
    return (await this.#call(peer, 'keepCopy', request)).response.needsBytes;
  }

  /**
   * Gives a block that lies in the trash here to another holder, for its trash, if it lies there without its bytes.
   * @throws as {@link handOver}.
   */
  async handOverTrash(peer: PeerRef, id: Id): Promise<Moved> {
    const state = await this.#ownState(id);
    return this.#putBlock(peer, { id, state, fromTrash: true }, async () => {
      await this.#options.mayMove(state.sizeBytes);
      return this.#options.store.trashedBytes(id);
    });
  }

  /**
   * Gives what one holder has of a key to another, where this peer has no room for it.
   * @returns what of it was news, as far as is known.
   * @throws NotRead what the one that has it says, or the way to it; else PeerStoreError what the other one says.
   */
  async relay(from: PeerRef, to: PeerRef, { kind, id }: KeyItem): Promise<Moved> {
    if (kind === 'record') return this.#putRecord(to, await reading(this.#getRecord(from, id)));
    const { response } = await reading(this.#call(from, 'getCopy', { id, withBytes: false }));
    const { state } = response;
    return this.#putBlock(
      to,
      { id, state },
      async (isDoubted) => (await this.#getBlock(from, id, state.sizeBytes, isDoubted)).bytes,
    );
  }

  async #getBlock(
    peer: PeerRef,
    id: Id,
    sizeBytes: number,
    isDoubted: boolean,
  ): Promise<{ readonly state: BlockState; readonly bytes: Uint8Array }> {
    await this.#options.mayMove(sizeBytes);
    const { response, body } = await this.#call(peer, 'getCopy', { id, withBytes: true, isDoubted });
    this.#moves(body);
    if (response.hasBytes) return { state: response.state, bytes: body };
    throw new PeerStoreError('NOT_FOUND', `${peer.address} does not have the bytes of block ${shortId(id)}`);
  }

  async #ownState(id: Id): Promise<BlockState> {
    const [state] = await reading(this.#options.store.blockStates([id]));
    if (state === undefined) throw goneMeanwhile(id);
    return state;
  }

  async #ownBytes(id: Id, isChecked: boolean): Promise<Uint8Array | undefined> {
    const { store, onDamaged } = this.#options;
    try {
      return (await store.getBlock(id, { isChecked }))?.bytes;
    } catch (error) {
      if (hasCode(error, 'DAMAGED')) onDamaged(id);
      throw error;
    }
  }

  /** @throws NotRead when the bytes could not be had. */
  async #putBlock(
    peer: PeerRef,
    copy: Copy,
    bytesOf: (isDoubted: boolean) => Promise<Uint8Array | undefined>,
  ): Promise<Moved> {
    const request = { ...copy, hasBytes: false };
    if (!(await this.#call(peer, 'keepCopy', request)).response.needsBytes) return 'told';
    return checkedIfDamaged(bytesOf, async (body): Promise<Moved> => {
      if (body === undefined) throw goneMeanwhile(copy.id);
      this.#moves(body);
      await this.#call(peer, 'keepCopy', { ...request, hasBytes: true }, body);
      return 'sent';
    });
  }

  async #getRecord(peer: PeerRef, id: Id): Promise<StoredRecord> {
    const { body } = await this.#call(peer, 'getRecord', { id });
    const { sequence } = openRecord(body, id);
    this.#moves(body);
    return { id, sequence, bytes: body };
  }

  #putRecord(peer: PeerRef, { id, bytes }: StoredRecord): Promise<Moved> {
    const method = openRecord(bytes, id).deleted ? 'deleteRecord' : 'postRecord';
    this.#moves(bytes);
    return unlessNewer(this.#call(peer, method, { id }, bytes));
  }

  #moves({ length }: Uint8Array): void {
    this.#movedBytes += length;
    this.#rate.add(length);
  }

  #call<M extends MethodName>(
    peer: PeerRef,
    method: M,
    request: RequestOf<M>,
    body?: Uint8Array,
  ): Promise<Reply<M>> {
    const { transport, signal } = this.#options;
    const options = body === undefined ? { signal } : { signal, body };
    return untilNotBusy(() => transport.call(peer, method, request, options), this.#options);
  }
}

/**
 * Gets the bytes of a block from whoever has them, and brings them to whoever is to have them; both once more where they
 * arrived damaged, this time checked by the one that has them. What that one finds damaged itself is not asked for again.
 * @throws NotRead when they could not be had.
 */
async function checkedIfDamaged<Bytes, Result>(
  get: (isDoubted: boolean) => Promise<Bytes>,
  bring: (bytes: Bytes) => Promise<Result>,
): Promise<Result> {
  const bytes = await reading(get(false));
  try {
    return await bring(bytes);
  } catch (error) {
    if (error instanceof NotRead || !hasCode(error, 'DAMAGED')) throw error;
  }
  return bring(await reading(get(true)));
}

function goneMeanwhile(id: Id): NotRead {
  return new NotRead(new PeerStoreError('NOT_FOUND', `${shortId(id)} is not here any more`));
}

/** Whoever has a newer record, or another one of the same number, keeps that. */
async function unlessNewer(written: Promise<unknown>): Promise<Moved> {
  try {
    await written;
    return 'sent';
  } catch (error) {
    if (!hasCode(error, 'CONFLICT')) throw error;
    return 'nothing new';
  }
}
