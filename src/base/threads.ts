/**
 * A few threads that do jobs for the main one: what takes long to compute, and reading that would have to wait.
 *
 * A message to a thread costs about as much as hashing 30 KiB, so small jobs travel together. Batches form by
 * themselves: whatever is asked for while the threads are busy goes with the next message. Each thread has up to two
 * batches, one that it does and one that waits, so that it never waits for a message.
 *
 * Memory is handed over, not copied: who names a buffer in `transfer` has it no more.
 */
import { parentPort, Worker } from 'node:worker_threads';

import { messageOf, PeerStoreError } from './errors.js';

/** What a job needs besides its value. */
export interface JobOptions {
  /** Buffers of the value that are handed over. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Bytes that the job works on: how many jobs go into a message depends on it. */
  readonly weightBytes: number;
}

/** Does jobs by kind. What they do is in a module that calls {@link serveJobs}. */
export interface JobRunner {
  /**
   * Whether a job would be done soon. If not, whoever has it does it better himself: threads take a while to start, may
   * fail to, and may have more to do than they can.
   */
  readonly isFree: boolean;
  /** Begins to start threads, if that has not been done: when it is clear that there is work for them. */
  start(): void;
  /**
   * Does a job in a thread.
   * @throws what the job threw, with its `code`; PeerStoreError INTERNAL when the thread has died, CANCELLED when the
   *   threads were ended.
   */
  run<Result>(kind: string, value: unknown, options: JobOptions): Promise<Result>;
}

/** What a handler gives back. */
export interface JobResult {
  readonly value: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

/** The kinds of job of a module. */
export type JobHandlers = Readonly<Record<string, (value: never) => JobResult>>;

interface JobMessage {
  readonly kind: string;
  readonly value: unknown;
}
type Answer = { readonly value: unknown } | { readonly error: { message: string; code: string | undefined } };

interface Job {
  readonly message: JobMessage;
  readonly transfer: readonly ArrayBuffer[];
  readonly weightBytes: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** The batches that it has, the oldest first. */
  readonly batches: (readonly Job[])[];
  isUp: boolean;
}

/** Bytes, and jobs, after which a batch is full: half a millisecond of work at the least. */
const batchBytes = 512 * 1024;
const batchJobs = 32;
const batchesOfThread = 2;
/** Bytes of jobs that may wait for each thread: while the main thread does a job itself, none runs dry. */
const waitingBytes = 1024 * 1024;

export interface ThreadsOptions {
  /** The module that each thread runs. */
  readonly module: URL;
  readonly count: number;
  /** Called when threads cannot be started: the work is done without them. */
  readonly onStartFailed: (error: unknown) => void;
}

/** Threads of this process. */
export class Threads implements JobRunner {
  readonly #options: ThreadsOptions;
  readonly #threads: Thread[] = [];
  #queue: Job[] = [];
  #queuedBytes = 0;
  #isStarted = false;
  #isDispatchDue = false;
  #failure: Error | undefined;

  constructor(options: ThreadsOptions) {
    this.#options = options;
  }

