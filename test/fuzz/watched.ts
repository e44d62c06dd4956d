/**
 * Fuzzing in a thread of its own, watched from outside: reading an input may never end, or take all memory, and even so it
 * has to be known which input it was. The thread writes each input into memory that both share before it reads it.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { messageOf } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { corpusOf } from './corpus.js';
import { Coverage } from './coverage.js';
import { fuzz } from './fuzzer.js';
import { targetOf } from './targets/index.js';

/** Generous: an input is at most a few KiB, and the machine may be busy. */
const inputMs = 30_000;
const lookEveryMs = 1_000;
const heapMiB = 512;
const sharedBytes = 64 * 1024;

export interface WatchedOptions {
  readonly target: string;
  readonly seed: number;
  /** Ends after so many inputs, or so many milliseconds, whatever comes first. */
  readonly executions: number;
  readonly timeMs: number;
}

export interface WatchedReport {
  readonly executions: number;
  readonly parts: number;
  readonly discoveries: readonly Uint8Array[];
  /** An input that was read otherwise than planned, with what happened. */
  readonly finding?: { readonly input: Uint8Array; readonly what: string };
}

/** What both threads see: how many inputs were begun, how long the last one is, and its bytes. */
interface Shared {
  readonly begun: Int32Array;
  readonly bytes: Uint8Array;
}

function sharedIn(buffer: SharedArrayBuffer): Shared {
  return { begun: new Int32Array(buffer, 0, 2), bytes: new Uint8Array(buffer, 8) };
}

/** Fuzzes a target until its time is over or something is found. */
export function fuzzWatched(options: WatchedOptions): Promise<WatchedReport> {
  const buffer = new SharedArrayBuffer(8 + sharedBytes);
  const shared = sharedIn(buffer);
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { ...options, buffer },
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  return new Promise((resolve, reject) => {
    let [lastBegun, sinceMs] = [0, performance.now()];
    const found = (what: string): void => {
      clearInterval(watch);
      void worker.terminate();
      const input = shared.bytes.slice(0, Atomics.load(shared.begun, 1));
      resolve({ executions: lastBegun, parts: 0, discoveries: [], finding: { input, what } });
    };
    const watch = setInterval(() => {
      const begun = Atomics.load(shared.begun, 0);
      if (begun !== lastBegun) [lastBegun, sinceMs] = [begun, performance.now()];
      else if (begun > 0 && performance.now() - sinceMs > inputMs)
        found(`reading it takes more than ${inputMs} ms`);
    }, lookEveryMs);
    worker.once('message', (report: WatchedReport) => {
      clearInterval(watch);
      resolve(report);
    });
    worker.once('error', (error) => {
      if (Atomics.load(shared.begun, 0) > 0) found(messageOf(error));
      else {
        clearInterval(watch);
        reject(error);
      }
    });
  });
}

async function work(): Promise<void> {
  const { target, seed, executions, timeMs, buffer } = workerData as WatchedOptions & {
    readonly buffer: SharedArrayBuffer;
  };
  const { begun, bytes } = sharedIn(buffer);
  const coverage = new Coverage(new URL('../../src/', import.meta.url).href);
  const untilMs = performance.now() + timeMs;
  const { finding, ...report } = await fuzz({
    target: targetOf(target),
    random: seededRandom(seed),
    coverage,
    corpus: corpusOf(target),
    onInput: (input) => {
      bytes.set(input.subarray(0, sharedBytes));
      Atomics.store(begun, 1, Math.min(input.length, sharedBytes));
      Atomics.add(begun, 0, 1);
    },
    goOn: (done) => done < executions && performance.now() < untilMs,
  });
  coverage.end();
  const stack = finding?.error instanceof Error ? finding.error.stack : undefined;
  parentPort?.postMessage(
    finding === undefined
      ? report
      : { ...report, finding: { input: finding.input, what: stack ?? messageOf(finding.error) } },
  );
}

if (!isMainThread && workerData !== null) await work();
