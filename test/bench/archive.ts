/**
 * How fast the archive takes bytes, in MiB/s: the chunker alone, and everything up to a sink in memory, in one thread and
 * with threads that seal.
 */
import { availableParallelism } from 'node:os';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { seededRandom } from '../../src/base/random.js';
import { Threads } from '../../src/base/threads.js';
import { Chunker } from '../../src/archive/chunker.js';
import { loadCompressor } from '../../src/archive/compress.js';
import { type BlockSink, MemoryChunkIndex } from '../../src/archive/ports.js';
import { ArchiveReader } from '../../src/archive/reader.js';
import { SealerInPlace } from '../../src/archive/sealer.js';
import { deriveArchiveSecrets } from '../../src/archive/secrets.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { backupThreadModule, helpOf } from '../../src/client/backup-threads.js';
import { nodeFileSystem } from '../../src/base/node-filesystem.js';

const MiB = 1024 * 1024;
const totalMiB = 256;
const pieceBytes = 1 * MiB;
const secrets = deriveArchiveSecrets(new Uint8Array(32).fill(1));

/** Bytes that do not compress. They repeat, each time with another start, so that no chunk is there twice. */
function randomData(): Uint8Array {
  const bytes = new Uint8Array(totalMiB * MiB);
  const words = new Uint32Array(bytes.buffer);
  let state = 1;
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words[at] = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) ^ at;
  }
  return bytes;
}

/** Lines of words, as in logs and sources: compresses to about a third. */
function textData(): Uint8Array {
  const random = seededRandom(3);
  const letters = 'etaoinshrdlucmfw';
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + random.below(8) }, () => letters[random.below(16)]).join(''),
  );
  const bytes = Buffer.alloc(totalMiB * MiB);
  for (let at = 0; at < bytes.length;) {
    const line = Array.from({ length: 12 }, () => words[random.below(words.length)]).join(' ') + '\n';
    at += bytes.write(line, at);
  }
  return bytes;
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return Math.round(totalMiB / ((performance.now() - start) / 1000));
}

function chunkerAlone(bytes: Uint8Array): Promise<number> {
  return timed(async () => {
    for await (const _ of new Chunker(secrets.gear).chunks(pieces(bytes)));
  });
}

/** @param threads helping threads; they are up before the time begins */
async function pipeline(
  bytes: Uint8Array,
  threads?: Threads,
): Promise<{ rate: number; storedBytes: number }> {
  const compressor = await loadCompressor();
  const sink: BlockSink = {
    has: (ids) => Promise.resolve(ids.map(() => false)),
    put: () => Promise.resolve({ isNew: true }),
  };
  const source = { get: () => Promise.reject(new PeerStoreError('NOT_FOUND', 'nothing is kept')) };
  const reader = new ArchiveReader({ source, compressor });
  const inPlace = new SealerInPlace(compressor);
  const sealer = threads === undefined ? inPlace : helpOf(threads, inPlace, nodeFileSystem).sealer;
  const index = new MemoryChunkIndex();
  const writer = new ArchiveWriter({ secrets, compressor, sealer, sink, index, reader });
  const rate = await timed(async () => {
    await writer.writeContent(pieces(bytes));
    await writer.finish();
  });
  return { rate, storedBytes: writer.stats.bytes };
}

async function startThreads(): Promise<Threads> {
  const count = Math.min(availableParallelism() - 1, limits.backupThreads);
  const onStartFailed = (error: unknown): never => {
    throw error;
  };
  const threads = new Threads({ module: backupThreadModule, count, onStartFailed });
  threads.start();
  while (!threads.isFree) await new Promise((resolve) => setImmediate(resolve));
  return threads;
}

/** Runs the benchmark. Rates are MiB of plaintext a second. */
export async function run(): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = { totalMiB };
  const threads = await startThreads();
  for (const [name, make] of [
    ['random', randomData],
    ['text', textData],
  ] as const) {
    const bytes = make();
    await chunkerAlone(bytes.subarray(0, 32 * MiB));
    figures[`${name}ChunkerMiBs`] = await chunkerAlone(bytes);
    await pipeline(bytes.subarray(0, 32 * MiB), threads);
    const { rate, storedBytes } = await pipeline(bytes);
    figures[`${name}PipelineMiBs`] = rate;
    figures[`${name}PipelineWithThreadsMiBs`] = (await pipeline(bytes, threads)).rate;
    figures[`${name}StoredMiB`] = Math.round(storedBytes / MiB);
  }
  await threads.close();
  return figures;
}
