/**
 * A cache on disk: tables of byte strings in LMDB, for what can be learned again. Nothing that happens to it ends what
 * it is used for. A value that was set may be gone; when the disk or the file fails, the cache says so once and goes on
 * in memory. Several processes may use one directory.
 *
 * LMDB ends the process when pages of its file are damaged inside, and no call can catch that. So every use leaves a
 * mark (use-marks.ts): when a use died while it opened the file, or several died while they used it, the next one
 * begins with an empty file. Values wait in memory and are committed in groups, each synced: a power cut leaves a
 * whole file.
 */
import { mkdir, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Database, open, type RootDatabase } from 'lmdb';

import { toHex } from './bytes.js';
import { type Clock, sleep } from './clock.js';
import { messageOf, PeerStoreError } from './errors.js';
import { type FileLock, lockFile } from './files.js';
import { limits } from './limits.js';
import { lmdbFailure, lmdbFileProblem, LmdbRoom, newLmdbBytes, sizeOfFile } from './lmdb-file.js';
import type { Logger } from './log.js';
import type { Random } from './random.js';
import { forgetTheDead, surveyUse, UseMark } from './use-marks.js';

export interface LmdbCacheOptions {
  /** Made if need be, for its owner only. */
  readonly directory: string;
  /** The names of the tables. A name that nobody had before begins an empty table. */
  readonly tables: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** The pause before the lock of a start is tried again. */
const lockPauseMs = 50;

type Table = Database<Buffer, Buffer>;

/** The file while it is open. */
interface OpenFile {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly tables: ReadonlyMap<string, Table>;
  readonly room: LmdbRoom;
  readonly mark: UseMark;
}

interface Entry {
  readonly table: string;
  readonly key: Buffer;
  readonly value: Buffer;
}

export class LmdbCache {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #directory: string;
  #file: OpenFile | undefined;
  /** Entries that are not committed yet, the oldest first; without a file, all that is remembered. */
  #waiting = new Map<string, Entry>();
  /** Entries whose commit is under way. */
  #inCommit = new Map<string, Entry>();
  #committing: Promise<void> | undefined;
  #committedMs: number;

  private constructor({ clock, log, directory }: LmdbCacheOptions, file: OpenFile | undefined) {
    this.#clock = clock;
    this.#log = log;
    this.#directory = directory;
    this.#file = file;
    this.#committedMs = clock.monotonicMs();
  }

  /** Opens the cache. What cannot be opened is begun anew; where that fails too, the cache is in memory only. */
  static async open(options: LmdbCacheOptions): Promise<LmdbCache> {
    const { directory, log } = options;
    try {
      return new LmdbCache(options, await openFile(options));
    } catch (error) {
      log.warn('the cache cannot be used; this run does without', { directory, error: messageOf(error) });
      return new LmdbCache(options, undefined);
    }
  }

  /** The value that was set last, unless it is forgotten. */
  get(table: string, key: Uint8Array): Uint8Array | undefined {
    const name = nameOf(table, key);
    const waiting = this.#waiting.get(name) ?? this.#inCommit.get(name);
    if (waiting !== undefined || this.#file === undefined) return waiting?.value;
    try {
      return this.#file.tables.get(table)?.get(Buffer.from(key));
    } catch (error) {
      this.#giveUp(error);
      return undefined;
    }
  }

  /** Remembers a value, if there is room for it. */
  set(table: string, key: Uint8Array, value: Uint8Array): void {
    const name = nameOf(table, key);
    this.#waiting.delete(name);
    this.#waiting.set(name, { table, key: Buffer.from(key), value: Buffer.from(value) });
    if (this.#waiting.size > limits.cacheWaitingEntries) this.#forgetOldest();
    const isDue =
      this.#waiting.size >= limits.cacheCommitEntries ||
      this.#clock.monotonicMs() - this.#committedMs >= limits.cacheCommitMs;
    if (this.#file !== undefined && isDue) this.#committing ??= this.#commit(this.#file);
  }

  /** Commits what waits, and closes the file. */
  async close(): Promise<void> {
    await this.#committing;
    if (this.#file !== undefined) await this.#commit(this.#file);
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      await closeFile(file);
    } catch (error) {
      this.#log.warn('the cache was not closed in order', {
        directory: this.#directory,
        error: messageOf(error),
      });
    }
  }

  /** Never rejects: a failure ends the use of the file. */
  async #commit(file: OpenFile): Promise<void> {
    this.#inCommit = this.#waiting;
    this.#waiting = new Map();
    const entries = [...this.#inCommit.values()];
    try {
      const valueBytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
      await file.room.ensure(file.root.getStats() as Parameters<LmdbRoom['ensure']>[0], {
        count: entries.length,
        valueBytes,
      });
      await file.root.batch(() => {
        // Within a batch the promise of each put is the batch's own.
        for (const { table, key, value } of entries) void file.tables.get(table)?.put(key, value);
      });
    } catch (error) {
      this.#giveUp(await lmdbFailure(error));
    }
    this.#inCommit = new Map();
    this.#committedMs = this.#clock.monotonicMs();
    this.#committing = undefined;
  }

  /** Goes on without the file, which is closed in the background. */
  #giveUp(reason: unknown): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#log.warn('the cache failed; the rest of this run does without', {
      directory: this.#directory,
      error: messageOf(reason),
    });
    closeFile(file).catch((error: unknown) =>
      this.#log.debug('the failed cache was not closed in order', { error: messageOf(error) }),
    );
  }

  #forgetOldest(): void {
    for (const name of this.#waiting.keys()) {
      this.#waiting.delete(name);
      return;
    }
  }
}

