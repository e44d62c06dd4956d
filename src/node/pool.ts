/**
 * The bounded worker pool: every request passes one of its lanes.
 *
 * A lane has a number of workers and a queue with an end; a request that finds the queue full is refused with BUSY and
 * a hint, at once and at no cost. The lanes form an order, and the work of a lane waits only for lanes behind it, on
 * any peer: `client` work (which hands copies to other peers) waits for `replica` work (which ends on this machine),
 * never the other way round. So peers that all fan out to each other cannot wait in a circle. `ring` work waits for
 * nothing that carries data.
 */
import PQueue from 'p-queue';

import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';

/** See above. */
export type Lane = 'ring' | 'replica' | 'client';

export interface PoolOptions {
  /** Requests carried out at once, in each data lane. */
  readonly workers: number;
  /** Requests that may wait, in each data lane. */
  readonly queueLength: number;
}

/** What the pool has in hand. */
export interface PoolStatus {
  readonly running: number;
  readonly waiting: number;
  readonly refused: number;
}

/** Ring requests are small and quick: many may run, and the bound is against floods only. */
const ringWorkers = 64;
const ringQueueLength = 4096;

export class WorkerPool {
  readonly #lanes: Readonly<Record<Lane, { queue: PQueue; queueLength: number }>>;
  #bodyBytes = 0;
  #refused = 0;

  constructor(options: PoolOptions) {
    const lane = (concurrency: number, queueLength: number) => ({
      queue: new PQueue({ concurrency }),
      queueLength,
    });
    this.#lanes = {
      ring: lane(ringWorkers, ringQueueLength),
      replica: lane(options.workers, options.queueLength),
      client: lane(options.workers, options.queueLength),
    };
  }

  /**
   * Carries out a request when a worker of its lane is free.
   * @param call what the request holds in memory until it is done, and whether anybody still waits for it
   * @throws PeerStoreError BUSY when the queue is full, CANCELLED when the signal fires before it began.
   */
  async run<T>(
    lane: Lane,
    call: { readonly body: Uint8Array; readonly signal: AbortSignal },
    work: () => T | Promise<T>,
  ): Promise<T> {
    const { queue, queueLength } = this.#lanes[lane];
    const hasToWait = queue.pending >= queue.concurrency;
    const bodyBytes = call.body.length;
    const full = hasToWait && queue.size >= queueLength;
    if (full || this.#bodyBytes + bodyBytes > limits.requestBodyBytesInFlight) {
      this.#refused += 1;
      throw new PeerStoreError('BUSY', 'this peer has all the work it can take; come back a little later', {
        retryAfterMs: limits.busyRetryAfterMs,
      });
    }
    this.#bodyBytes += bodyBytes;
    try {
      return await (hasToWait ? waitFor(queue, call.signal, work) : queue.add(work));
    } finally {
      this.#bodyBytes -= bodyBytes;
    }
  }

  /** Whether users are being served. */
  get isServing(): boolean {
    return this.#lanes.client.queue.pending > 0;
  }

  /** What is in hand in the data lanes. */
  status(): PoolStatus {
    const { replica, client } = this.#lanes;
    return {
      running: replica.queue.pending + client.queue.pending,
      waiting: replica.queue.size + client.queue.size,
      refused: this.#refused,
    };
  }
}

/**
 * Puts work at the end of a queue. When its caller gives up it leaves the queue at once, so that those who have gone do
 * not keep others out; work that has begun ends in its own way.
 */
async function waitFor<T>(queue: PQueue, signal: AbortSignal, work: () => T | Promise<T>): Promise<T> {
  const gaveUp = new PeerStoreError('CANCELLED', 'the caller gave up while the request waited');
  if (signal.aborted) throw gaveUp;
  const waiting = new AbortController();
  const onAbort = (): void => waiting.abort(gaveUp);
  const stopListening = (): void => signal.removeEventListener('abort', onAbort);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await queue.add(
      () => {
        stopListening();
        return work();
      },
      { signal: waiting.signal },
    );
  } finally {
    stopListening();
  }
}
