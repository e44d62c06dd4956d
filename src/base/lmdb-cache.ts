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
import { chmod, mkdir, rm, unlink, writeFile } from 'node:fs/promises';
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
}

interface Entry {
  readonly table: string;
  readonly key: Buffer;
  readonly value: Buffer;
}

export class LmdbCache {
  readonly #options: LmdbCacheOptions;
  readonly #mark: UseMark | undefined;
  #file: OpenFile | undefined;
  /** Entries that are not committed yet, the oldest first; without a file, all that is remembered. */
  #waiting = new Map<string, Entry>();
  /** Entries whose commit is under way. */
  #inCommit = new Map<string, Entry>();
  #committing: Promise<void> | undefined;
  /** The end of a file that failed. */
  #closing: Promise<void> = Promise.resolve();
  /** Set when the file could not be read: the next start begins anew. */
  #isDamaged = false;
  #committedMs: number;

  private constructor(options: LmdbCacheOptions, opened?: { file: OpenFile; mark: UseMark }) {
    this.#options = options;
    this.#file = opened?.file;
    this.#mark = opened?.mark;
    this.#committedMs = options.clock.monotonicMs();
  }

  /** Opens the cache. What cannot be opened is begun anew; where that fails too, the cache is in memory only. */
  static async open(options: LmdbCacheOptions): Promise<LmdbCache> {
    try {
      return new LmdbCache(options, await openMarked(options));
    } catch (error) {
      warn(options, 'the cache cannot be used; this run does without', error);
      return new LmdbCache(options);
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
      this.#isDamaged = true;
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
      this.#options.clock.monotonicMs() - this.#committedMs >= limits.cacheCommitMs;
    if (this.#file !== undefined && isDue) this.#committing ??= this.#commit(this.#file);
  }

  /** Commits what waits, and closes the file. Never rejects. */
  async close(): Promise<void> {
    await this.#committing;
    if (this.#file !== undefined) await this.#commit(this.#file);
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) this.#closing = closeFile(file);
    try {
      await this.#closing;
      if (this.#mark !== undefined) await endMarked(this.#options, this.#mark, this.#isDamaged);
    } catch (error) {
      warn(this.#options, 'the cache was not closed in order', error);
    }
  }

  /** Never rejects: a failure ends the use of the file. */
  async #commit(file: OpenFile): Promise<void> {
    this.#inCommit = this.#waiting;
    this.#waiting = new Map();
    const entries = [...this.#inCommit.values()];
    try {
      if (entries.length === 0) return;
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
    } finally {
      this.#inCommit = new Map();
      this.#committedMs = this.#options.clock.monotonicMs();
      this.#committing = undefined;
    }
  }

  /** Goes on without the file, which is closed in the background. */
  #giveUp(reason: unknown): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    warn(this.#options, 'the cache failed; the rest of this run does without', reason);
    this.#closing = Promise.resolve(this.#committing).then(() => closeFile(file));
    this.#closing.catch(() => undefined); // close() hands it on
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

function warn({ log, directory }: LmdbCacheOptions, message: string, error: unknown): void {
  log.warn(message, { directory, error: messageOf(error) });
}

/** Opens the file, or begins it anew when the marks or its head say so. @throws whatever fails. */
async function openMarked(options: LmdbCacheOptions): Promise<{ file: OpenFile; mark: UseMark }> {
  const { directory, random, tables } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const starting = await startLock(options);
  try {
    const folder = join(directory, 'lmdb');
    const alive = await beginAnewIfNeeded(options, folder);
    const mark = await UseMark.leave(directory, random);
    try {
      const file = await openLmdb(folder, tables).catch(async (error: unknown) => {
        if (alive > 0) throw error;
        warn(options, 'the cache is begun anew', error);
        await rm(folder, { recursive: true, force: true });
        return openLmdb(folder, tables);
      });
      await mark.using();
      return { file, mark };
    } catch (error) {
      await mark.end();
      throw error;
    }
  } finally {
    await starting.release();
  }
}

/** @returns how many others use the file now. */
async function beginAnewIfNeeded(options: LmdbCacheOptions, folder: string): Promise<number> {
  const { directory } = options;
  const { alive, diedOpening, diedUsing } = await surveyUse(directory);
  const problem =
    diedOpening > 0
      ? 'opening it ended the last run'
      : diedUsing >= limits.cacheUncleanEnds
        ? `the last ${diedUsing} runs ended while they used it`
        : await fileProblem(join(folder, 'data.mdb'));
  if (problem === undefined) return alive;
  // Those who use it get along with it; when they are done, a later start makes it anew.
  if (alive > 0) throw new PeerStoreError('IO', `${problem}, and another run is using it`);
  warn(options, 'the cache is begun anew', problem);
  await rm(folder, { recursive: true, force: true });
  await forgetTheDead(directory);
  return 0;
}

/** A run that ended well shows that the file is good, whoever died before. */
async function endMarked(options: LmdbCacheOptions, mark: UseMark, isDamaged: boolean): Promise<void> {
  const ending = await startLock(options);
  try {
    await mark.end();
    await forgetTheDead(options.directory);
    const isAlone = (await surveyUse(options.directory)).alive === 0;
    if (isDamaged && isAlone) await rm(join(options.directory, 'lmdb'), { recursive: true, force: true });
  } finally {
    await ending.release();
  }
}

/** One at a time makes and takes marks, and makes the file. */
async function startLock({ directory, clock }: LmdbCacheOptions): Promise<FileLock> {
  const since = clock.monotonicMs();
  for (;;) {
    const lock = await lockFile(join(directory, 'start'));
    if (lock !== undefined) return lock;
    if (clock.monotonicMs() - since >= limits.cacheOpenWaitMs) {
      throw new PeerStoreError('IO', 'another run has been opening or closing it for long');
    }
    await sleep(clock, lockPauseMs);
  }
}

async function fileProblem(path: string): Promise<string | undefined> {
  if (((await sizeOfFile(path)) ?? 0) > limits.cacheFileBytes) return 'it has grown too large';
  return lmdbFileProblem(path);
}

async function openLmdb(folder: string, names: readonly string[]): Promise<OpenFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await sizeOfFile(join(folder, 'data.mdb'))) === undefined) await tryRoom(folder);
  const root = open<Buffer, Buffer>({
    path: folder,
    noSubdir: false,
    maxDbs: names.length,
    encoding: 'binary',
    keyEncoding: 'binary',
    overlappingSync: false,
    // Of a file of hundreds of MiB, as a million files make it, a part is mapped at a time.
    remapChunks: true,
    // With it, a commit that fails rejects a promise that nobody can reach, and so ends the process.
    eventTurnBatching: false,
  });
  try {
    for (const name of ['data.mdb', 'lock.mdb']) await chmod(join(folder, name), 0o600);
    const tables = new Map<string, Table>();
    for (const name of names) {
      const table = root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
      // What is damaged where every look-up passes ends the process here, while the mark says `opening`.
      for (const _ of table.getRange({ limit: 1 }));
      for (const _ of table.getRange({ limit: 1, reverse: true }));
      tables.set(name, table);
    }
    return { root, tables, room: await LmdbRoom.of(join(folder, 'data.mdb')) };
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

async function closeFile({ root, room }: OpenFile): Promise<void> {
  await root.close();
  await room.close();
}
