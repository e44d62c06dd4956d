/**
 * Files that are there whole or not at all. A value is written under a temporary name, synced, and renamed to its
 * place; then the directory is synced, for a rename survives a power cut only after that. When the writing or the
 * first sync fails, the temporary file goes: nobody knows what of it is on disk.
 */
import { constants, type FileHandle, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import PQueue from 'p-queue';

import { toHex } from '../base/bytes.js';
import { systemCode } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import { isUnreadable } from './disk-errors.js';
import type { DiskHealth } from './disk-health.js';
import type { DiskSystem } from './disk-system.js';

/** Permissions: what a peer keeps is nobody else's business. */
export const directoryMode = 0o700;
export const fileMode = 0o600;

const temporaryNameBytes = 12;

/** Whether a file of this name may be one that {@link DiskFiles} left in its temporary directory. */
export function isTemporaryName(name: string): boolean {
  return name.length === 2 * temporaryNameBytes && /^[0-9a-f]*$/.test(name);
}

/** What became of a damaged file; one that is stuck stays where it is, and the next start looks at it again. */
export type SetAside = 'moved' | 'missing' | 'stuck';

/** What to say of a value whose file was found damaged. */
export const setAsideWords: Readonly<Record<SetAside, string>> = {
  moved: 'was damaged on disk and is set aside',
  missing: 'has lost its file',
  stuck: 'was damaged on disk and cannot be moved',
};

export interface DiskFilesOptions {
  /** An existing directory on the same file system as everything written. */
  readonly temporaryPath: string;
  readonly random: Random;
  readonly system: DiskSystem;
  /** Told of what comes of every operation. */
  readonly health: DiskHealth;
}

/** The operations on files, with a bound on how many run at the same time. */
export class DiskFiles {
  readonly #temporaryPath: string;
  readonly #random: Random;
  readonly #system: DiskSystem;
  readonly #health: DiskHealth;
  readonly #queue = new PQueue({ concurrency: limits.storeFileOperations });
  readonly #syncs: DirectorySyncs;
  readonly #made = new Set<string>();

  constructor({ temporaryPath, random, system, health }: DiskFilesOptions) {
    this.#temporaryPath = temporaryPath;
    this.#random = random;
    this.#system = system;
    this.#health = health;
    this.#syncs = new DirectorySyncs(system);
  }

  /**
   * Writes a file, replacing one that is there; durable when it resolves. When it rejects, the file at `path` is the
   * one from before, or, should only the sync of the directory have failed, the new one, whole.
   */
  write(path: string, bytes: Uint8Array): Promise<void> {
    return this.#do(path, bytes.length, async () => {
      const temporary = this.#temporaryName();
      try {
        await this.#writeNewFile(temporary, bytes);
        await this.#makeDirectory(dirname(path));
        await this.#system.rename(temporary, path);
      } catch (error) {
        await this.#removeIfThere(temporary);
        throw error;
      }
      await this.#syncs.sync(dirname(path));
      this.#health.wrote(bytes.length);
    });
  }

  /** Writes so many bytes, and lets go of them: whether that can be done is what counts. @throws the system's error. */
  tryWriting(sizeBytes: number): Promise<void> {
    const temporary = this.#temporaryName();
    return this.#do(temporary, sizeBytes, async () => {
      try {
        await this.#writeNewFile(temporary, Buffer.alloc(sizeBytes));
      } finally {
        await this.#removeIfThere(temporary);
      }
      this.#health.wrote(sizeBytes);
    });
  }

  /**
   * Reads a part of a file.
   * @returns fewer bytes when the file ends before, undefined when there is no file, or this one cannot be read: a bad
   * sector costs what lies there, and nothing else.
   */
  read(path: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#do(path, 0, () =>
      absentAsUndefined(async () => {
        const handle = await this.#system.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
        try {
          return await readPart(handle, offset, length);
        } finally {
          await handle.close();
        }
      }),
    ).catch((error: unknown) => {
      if (isUnreadable(error)) return undefined;
      throw error;
    });
  }

  /** A file's size and time of change, undefined when there is none. */
  stat(path: string): Promise<{ sizeBytes: number; changedAtMs: number } | undefined> {
    return this.#do(path, 0, () =>
      absentAsUndefined(async () => {
        const { size, mtimeMs } = await this.#system.stat(path);
        return { sizeBytes: size, changedAtMs: Math.floor(mtimeMs) };
      }),
    );
  }

  /** Moves a file, durably at its new place. @returns whether it was there. */
  async move(from: string, to: string): Promise<boolean> {
    const moved = await this.#do(from, 0, () =>
      absentAsUndefined(async () => {
        await this.#makeDirectory(dirname(to));
        await this.#system.rename(from, to);
        await this.#syncs.sync(dirname(to));
        return true;
      }),
    );
    return moved === true;
  }

  /** Moves a damaged file out of the way. The disk that cannot read it may not be able to move it either. */
  async setAside(from: string, to: string): Promise<SetAside> {
    try {
      return (await this.move(from, to)) ? 'moved' : 'missing';
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return 'stuck';
    }
  }

  /** Removes a file; nothing happens when it is not there. */
  remove(path: string): Promise<void> {
    return this.#do(path, 0, () => this.#removeIfThere(path));
  }

  /** Every operation goes through here: some at a time, and what the disk makes of it is noted. */
  #do<T>(path: string, sizeBytes: number, work: () => Promise<T>): Promise<T> {
    return this.#queue.add(async () => {
      try {
        return await work();
      } catch (error) {
        this.#health.failed({ error, path, sizeBytes });
        throw error;
      }
    });
  }

  #temporaryName(): string {
    return join(this.#temporaryPath, toHex(this.#random.bytes(temporaryNameBytes)));
  }

  async #writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.#system.open(path, 'wx', fileMode);
    try {
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, done)).bytesWritten;
      }
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  async #removeIfThere(path: string): Promise<void> {
    await absentAsUndefined(() => this.#system.unlink(path));
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await this.#system.mkdir(path, { recursive: true, mode: directoryMode });
    await this.#syncs.sync(dirname(path));
    this.#made.add(path);
  }
}

