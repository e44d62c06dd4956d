/**
 * Blocks on their way to the sink: bounded in bytes, asked for before they are sent, and with one failure for all. A
 * writer whose block could not be stored can promise nothing any more: every promise that it has given rejects.
 */
import { messageOf } from '../base/errors.js';
import type { Id } from '../ring/identifier.js';
import { Confirmations } from './confirmations.js';
import type { BlockSink } from './ports.js';
import { Room } from './room.js';

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T | PromiseLike<T>) => void;
}

export class BlockStorage {
  readonly room: Room;
  readonly #sink: BlockSink;
  readonly #confirmations: Confirmations;
  readonly #underWay = new Set<Promise<void>>();
  readonly #promised = new Set<(error: unknown) => void>();
  #failure: Error | undefined;
  #blocks = 0;
  #bytes = 0;

  constructor(sink: BlockSink, bytesInFlight: number) {
    this.#sink = sink;
    this.#confirmations = new Confirmations(sink);
    this.room = new Room(bytesInFlight);
  }

  /** Blocks, and their bytes, that the sink did not have. */
  get stored(): { readonly blocks: number; readonly bytes: number } {
    return { blocks: this.#blocks, bytes: this.#bytes };
  }

  /** @throws the error of the first block that could not be stored. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  knows(id: Id): boolean {
    return this.#confirmations.knows(id);
  }

  /** Whether a block is stored, and so touched. */
  async isStored(id: Id): Promise<boolean> {
    this.check();
    if (this.#confirmations.knows(id)) return true;
    try {
      return await this.#confirmations.ask(id);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** A promise that is rejected when a block cannot be stored. Nobody needs to listen to it. */
  promise<T = void>(): Deferred<T> {
    let settle!: (value: T | PromiseLike<T>) => void;
    const promise = new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) reject(this.#failure);
      this.#promised.add(reject);
      settle = (value) => {
        this.#promised.delete(reject);
        resolve(value);
      };
    });
    promise.catch(() => undefined);
    return { promise, resolve: settle };
  }

  /**
   * Stores a block in the background.
   * @param takenBytes room that the caller has taken for it; it is given back when the block is stored
   * @returns a promise of that. Nobody needs to listen to it: a failure is kept.
   */
  store(id: Id, bytes: Uint8Array, takenBytes: number): Promise<void> {
    const stored = this.#store(id, bytes, takenBytes);
    this.track(stored);
    return stored;
  }

  /** Counts some work as under way: {@link idle} waits for it, and its failure is the storage's. */
  track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.fail(error))
      .finally(() => void this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  async #store(id: Id, bytes: Uint8Array, takenBytes: number): Promise<void> {
    try {
      if (await this.isStored(id)) return;
      this.check();
      const { isNew } = await this.#sink.put(id, bytes);
      this.#confirmations.note(id);
      if (!isNew) return;
      this.#blocks += 1;
      this.#bytes += bytes.length;
    } finally {
      this.room.release(takenBytes);
    }
  }

  /** Waits until nothing is under way. @throws the first failure. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all([...this.#underWay]);
    this.check();
  }

  /** Ends the use of this storage: the first error rejects every promise, given and to come. */
  fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error instanceof Error ? error : new Error(messageOf(error));
    this.room.fail(this.#failure);
    for (const reject of this.#promised) reject(this.#failure);
    this.#promised.clear();
  }
}