  get isFree(): boolean {
    // After a failure too: whoever relied on the threads has to hear of it.
    if (this.#failure !== undefined) return true;
    const up = this.#threads.filter(({ isUp }) => isUp).length;
    return this.#queuedBytes < up * waitingBytes;
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    try {
      for (let number = 0; number < this.#options.count; number += 1) this.#startOne();
    } catch (error) {
      this.#options.onStartFailed(error);
    }
  }

  run<Result>(kind: string, value: unknown, options: JobOptions): Promise<Result> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { transfer = [], weightBytes } = options;
    return new Promise((resolve, reject) => {
      this.#queue.push({ message: { kind, value }, transfer, weightBytes, resolve, reject });
      this.#queuedBytes += weightBytes;
      this.#plan();
    });
  }

  /** Ends the threads. Jobs that are not done are rejected. */
  async close(): Promise<void> {
    this.#fail(new PeerStoreError('CANCELLED', 'the threads were ended'));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #startOne(): void {
    const worker = new Worker(this.#options.module);
    const thread: Thread = { worker, batches: [], isUp: false };
    worker.on('message', (answers: 'up' | readonly Answer[]) => {
      if (answers === 'up') thread.isUp = true;
      else settle(thread.batches.shift() ?? [], answers);
      this.#dispatch();
    });
    worker.on('error', (error) => this.#died(thread, messageOf(error)));
    worker.on('exit', (code) => this.#died(thread, `it ended with ${code}`));
    this.#threads.push(thread);
  }

  /** One that has never been up was given nothing: the others go on. */
  #died(thread: Thread, reason: string): void {
    const at = this.#threads.indexOf(thread);
    if (at < 0 || this.#failure !== undefined) return;
    this.#threads.splice(at, 1);
    if (!thread.isUp) {
      this.#options.onStartFailed(new Error(reason));
      return;
    }
    this.#fail(
      new PeerStoreError(
        'INTERNAL',
        `a thread that does a part of the work has died (${reason}); run it again`,
      ),
      thread.batches,
    );
  }

  #fail(error: Error, lost: readonly (readonly Job[])[] = []): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const all = [...lost, ...this.#threads.flatMap(({ batches }) => batches.splice(0)), this.#queue];
    this.#queue = [];
    for (const job of all.flat()) job.reject(error);
  }

  /** What is asked for in the same turn of the event loop goes together, unless it fills a batch. */
  #plan(): void {
    if (this.#queuedBytes >= batchBytes) {
      this.#dispatch();
      return;
    }
    if (this.#isDispatchDue) return;
    this.#isDispatchDue = true;
    setImmediate(() => {
      this.#isDispatchDue = false;
      this.#dispatch();
    });
  }

  /** Gives out what waits, to the threads that have the least. */
  #dispatch(): void {
    for (let filled = 0; filled < batchesOfThread; filled += 1) {
      for (const thread of this.#threads) {
        if (this.#queue.length === 0) return;
        if (thread.isUp && thread.batches.length <= filled && thread.batches.length < batchesOfThread) {
          this.#send(thread);
        }
      }
    }
  }

  #send(thread: Thread): void {
    let count = 0;
    for (let bytes = 0; count < Math.min(this.#queue.length, batchJobs) && bytes < batchBytes; count += 1) {
      bytes += this.#queue[count]?.weightBytes ?? 0;
    }
    const jobs = this.#queue.splice(0, count);
    for (const { weightBytes } of jobs) this.#queuedBytes -= weightBytes;
    thread.batches.push(jobs);
    thread.worker.postMessage(
      jobs.map(({ message }) => message),
      jobs.flatMap(({ transfer }) => transfer),
    );
  }
}

function settle(jobs: readonly Job[], answers: readonly Answer[]): void {
  for (const [at, job] of jobs.entries()) {
    const answer = answers[at];
    if (answer === undefined) throw new Error('broken rule: a thread answers every job');
    if ('value' in answer) job.resolve(answer.value as never);
    else job.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
  }
}

/** Called by the module that a thread runs, once it is ready. Does the jobs that come, in their order. */
export function serveJobs(handlers: JobHandlers): void {
  const port = parentPort;
  if (port === null) throw new Error('broken rule: jobs are served in a thread');
  port.on('message', (jobs: readonly JobMessage[]) => {
    const transfer: ArrayBuffer[] = [];
    const answers = jobs.map(({ kind, value }): Answer => {
      try {
        const handler = handlers[kind];
        if (handler === undefined) throw new Error(`no handler does ${kind}`);
        const result = handler(value as never);
        transfer.push(...(result.transfer ?? []));
        return { value: result.value };
      } catch (error) {
        const code = (error as { code?: string }).code;
        return { error: { message: messageOf(error), code } };
      }
    });
    port.postMessage(answers, transfer);
  });
  port.postMessage('up');
}