/**
 * A directory of values, one file each, named by the id and spread over 256 directories by its first two digits: no
 * directory gets too large to list.
 */
export class Shelf {
  constructor(readonly path: string) {}

  /** The shelf's directories, in the order of the ids in them. */
  static readonly prefixes: readonly string[] = Array.from({ length: 256 }, (_, at) =>
    at.toString(16).padStart(2, '0'),
  );

  pathOf(id: Id): string {
    return join(this.path, id.slice(0, 2), id);
  }

  /** The ids of the files in one of its directories, in order. Files of other names are none of ours. */
  async list(prefix: string): Promise<readonly Id[]> {
    const names = await absentAsUndefined(() => readdir(join(this.path, prefix)));
    return (names ?? [])
      .filter((name) => /^[0-9a-f]{64}$/.test(name) && name.startsWith(prefix))
      .sort() as Id[];
  }
}

/** One sync of a directory serves everybody who asked for it before it began. */
class DirectorySyncs {
  readonly #system: DiskSystem;
  readonly #syncs = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>();

  constructor(system: DiskSystem) {
    this.#system = system;
  }

  sync(path: string): Promise<void> {
    const now = this.#syncs.get(path);
    if (now === undefined) return this.#begin(path);
    now.next ??= now.running.catch(() => undefined).then(() => this.#begin(path));
    return now.next;
  }

  #begin(path: string): Promise<void> {
    const running = this.#system.syncDirectory(path);
    const entry = { running, next: undefined };
    this.#syncs.set(path, entry);
    const forget = (): void => {
      if (this.#syncs.get(path)?.next === undefined) this.#syncs.delete(path);
    };
    running.then(forget, forget);
    return running;
  }
}

async function readPart(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

async function absentAsUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
