/**
 * What LMDB cannot do about its own file.
 *
 * LMDB maps its file into memory and trusts it. A file that is not LMDB's, or is shorter than it says, ends the whole
 * process when it is used, and so does a disk that is full in the middle of a commit. So the file is looked at before it
 * is opened, and room is kept ready behind its last page, written with zeros, so that a commit never needs new room.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';

import { systemCode } from './errors.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * The first two pages each begin with a page header, then comes a meta record: magic number, version, address, size of
 * the map, two tables (the first one's first field is the size of a page), last page, number of the transaction. The
 * newer of the two counts.
 */
const meta = { magicAt: 24, versionAt: 28, pageSizeAt: 48, lastPageAt: 144, transactionAt: 152, bytes: 160 };
const magic = 0xbeefc0de;
const dataVersion = 2;
const largestPageBytes = 64 * KiB;

/** Room kept ready behind the last page, beyond what the next commit may need. */
const smallestStepBytes = MiB;
const largestStepBytes = 32 * MiB;
/** Room is written in pieces of this size. */
const pieceBytes = 256 * KiB;

/** Bytes that LMDB needs on the disk before it makes a new file: less room would end the process. */
export const newLmdbBytes = smallestStepBytes + 64 * KiB;

/**
 * Looks at the head of an LMDB file (`data.mdb`) and at its length.
 * @returns why it must not be opened; undefined when it may be, or when there is none, or an empty one.
 */
export async function lmdbFileProblem(path: string): Promise<string | undefined> {
  const sizeBytes = await sizeOfFile(path);
  if (sizeBytes === undefined || sizeBytes === 0) return undefined;
  const handle = await open(path, 'r');
  try {
    const metaAt = async (position: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(meta.bytes);
      await handle.read(bytes, 0, bytes.length, position);
      return bytes;
    };
    const first = await metaAt(0);
    if (!isMeta(first)) return 'it is not an LMDB file';
    const pageBytes = first.readUInt32LE(meta.pageSizeAt);
    if (pageBytes < 512 || pageBytes > largestPageBytes) return 'it is not an LMDB file';
    const second = await metaAt(pageBytes);
    if (!isMeta(second)) return 'its second page is damaged';
    const transaction = (one: Buffer): bigint => one.readBigUInt64LE(meta.transactionAt);
    const newer = transaction(second) > transaction(first) ? second : first;
    const neededBytes = (newer.readBigUInt64LE(meta.lastPageAt) + 1n) * BigInt(pageBytes);
    return BigInt(sizeBytes) < neededBytes ? 'it is cut short' : undefined;
  } finally {
    await handle.close();
  }
}

function isMeta(bytes: Buffer): boolean {
  return (
    bytes.readUInt32LE(meta.magicAt) === magic &&
    (bytes.readUInt32LE(meta.versionAt) & 0xffff) === dataVersion
  );
}

/** A file's length, or undefined when there is none. */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Room behind the last page of an open LMDB file. */
export class LmdbRoom {
  readonly #handle: FileHandle;
  #sizeBytes: number;

  private constructor(handle: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
  }

  /**
   * @param path the file, which LMDB has open
   * @param openFile the system's; tests give another one
   */
  static async of(path: string, openFile: typeof open = open): Promise<LmdbRoom> {
    // Appending: another process may have LMDB's file open too, and what it wrote must not be written over.
    const handle = await openFile(path, 'a');
    return new LmdbRoom(handle, (await handle.stat()).size);
  }

  /**
   * Makes sure that a commit finds room for its pages. To be called while no commit of this process is running.
   * @param stats what LMDB says of the file
   * @param changes how many entries are changed, and the bytes of their values together
   * @throws the system's error when the disk is full.
   */
  async ensure(
    stats: { readonly lastPageNumber: number; readonly pageSize: number },
    changes: { readonly count: number; readonly valueBytes: number },
  ): Promise<void> {
    const { lastPageNumber, pageSize } = stats;
    const usedBytes = (lastPageNumber + 1) * pageSize;
    // A change rewrites its leaf, may split it, and rewrites the branch above; the pages near the root and the list of
    // free pages are shared.
    const pages = 3 * changes.count + Math.ceil((2 * changes.valueBytes) / pageSize) + 64;
    const neededBytes = pages * pageSize;
    if (usedBytes + neededBytes <= this.#sizeBytes) return;
    // LMDB may have written behind what was made ready, when a commit needed more than was foreseen.
    this.#sizeBytes = (await this.#handle.stat()).size;
    const step = Math.min(Math.max(usedBytes / 4, smallestStepBytes), largestStepBytes);
    const wanted = Math.ceil((usedBytes + neededBytes + step) / MiB) * MiB;
    try {
      await this.#growTo(wanted);
    } catch (error) {
      // A disk that is nearly full may still have what this commit needs.
      if (this.#sizeBytes < usedBytes + neededBytes) throw error;
    }
    await this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #growTo(wantedBytes: number): Promise<void> {
    const zeros = Buffer.alloc(pieceBytes);
    while (this.#sizeBytes < wantedBytes) {
      await this.#handle.write(zeros, 0, Math.min(zeros.length, wantedBytes - this.#sizeBytes));
      this.#sizeBytes = (await this.#handle.stat()).size;
    }
  }
}

/** lmdb-js puts the reason of a failed commit into a second promise on its error. @returns that reason. */
export async function lmdbFailure(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  return Promise.resolve(error.commitError).catch((cause: unknown) => cause);
}
