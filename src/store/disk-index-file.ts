/**
 * The files of the index, and what LMDB cannot do about them itself.
 *
 * LMDB maps its file into memory and trusts it. Three things end the whole process when they reach it, so they are
 * dealt with before: a file that is not LMDB's at all (looked at before it is opened), pages that are damaged inside
 * (a mark counts the starts that ended while the index was read), and a disk that is full in the middle of a commit
 * (room is kept ready behind the last page, written with zeros, so that a commit never needs new room).
 */
import { type FileHandle, mkdir, open, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { directoryMode, fileMode } from './disk-files.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The first page: its header takes 24 bytes in lmdb-js's LMDB, then come the magic number and the version. */
const magicAt = 24;
const magic = 0xbeefc0de;
const dataVersion = 2;

/** Room kept ready behind the last page, beyond what the next commit may need. */
const smallestStepBytes = MiB;
const largestStepBytes = 32 * MiB;
/** Room is written in pieces of this size. */
const pieceBytes = 256 * KiB;

/** The directory of the index, before LMDB has it open. */
export class IndexDirectory {
  readonly dataPath: string;
  readonly #markPath: string;

  constructor(readonly path: string) {
    this.dataPath = join(path, 'data.mdb');
    this.#markPath = join(path, 'opening');
  }

  /**
   * Makes the directory ready to be opened, and marks that an attempt has begun.
   * @returns why the index must not be opened, undefined when it may be.
   */
  async prepare(): Promise<string | undefined> {
    await mkdir(this.path, { recursive: true, mode: directoryMode });
    const size = await sizeOf(this.dataPath);
    // Before LMDB makes its files: on a full disk it would end the process, an ordinary file gives an error.
    if (size === undefined) await this.#tryRoom();
    const attempts = (await sizeOf(this.#markPath)) ?? 0;
    await this.#mark(attempts + 1, size !== undefined);
    if (attempts >= limits.indexOpenAttempts) return `reading it ended the process ${attempts} times`;
    if (size === undefined || size === 0) return undefined;
    return (await looksLikeLmdb(this.dataPath)) ? undefined : 'it is not an LMDB file';
  }

  /** Says that the index was read to its end: the attempt did not kill us. */
  async isGood(): Promise<void> {
    await unlink(this.#markPath).catch(ignoreAbsent);
  }

  /** Moves the whole index out of the way, replacing one that was moved before. */
  async setAside(asidePath: string): Promise<void> {
    await rm(asidePath, { recursive: true, force: true });
    await rename(this.path, asidePath);
  }

  /** One byte an attempt. A full disk must not keep an index that exists from being read. */
  async #mark(attempts: number, exists: boolean): Promise<void> {
    try {
      await writeFile(this.#markPath, '.'.repeat(attempts), { mode: fileMode });
    } catch (error) {
      if (!exists || (systemCode(error) !== 'ENOSPC' && systemCode(error) !== 'EDQUOT')) throw error;
    }
  }

  async #tryRoom(): Promise<void> {
    const path = join(this.path, 'room');
    try {
      await writeFile(path, Buffer.alloc(smallestStepBytes + 64 * KiB), { mode: fileMode });
    } finally {
      await unlink(path).catch(ignoreAbsent);
    }
  }
}

/** Room behind the last page of an open index. */
export class IndexRoom {
  readonly #handle: FileHandle;
  #sizeBytes: number;

  private constructor(handle: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
  }

  static async of(directory: IndexDirectory): Promise<IndexRoom> {
    const handle = await open(directory.dataPath, 'r+');
    return new IndexRoom(handle, (await handle.stat()).size);
  }

  /**
   * Makes sure that a commit finds room for its pages. To be called while no commit is running.
   * @param usedBytes where the last page of the index ends
   * @throws the system's error when the disk is full.
   */
  async ensure(usedBytes: number, neededBytes: number): Promise<void> {
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
      const length = Math.min(zeros.length, wantedBytes - this.#sizeBytes);
      this.#sizeBytes += (await this.#handle.write(zeros, 0, length, this.#sizeBytes)).bytesWritten;
    }
  }
}

async function looksLikeLmdb(path: string): Promise<boolean> {
  const head = Buffer.alloc(magicAt + 8);
  const handle = await open(path, 'r');
  try {
    await handle.read(head, 0, head.length, 0);
  } finally {
    await handle.close();
  }
  return head.readUInt32LE(magicAt) === magic && (head.readUInt32LE(magicAt + 4) & 0xffff) === dataVersion;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    ignoreAbsent(error);
    return undefined;
  }
}

function ignoreAbsent(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error;
}
