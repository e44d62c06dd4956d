/**
 * What a backup remembers between runs, on this machine: where each chunk is stored, and the content of each file as it
 * was last read. It saves work and decides nothing: what it names is confirmed by the ring before it is used, whatever
 * cannot be read counts as not remembered, and it may be deleted at any time. It holds keys of chunks, so only its
 * owner may read it.
 */
import { bytesEqual, concatBytes, sha256 } from '../base/bytes.js';
import { binary, type Codec, int64, integer, packValue, tuple, unpackValue } from '../base/codec.js';
import { hasCode } from '../base/errors.js';
import type { FileInfo } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
import { LmdbCache, type LmdbCacheOptions } from '../base/lmdb-cache.js';
import type { Content } from '../archive/entry.js';
import { decodeContent, encodeContent } from '../archive/reference.js';
import type { ChunkIndex, ChunkLocation } from '../archive/ports.js';
import { idCodec } from '../wire/index.js';

/** The contents of files, by path. */
export interface FileCache {
  /** The content of a file that is as it was when it was last read. */
  get(path: Uint8Array, info: FileInfo): Content | undefined;
  /**
   * Remembers a file that was read.
   * @param openedMs wall time just before it was opened: a file that changed as lately as that may change again without
   *   its times telling, and is not remembered
   */
  set(path: Uint8Array, info: FileInfo, openedMs: number, content: Content): void;
}

export interface BackupCache {
  readonly chunks: ChunkIndex;
  readonly files: FileCache;
  close(): Promise<void>;
}

/** Two changes within one step of a file system's times leave one time. FAT has two seconds, the others far less. */
const timeStepMs = 50;

/** The names carry the version of what is in the tables. */
const chunkTable = 'chunks-2';
const fileTable = 'files-2';

const slash = 0x2f;
const keyBytes = 16;
const directoryBytes = 8;
const checkBytes = 8;

const locationCodec = tuple<[ChunkLocation['block'], number, number, Uint8Array]>(
  idCodec,
  integer(0, limits.blockBytes),
  integer(0, limits.blockBytes),
  binary(32),
);
/** Size, mtime, ctime, device, inode, content. */
const fileCodec = tuple<[number, bigint, bigint, bigint, bigint, Uint8Array]>(
  integer(0, Number.MAX_SAFE_INTEGER),
  int64,
  int64,
  int64,
  int64,
  binary(1, limits.blockBytes),
);

/** Opens the cache in a directory, which is made if need be. It never fails: without a disk it remembers in memory. */
export async function openBackupCache(options: Omit<LmdbCacheOptions, 'tables'>): Promise<BackupCache> {
  const cache = new CheckedCache(await LmdbCache.open({ ...options, tables: [chunkTable, fileTable] }));
  return {
    chunks: {
      get: (name) => {
        const found = cache.get(locationCodec, chunkTable, keyOfName(name));
        if (found === undefined) return undefined;
        const [block, offset, length, key] = found;
        return { block, offset, length, key };
      },
      set: (name, { block, offset, length, key }) =>
        cache.set(locationCodec, chunkTable, keyOfName(name), [block, offset, length, key]),
    },
    files: {
      get: (path, info) => {
        const found = cache.get(fileCodec, fileTable, keyOfPath(path));
        if (found === undefined) return undefined;
        const [sizeBytes, mtimeNs, ctimeNs, dev, ino, content] = found;
        const isSame =
          sizeBytes === info.sizeBytes &&
          mtimeNs === wrapped(info.mtimeNs) &&
          ctimeNs === wrapped(info.ctimeNs) &&
          dev === wrapped(info.dev) &&
          ino === wrapped(info.ino);
        return isSame ? ifReadable(() => decodeContent(content)) : undefined;
      },
      set: (path, info, openedMs, content) => {
        if (info.ctimeNs >= BigInt(Math.floor(openedMs - timeStepMs)) * 1_000_000n) return;
        cache.set(fileCodec, fileTable, keyOfPath(path), [
          info.sizeBytes,
          wrapped(info.mtimeNs),
          wrapped(info.ctimeNs),
          wrapped(info.dev),
          wrapped(info.ino),
          encodeContent(content),
        ]);
      },
    },
    close: () => cache.close(),
  };
}

/**
 * Values with a check that covers their keys: a wrong place of a chunk that still has the shape of one would go into
 * snapshots, which could not be read there. LMDB does not notice when a byte of its file is another one.
 */
class CheckedCache {
  readonly #cache: LmdbCache;

  constructor(cache: LmdbCache) {
    this.#cache = cache;
  }

  get<T>(codec: Codec<T>, table: string, key: Uint8Array): T | undefined {
    const checked = this.#cache.get(table, key);
    if (checked === undefined || checked.length < checkBytes) return undefined;
    const value = checked.subarray(checkBytes);
    if (!bytesEqual(checked.subarray(0, checkBytes), checkOf(key, value))) return undefined;
    return ifReadable(() => unpackValue(codec, value, 'entry of the backup cache'));
  }

  set<T>(codec: Codec<T>, table: string, key: Uint8Array, value: T): void {
    const packed = packValue(codec, value);
    this.#cache.set(table, key, concatBytes(checkOf(key, packed), packed));
  }

  close(): Promise<void> {
    return this.#cache.close();
  }
}

function checkOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  return sha256(key, value).subarray(0, checkBytes);
}

/** Devices, inodes and times far away take more than 63 bits; to be compared, the low 64 are enough. */
function wrapped(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** The names come out of a keyed hash: half of one tells its chunk from all others. */
function keyOfName(name: string): Uint8Array {
  return Buffer.from(name.slice(0, 2 * keyBytes), 'hex');
}

/**
 * Paths are longer than keys may be. The files of a directory lie side by side, so that those who come one behind the
 * other are written to the same pages: with keys all over the file, a page is written for every one of them.
 */
function keyOfPath(path: Uint8Array): Uint8Array {
  const name = path.lastIndexOf(slash) + 1;
  return concatBytes(
    sha256(path.subarray(0, name)).subarray(0, directoryBytes),
    sha256(path).subarray(0, keyBytes),
  );
}

/** What the cache holds is never trusted to have a shape. */
function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, 'PROTOCOL', 'DAMAGED')) return undefined;
    throw error;
  }
}