function nameOf(table: string, key: Uint8Array): string {
  return `${table}/${toHex(key)}`;
}

/** @throws whatever fails. */
async function openFile(options: LmdbCacheOptions): Promise<OpenFile> {
  const { directory, random, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const starting = await startLock(options);
  try {
    const folder = join(directory, 'lmdb');
    const { alive, diedOpening, diedUsing } = await surveyUse(directory);
    const problem =
      diedOpening > 0
        ? 'opening it ended the last run'
        : diedUsing >= limits.cacheUncleanEnds
          ? `the last ${diedUsing} runs ended while they used it`
          : await fileProblem(join(folder, 'data.mdb'));
    if (problem !== undefined) {
      // Those who use it get along with it; when they are done, a later start may make it anew.
      if (alive > 0) throw new PeerStoreError('IO', `${problem}, and another run is using it`);
      log.warn('the cache is begun anew', { directory, because: problem });
      await rm(folder, { recursive: true, force: true });
      await forgetTheDead(directory);
    }
    const mark = await UseMark.leave(directory, random);
    try {
      const file = await openLmdb(folder, options.tables, mark);
      await mark.using();
      return file;
    } catch (error) {
      await mark.end();
      throw error;
    }
  } finally {
    await starting.release();
  }
}

/** One start at a time: whoever looks at the marks must not meet a file that is being made. */
async function startLock({ directory, clock }: LmdbCacheOptions): Promise<FileLock> {
  const since = clock.monotonicMs();
  for (;;) {
    const lock = await lockFile(join(directory, 'start'));
    if (lock !== undefined) return lock;
    if (clock.monotonicMs() - since >= limits.cacheOpenWaitMs) {
      throw new PeerStoreError('IO', 'another run has been opening it for long');
    }
    await sleep(clock, lockPauseMs);
  }
}

async function fileProblem(path: string): Promise<string | undefined> {
  if (((await sizeOfFile(path)) ?? 0) > limits.cacheFileBytes) return 'it has grown too large';
  return lmdbFileProblem(path);
}

async function openLmdb(folder: string, names: readonly string[], mark: UseMark): Promise<OpenFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await sizeOfFile(join(folder, 'data.mdb'))) === undefined) await tryRoom(folder);
  const root = open<Buffer, Buffer>({
    path: folder,
    noSubdir: false,
    maxDbs: names.length,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    // With it, a commit that fails rejects a promise that nobody can reach, and so ends the process.
    eventTurnBatching: false,
  });
  try {
    const tables = new Map<string, Table>();
    for (const name of names) {
      const table = root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
      // What is damaged where every look-up passes ends the process here, while the mark says `opening`.
      for (const _ of table.getRange({ limit: 1 }));
      for (const _ of table.getRange({ limit: 1, reverse: true }));
      tables.set(name, table);
    }
    return { root, tables, room: await LmdbRoom.of(join(folder, 'data.mdb')), mark };
  } catch (error) {
    await root.close();
    throw error;
  }
}

/** An ordinary file on a full disk gives an error, where LMDB's new file would end the process. */
async function tryRoom(folder: string): Promise<void> {
  const path = join(folder, 'room');
  try {
    await writeFile(path, Buffer.alloc(newLmdbBytes), { mode: 0o600 });
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

async function closeFile({ root, room, mark }: OpenFile): Promise<void> {
  try {
    await root.close();
    await room.close();
  } finally {
    await mark.end();
  }
}
