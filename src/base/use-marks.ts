/**
 * Marks in a directory that tell how its last users ended.
 *
 * Each user has a file there, with a lock that the kernel takes away when the process ends, however that happens: a mark
 * without a lock was left by one that never closed. What is in the file says whether it got as far as using what is
 * there, or ended while opening it.
 *
 * Marks appear and go under a lock of the caller's, one caller at a time: a mark that is being made has no lock yet.
 */
import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { toHex } from './bytes.js';
import { PeerStoreError, systemCode } from './errors.js';
import { type FileLock, lockFile } from './files.js';
import type { Random } from './random.js';

/** Who uses a directory, and who died using it. */
export interface UseSurvey {
  readonly alive: number;
  readonly diedOpening: number;
  readonly diedUsing: number;
}

const prefix = 'use-';
type Phase = 'opening' | 'using';

/** This process's mark. */
export class UseMark {
  readonly #path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock) {
    this.#path = path;
    this.#lock = lock;
  }

  /** Leaves a mark that says `opening`. */
  static async leave(directory: string, random: Random): Promise<UseMark> {
    const path = join(directory, `${prefix}${toHex(random.bytes(8))}`);
    const lock = await lockFile(path);
    if (lock === undefined)
      throw new PeerStoreError('IO', `the new file ${path} is locked by another process`);
    const mark = new UseMark(path, lock);
    await mark.#write('opening');
    return mark;
  }

  /** What is there was opened; from here on it is used. */
  using(): Promise<void> {
    return this.#write('using');
  }

  /** Ends the use. */
  async end(): Promise<void> {
    await removeIfThere(this.#path);
    await this.#lock.release();
  }

  #write(phase: Phase): Promise<void> {
    return writeFile(this.#path, phase, { mode: 0o600 });
  }
}

/** Looks at the marks in a directory. */
export async function surveyUse(directory: string): Promise<UseSurvey> {
  const survey = { alive: 0, diedOpening: 0, diedUsing: 0 };
  await eachMark(directory, async (path, lock) => {
    if (lock === undefined) survey.alive += 1;
    else if ((await readFile(path, 'utf8')) === 'using') survey.diedUsing += 1;
    else survey.diedOpening += 1;
  });
  return survey;
}

/** Takes the marks of the dead away. */
export async function forgetTheDead(directory: string): Promise<void> {
  await eachMark(directory, async (path, lock) => {
    if (lock !== undefined) await removeIfThere(path);
  });
}

async function eachMark(
  directory: string,
  look: (path: string, lock: FileLock | undefined) => Promise<void>,
): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    const lock = await lockFile(path);
    try {
      await look(path, lock);
    } finally {
      await lock?.release();
    }
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
