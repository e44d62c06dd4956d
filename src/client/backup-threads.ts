/**
 * What threads do for a backup: they compress and seal chunks, and read small files in one go. The main thread keeps the
 * walk, the cuts, the hashes by which chunks are found, the packs and the network, so what is stored does not depend on
 * whether there are threads.
 *
 * They get a chunk with its key, and never the user's secrets.
 */
import type { FileSystem, ReadableFile } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
import type { SmallFile } from '../base/node-filesystem.js';
import type { JobRunner } from '../base/threads.js';
import type { PlainChunk, Sealer, Sealing } from '../archive/sealer.js';

/** The module that the threads run. */
export const backupThreadModule = new URL('./backup-thread.js', import.meta.url);

/** A chunk on its way to a thread. */
export type SealJob = Omit<PlainChunk, 'isGiven'>;

/** A file to read, if it has at most so many bytes. */
export interface ReadJob {
  readonly path: Uint8Array;
  readonly mostBytes: number;
}

/** Counts the work that is done without threads, and has them started when there is enough of it. */
class Beginning {
  readonly #threads: JobRunner;
  #doneBytes = 0;

  constructor(threads: JobRunner) {
    this.#threads = threads;
  }

  /** Counts some work. */
  add(bytes: number): void {
    this.#doneBytes += bytes;
    if (this.#doneBytes >= limits.threadsFromBytes) this.#threads.start();
  }
}

/** What a backup uses in place of doing it itself. */
export interface BackupHelp {
  readonly sealer: Sealer;
  /** The file system, for files that seem to be small. */
  readonly smallFiles: FileSystem;
}

/**
 * The help of some threads. Until they are up, the work is done without them.
 * @param inPlace seals until then
 * @param fileSystem reads until then; it has to be the machine's own, as the threads read through that
 */
export function helpOf(threads: JobRunner, inPlace: Sealer, fileSystem: FileSystem): BackupHelp {
  const beginning = new Beginning(threads);
  return {
    sealer: new ThreadSealer(threads, beginning, inPlace),
    smallFiles: { ...fileSystem, openForReading: (path) => openSmall(threads, beginning, fileSystem, path) },
  };
}

class ThreadSealer implements Sealer {
  readonly #threads: JobRunner;
  readonly #beginning: Beginning;
  readonly #inPlace: Sealer;

  constructor(threads: JobRunner, beginning: Beginning, inPlace: Sealer) {
    this.#threads = threads;
    this.#beginning = beginning;
    this.#inPlace = inPlace;
  }

  async seal(chunk: PlainChunk): Promise<Sealing> {
    // In the next turn of the event loop the threads' answers may have come.
    if (!this.#threads.isFree) await new Promise((resolve) => setImmediate(resolve));
    if (!this.#threads.isFree) {
      this.#beginning.add(chunk.bytes.length);
      return this.#inPlace.seal(chunk);
    }
    const { key, hash, isBlock } = chunk;
    const bytes = ownMemory(chunk);
    const job: SealJob = { key, hash, bytes, isBlock };
    const options = { transfer: [bytes.buffer], weightBytes: bytes.length };
    return { sealed: this.#threads.run('seal', job, options) };
  }
}

/** The chunk's bytes in memory that nobody else uses. */
function ownMemory({ bytes, isGiven }: PlainChunk): Uint8Array<ArrayBuffer> {
  const { buffer, length } = bytes;
  const isAlone = isGiven && buffer instanceof ArrayBuffer && buffer.byteLength === length;
  return isAlone ? new Uint8Array(buffer) : Uint8Array.from(bytes);
}

async function openSmall(
  threads: JobRunner,
  beginning: Beginning,
  fileSystem: FileSystem,
  path: Uint8Array,
): Promise<ReadableFile> {
  if (!threads.isFree) {
    beginning.add(limits.threadsFileBytes);
    return fileSystem.openForReading(path);
  }
  const job: ReadJob = { path: Uint8Array.from(path), mostBytes: limits.chunkMinBytes };
  const weightBytes = limits.threadsFileBytes;
  const file = await threads.run<SmallFile | undefined>('read', job, { weightBytes });
  // One that has grown, or is no file any more.
  return file === undefined ? fileSystem.openForReading(path) : wasRead(file);
}

/** A file that was read to its end when it was opened. */
function wasRead({ before, whole, after }: SmallFile): ReadableFile {
  let info = before;
  let at = 0;
  return {
    whole,
    info: () => {
      const said = info;
      info = after;
      return Promise.resolve(said);
    },
    read: (into) => {
      const piece = whole.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
    close: () => Promise.resolve(),
  };
}
