/** Work that runs beside the loop that starts it, with a bound, and ends as one: the first failure ends all of it. */
import { setMaxListeners } from 'node:events';

import { PeerStoreError } from '../base/errors.js';

export class Tasks {
  /** Fires when the caller's signal does, and when a task fails. */
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #capacity: number;
  readonly #cancelled: string;
  readonly #running = new Set<Promise<void>>();
  /** Those who wait for a task to end. */
  readonly #waiting: (() => void)[] = [];
  #weight = 0;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param capacity the weight that may run at the same time
   * @param cancelled the message when the caller's signal fires
   */
  constructor(capacity: number, cancelled: string, signal?: AbortSignal) {
    this.#capacity = capacity;
    this.#cancelled = cancelled;
    this.signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    setMaxListeners(0, this.signal); // every task may listen: that is no leak
  }

  /**
   * @throws the error of the first task that failed; PeerStoreError CANCELLED when the caller's signal fired.
   */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.signal.aborted) throw new PeerStoreError('CANCELLED', this.#cancelled);
  }

  /** Starts a task as soon as there is room for its weight; resolves when it has started. */
  async start(weight: number, task: () => Promise<void>): Promise<void> {
    while (this.#weight > 0 && this.#weight + weight > this.#capacity) {
      // Not Promise.race: each would leave something behind on a task that runs for long.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.check();
    }
    this.#weight += weight;
    this.#run(task, () => (this.#weight -= weight));
  }

  /** Starts a task that is part of what is running already, whatever the bound. */
  startNow(task: () => Promise<void>): void {
    this.#run(task, () => undefined);
  }

  /** Ends everything because of an error. After the caller's signal every error only follows from that. */
  fail(error: unknown): void {
    this.#failure ??= {
      error: this.signal.aborted ? new PeerStoreError('CANCELLED', this.#cancelled) : error,
    };
    this.#stop.abort();
  }

  /** Waits until nothing runs. @throws like {@link check}. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #run(task: () => Promise<void>, done: () => void): void {
    const running = task()
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        done();
        this.#running.delete(running);
        for (const wake of this.#waiting.splice(0)) wake();
      });
    this.#running.add(running);
  }
}
