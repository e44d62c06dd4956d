/**
 * The files of the index, and how they are kept from ending the process (see base/lmdb-file.ts): besides a look at the
 * file before it is opened, a mark counts the starts that ended while it was read, for pages may be damaged inside.
 */
import { mkdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { lmdbFileProblem, newLmdbBytes, sizeOfFile } from '../base/lmdb-file.js';
import { directoryMode, fileMode } from './disk-files.js';

/** The directory of the index, before LMDB has it open. */
export class IndexDirectory {
  readonly dataPath: string;
  readonly #markPath: string;
  readonly #distrustPath: string;

  constructor(readonly path: string) {
    this.dataPath = join(path, 'data.mdb');
    this.#markPath = join(path, 'opening');
    this.#distrustPath = join(path, 'distrusted');
  }

  /**
   * Makes the directory ready to be opened, and marks that an attempt has begun.
   * @returns why the index must not be opened, undefined when it may be.
   */
  async prepare(): Promise<string | undefined> {
    await mkdir(this.path, { recursive: true, mode: directoryMode });
    const size = await sizeOfFile(this.dataPath);
    // Before LMDB makes its files: on a full disk it would end the process, an ordinary file gives an error.
    if (size === undefined) await this.#tryRoom();
    const attempts = (await sizeOfFile(this.#markPath)) ?? 0;
    await this.#mark(attempts + 1, size !== undefined);
    if ((await sizeOfFile(this.#distrustPath)) !== undefined) return 'the disk failed while it was written';
    if (attempts >= limits.indexOpenAttempts) return `reading it ended the process ${attempts} times`;
    return lmdbFileProblem(this.dataPath);
  }

  /** Says that the index was read to its end: the attempt did not kill us. */
  async isGood(): Promise<void> {
    await unlink(this.#markPath).catch(ignoreAbsent);
  }

  /**
   * Says that the disk failed while the index was written: the next start makes it again from the files. A disk that does
   * not take even this may have it all the same.
   */
  async distrust(): Promise<void> {
    await writeFile(this.#distrustPath, '', { mode: fileMode }).catch(() => undefined);
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
      await writeFile(path, Buffer.alloc(newLmdbBytes), { mode: fileMode });
    } finally {
      await unlink(path).catch(ignoreAbsent);
    }
  }
}

function ignoreAbsent(error: unknown): void {
  if (systemCode(error) !== 'ENOENT') throw error;
}
