/**
 * What a backup remembers between runs, on this machine: where each chunk is stored, and the content of each file as it
 * was last read. It saves work and decides nothing: what it names is confirmed by the ring before it is used, and it may
 * be deleted at any time. It holds keys of chunks, so only its owner may read it.
 */
import { open as openLmdb, type Database, type RootDatabase } from 'lmdb';

import { sha256 } from '../base/bytes.js';
import { binary, int64, integer, packValue, tuple, unpackValue } from '../base/codec.js';
import type { FileInfo } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
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

/** The coarsest step of file times: two changes within it may leave one time. FAT has two seconds, others far less. */
const timeStepMs = 50;

const locationCodec = tuple<[ChunkLocation['block'], number, number, Uint8Array]>(
  idCodec,
  integer(0, limits.blockBytes),
  integer(0, limits.blockBytes),
  binary(32),
);
const fileCodec = tuple<[number, bigint, bigint, bigint, bigint, Uint8Array]>(
  integer(0, Number.MAX_SAFE_INTEGER),
  int64,
  int64,
  int64,
  int64,
  binary(1, limits.blockBytes),
);

/** Opens the cache in a directory, which is made if need be. A damaged one has to be deleted; it says so. */
export function openBackupCache(directory: string): BackupCache {
  const root: RootDatabase = openLmdb({
    path: directory,
    maxDbs: 2,
    // A crash may cost the last entries: they are learned again.
    noSync: true,
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  const chunks: Database<Buffer, Buffer> = root.openDB({
    name: 'chunks-1',
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  const files: Database<Buffer, Buffer> = root.openDB({
    name: 'files-1',
    encoding: 'binary',
    keyEncoding: 'binary',
  });
  return {
    chunks: {
      get: (name) => {
        const bytes = chunks.get(Buffer.from(name, 'hex'));
        if (bytes === undefined) return undefined;
        const [block, offset, length, key] = unpackValue(locationCodec, bytes, 'backup cache');
        return { block, offset, length, key };
      },
      set: (name, { block, offset, length, key }) => {
        void chunks.put(
          Buffer.from(name, 'hex'),
          Buffer.from(packValue(locationCodec, [block, offset, length, key])),
        );
      },
    },
    files: {
      get: (path, info) => {
        const bytes = files.get(keyOf(path));
        if (bytes === undefined) return undefined;
        const [sizeBytes, mtimeNs, ctimeNs, dev, ino, content] = unpackValue(
          fileCodec,
          bytes,
          'backup cache',
        );
        const same =
          sizeBytes === info.sizeBytes &&
          mtimeNs === info.mtimeNs &&
          ctimeNs === info.ctimeNs &&
          dev === info.dev &&
          ino === info.ino;
        return same ? decodeContent(content) : undefined;
      },
      set: (path, info, openedMs, content) => {
        if (info.ctimeNs >= BigInt(Math.floor(openedMs - timeStepMs)) * 1_000_000n) return;
        const { sizeBytes, mtimeNs, ctimeNs, dev, ino } = info;
        void files.put(
          keyOf(path),
          Buffer.from(packValue(fileCodec, [sizeBytes, mtimeNs, ctimeNs, dev, ino, encodeContent(content)])),
        );
      },
    },
    close: () => root.close(),
  };
}

/** Paths are longer than keys may be. */
function keyOf(path: Uint8Array): Buffer {
  return Buffer.from(sha256(path));
}
