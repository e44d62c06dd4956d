/**
 * Keeps what a long run has stored: a prune of another device gives up what nobody lists yet and nobody touched lately, and
 * the peers keep their trash for a week. A backup of more than that would find its first blocks gone at its end, and so
 * would every further one. So from time to time, all that was stored or found until then is touched again.
 */
import { limits } from '../base/limits.js';
import type { BlockSink } from '../archive/ports.js';
import type { Clock } from '../base/clock.js';
import { type Id, idFromBytes, idToBytes } from '../wire/index.js';
import { startElapsed } from './elapsed.js';

const idBytes = 32;

export class KeptTouched implements BlockSink {
  readonly #sink: BlockSink;
  readonly #clock: Clock;
  /** As many ids in each as one question has; as bytes, for there may be ten million. */
  readonly #batches: Uint8Array[] = [];
  #count = 0;
  #elapsedMs: () => number;
  #isTouching = false;

  constructor(sink: BlockSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
    this.#elapsedMs = startElapsed(clock);
  }

  async has(ids: readonly Id[]): Promise<readonly boolean[]> {
    await this.#touchAgain();
    const present = await this.#sink.has(ids);
    ids.forEach((id, at) => {
      if (present[at] === true) this.#note(id);
    });
    return present;
  }

  async put(id: Id, bytes: Uint8Array): Promise<{ readonly isNew: boolean }> {
    await this.#touchAgain();
    const stored = await this.#sink.put(id, bytes);
    this.#note(id);
    return stored;
  }

  #note(id: Id): void {
    const at = this.#count % limits.hasBlocksIds;
    if (at === 0) this.#batches.push(new Uint8Array(limits.hasBlocksIds * idBytes));
    this.#batches.at(-1)?.set(idToBytes(id), at * idBytes);
    this.#count += 1;
  }

  /** What is gone all the same is found when the snapshot is listed. */
  async #touchAgain(): Promise<void> {
    if (this.#isTouching || this.#elapsedMs() <= limits.touchLeaseMs / 2) return;
    this.#isTouching = true;
    const elapsedMs = startElapsed(this.#clock);
    try {
      const count = this.#count;
      for (let from = 0; from < count; from += limits.hasBlocksIds) {
        const batch = this.#batches[from / limits.hasBlocksIds] ?? new Uint8Array(0);
        const ids: Id[] = [];
        for (let at = 0; at < Math.min(limits.hasBlocksIds, count - from); at += 1)
          ids.push(idFromBytes(batch.subarray(at * idBytes, (at + 1) * idBytes)));
        await this.#sink.has(ids);
      }
      this.#elapsedMs = elapsedMs;
    } finally {
      this.#isTouching = false;
    }
  }
}
