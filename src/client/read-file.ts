/** Reads a file that a scan found, and notices when it changes meanwhile. */
import { PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem, ReadableFile } from '../base/filesystem.js';
import { type Problem, problem, ProblemError, readProblem } from './problem.js';

/**
 * A file that is being read for a backup:
 *
 *     const file = await SourceFile.open(fileSystem, found.path);
 *     try {
 *       content = await writer.store(file.pieces(buffer, signal)); // file.bytesRead bytes, described by file.info
 *       changed = await file.change();
 *     } finally {
 *       await file.close();
 *     }
 */
export class SourceFile {
  /** As it was when it was opened. This, not what the scan saw, belongs to the content. */
  readonly info: FileInfo;
  readonly #path: Uint8Array;
  readonly #file: ReadableFile;
  #bytesRead = 0;

  private constructor(path: Uint8Array, file: ReadableFile, info: FileInfo) {
    this.#path = path;
    this.#file = file;
    this.info = info;
  }

  /**
   * Opens a file, without following a link that has taken its place or waiting for a FIFO that has.
   * @throws ProblemError when it cannot be opened or is no regular file any more.
   */
  static async open(fileSystem: FileSystem, path: Uint8Array): Promise<SourceFile> {
    const file = await failing(path, () => fileSystem.openForReading(path));
    try {
      const info = await failing(path, () => file.info());
      if (info.type !== 'file') {
        throw new ProblemError(
          problem('vanished', path, `was replaced by a ${info.type} while the backup ran`),
        );
      }
      return new SourceFile(path, file, info);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes given out so far: the size to record. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /**
   * The content, in order. It ends where the file ended when it was opened, so that one which grows as fast as it is
   * read has an end too.
   * @param buffer what the pieces are read into: each piece is part of it, and holds until the next one is asked for
   * @throws ProblemError when reading fails; PeerStoreError CANCELLED.
   */
  async *pieces(buffer: Uint8Array, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#bytesRead < this.info.sizeBytes) {
      if (signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'the backup was cancelled');
      const wanted = Math.min(buffer.length, this.info.sizeBytes - this.#bytesRead);
      const length = await failing(this.#path, () => this.#file.read(buffer.subarray(0, wanted)));
      if (length === 0) return;
      this.#bytesRead += length;
      yield buffer.subarray(0, length);
    }
  }

  /**
   * The content at once, of a file that is small. Its memory is the caller's.
   * @throws ProblemError when reading fails.
   */
  async whole(): Promise<Uint8Array> {
    const { whole } = this.#file;
    if (whole !== undefined) {
      this.#bytesRead = whole.length;
      return whole;
    }
    const bytes = new Uint8Array(this.info.sizeBytes);
    while (this.#bytesRead < bytes.length) {
      const length = await failing(this.#path, () => this.#file.read(bytes.subarray(this.#bytesRead)));
      if (length === 0) break;
      this.#bytesRead += length;
    }
    return bytes.subarray(0, this.#bytesRead);
  }

  /**
   * After the last piece: the problem to report when the file changed since it was opened.
   * @throws ProblemError when that cannot be found out.
   */
  async change(): Promise<Problem | undefined> {
    const now = await failing(this.#path, () => this.#file.info());
    const same =
      this.#bytesRead === this.info.sizeBytes &&
      now.sizeBytes === this.info.sizeBytes &&
      now.mtimeNs === this.info.mtimeNs &&
      now.ctimeNs === this.info.ctimeNs;
    return same
      ? undefined
      : problem('changed', this.#path, 'changed while it was read; stored as it was read');
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Turns the system's error into the path's problem. */
async function failing<T>(path: Uint8Array, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // Not of the file: a thread that was to read it has died.
    if (error instanceof PeerStoreError) throw error;
    throw new ProblemError(readProblem(path, error), error);
  }
}
