/** One of those who are to have the copies that a peer hands over, in one round of it. */
import { isFailure, messageOf } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Logger } from '../../base/log.js';
import { type Random, shuffled } from '../../base/random.js';
import type { PeerRef } from '../../ring/peer.js';
import type { KeyItem, Store } from '../../store/store.js';
import { Conduct } from './conduct.js';
import { eachAtOnce } from './each-at-once.js';
import type { Exchange, Moved } from './exchange.js';
import type { Gifts } from './gifts.js';
import { nameOf } from './items.js';
import { NotRead } from './not-read.js';
import type { Refusals } from './refusals.js';

export interface ReceiverOptions {
  readonly store: Pick<Store, 'blockInfo'>;
  readonly exchange: Exchange;
  readonly random: Random;
  readonly log: Logger;
  /** What others were given lately. */
  readonly gifts: Gifts;
  /** Who had no room lately. */
  readonly refusals: Refusals;
  /** Whether the time of this round is over. */
  readonly isOver: () => boolean;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #holder: PeerRef;
  readonly #conduct: Conduct;
  /** Records of which it has another value: a newer one, or one of the same number, which it keeps. */
  readonly #kept = new WeakSet<KeyItem>();

  constructor(options: ReceiverOptions, holder: PeerRef) {
    this.#options = options;
    this.#holder = holder;
    this.#conduct = new Conduct(holder.id, options.refusals);
  }

  /** Hands it those copies that it lacks. */
  async bring(items: readonly KeyItem[]): Promise<void> {
    const { exchange, gifts } = this.#options;
    const { id } = this.#holder;
    this.#conduct.goOn();
    const lacking = await this.#lackedOf(items);
    // Not always in the same order: where it is given up on for some that fail, others are first the next time.
    await this.#each(shuffled(lacking, this.#options.random), async (item) => {
      if (!gifts.mayGive(id, nameOf(item)) || !this.#conduct.mayBeGiven(await this.#isHeld(item))) return;
      const moved = await this.#give(item, nameOf(item), () => exchange.handOver(this.#holder, item));
      if (moved === 'nothing new') this.#kept.add(item);
    });
    // Whoever knows more has to be heard first; what it knows is handed on in the next round.
    await this.#each(await this.#lackedOf(lacking), async (item) => {
      try {
        if ((await exchange.fetch(this.#holder, item)) !== 'nothing new') this.#kept.delete(item);
      } catch (error) {
        // That there is nothing to be heard, for want of room, is no fault of its own.
        if (!isFailure(error)) throw error;
        if (error instanceof NotRead) this.#conduct.failed(error);
      }
    });
  }

  /** For each copy whether it has it, or need not have it. */
  async holds(items: readonly KeyItem[]): Promise<readonly boolean[]> {
    const held = await this.#held(items);
    return items.map((item, at) => held[at] === true || (!this.#conduct.isGivenUp && this.#kept.has(item)));
  }

  /** Sees to it that it has the bytes, too, of a block that lies in the trash here. */
  async keepTrash(item: KeyItem): Promise<'kept' | 'no room' | 'not known'> {
    const { exchange, gifts, refusals } = this.#options;
    const { id } = this.#holder;
    const name = `trash ${nameOf(item)}`;
    if (this.#conduct.isGivenUp) return 'not known';
    try {
      if (!(await exchange.lacksTrash(this.#holder, item.id))) return 'kept';
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (!(error instanceof NotRead)) this.#conduct.failed(error);
      return 'not known';
    }
    if (gifts.mayGive(id, name) && this.#conduct.mayBeGiven(true)) {
      const give = (): Promise<Moved> => exchange.handOverTrash(this.#holder, item.id);
      if ((await this.#give(item, name, give)) !== undefined) return 'kept';
    }
    return refusals.isRefusing(id) ? 'no room' : 'not known';
  }

  /** @param name for the gifts @returns undefined when it did not take it. */
  async #give(item: KeyItem, name: string, work: () => Promise<Moved>): Promise<Moved | undefined> {
    try {
      const moved = await work();
      if (moved === 'sent') this.#conduct.took();
      if (moved !== 'nothing new') this.#options.gifts.gave(this.#holder.id, name);
      return moved;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (error instanceof NotRead) this.#conduct.missed();
      else this.#conduct.refused(error);
      this.#options.log.debug('a surplus copy could not be handed over', {
        id: item.id,
        holder: this.#holder.address,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #each(items: readonly KeyItem[], work: (item: KeyItem) => Promise<void>): Promise<void> {
    return eachAtOnce(items, limits.repairsAtOnce, async (item) => {
      if (!this.#conduct.isGivenUp && !this.#options.isOver()) await work(item);
    });
  }

  /** Whether it takes room where it is handed to. */
  async #isHeld({ id, kind }: KeyItem): Promise<boolean> {
    if (kind === 'record') return true;
    const info = await this.#options.store.blockInfo(id);
    return info !== undefined && info.trashedAtMs === undefined;
  }

  async #lackedOf(items: readonly KeyItem[]): Promise<readonly KeyItem[]> {
    if (items.length === 0) return [];
    const held = await this.#held(items);
    return items.filter((_, at) => held[at] !== true);
  }

  async #held(items: readonly KeyItem[]): Promise<readonly boolean[]> {
    if (this.#conduct.isGivenUp) return [];
    try {
      return await this.#options.exchange.held(this.#holder, items);
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#conduct.failed(error);
      return [];
    }
  }
}
