/** The {@link FileSystem} of this machine, through node:fs. */
import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  chmod,
  constants,
  type FileHandle,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises';

import { asBuffer } from './bytes.js';
import type { FileInfo, FileSystem, FileType, ReadableFile, WritableFile } from './filesystem.js';
import { libc } from './native.js';

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function typeOf(stats: BigIntStats): FileType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block device' : 'character device';
}

function toInfo(stats: BigIntStats): FileInfo {
  return {
    type: typeOf(stats),
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    sizeBytes: Number(stats.size),
    mtimeNs: nearestInt64(stats.mtimeNs),
    ctimeNs: stats.ctimeNs,
    dev: stats.dev,
    ino: stats.ino,
    nlink: Number(stats.nlink),
  };
}

/** Some file systems keep times of any year; 64 bits of nanoseconds end in 1677 and 2262. */
function nearestInt64(value: bigint): bigint {
  if (BigInt.asIntN(64, value) === value) return value;
  return value < 0n ? -(2n ** 63n) : 2n ** 63n - 1n;
}

function readable(handle: FileHandle): ReadableFile {
  return {
    info: async () => toInfo(await handle.stat({ bigint: true })),
    read: async (into) => (await handle.read(into, 0, into.length, null)).bytesRead,
    close: () => handle.close(),
  };
}

function writable(handle: FileHandle): WritableFile {
  return {
    info: async () => toInfo(await handle.stat({ bigint: true })),
    write: async (bytes, position) => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    changeOwner: (uid, gid) => handle.chown(uid, gid),
    changeMode: (mode) => handle.chmod(mode),
    close: () => handle.close(),
  };
}

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  privileged: process.geteuid?.() === 0,
  lstat: async (path) => toInfo(await lstat(asBuffer(path), { bigint: true })),
  stat: async (path) => toInfo(await stat(asBuffer(path), { bigint: true })),
  readDirectory: (path) => readdir(asBuffer(path), { encoding: 'buffer' }),
  readLink: (path) => readlink(asBuffer(path), { encoding: 'buffer' }),
  openForReading: async (path) => readable(await open(asBuffer(path), readFlags)),
  createFile: async (path, mode) => writable(await open(asBuffer(path), createFlags, mode)),
  makeDirectory: async (path, mode) => {
    await mkdir(asBuffer(path), { mode });
  },
  makeSymlink: (target, path) => symlink(asBuffer(target), asBuffer(path)),
  link: (existing, path) => link(asBuffer(existing), asBuffer(path)),
  changeMode: (path, mode) => chmod(asBuffer(path), mode),
  changeOwner: (path, uid, gid) => lchown(asBuffer(path), uid, gid),
  setTimes: async (path, mtimeNs) => {
    if (libc?.setTimes(path, mtimeNs, mtimeNs) === true) return;
    // Also after a failure above, which came without its code: this one brings it.
    const seconds = Number(mtimeNs) / 1e9;
    await lutimes(asBuffer(path), seconds, seconds);
  },
  rename: (from, to) => rename(asBuffer(from), asBuffer(to)),
  unlink: (path) => unlink(asBuffer(path)),
  removeDirectory: (path) => rmdir(asBuffer(path)),
};

/** A file that was read in one go. */
export interface SmallFile {
  /** As it was when it was opened, and after it was read. */
  readonly before: FileInfo;
  readonly after: FileInfo;
  /** Its bytes up to the size that it had at first, or to its end. */
  readonly whole: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a small file, waiting for the disk: for threads that have nothing else to do. It costs a fifth of what the same
 * five calls cost one by one. Throws as {@link FileSystem.openForReading}.
 * @returns undefined when it is no regular file, or has more bytes.
 */
export function readSmallFile(path: Uint8Array, mostBytes: number): SmallFile | undefined {
  const file = openSync(asBuffer(path), readFlags);
  try {
    const before = toInfo(fstatSync(file, { bigint: true }));
    if (before.type !== 'file' || before.sizeBytes > mostBytes) return undefined;
    const bytes = new Uint8Array(before.sizeBytes);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(file, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    const after = toInfo(fstatSync(file, { bigint: true }));
    return { before, after, whole: length === bytes.length ? bytes : bytes.slice(0, length) };
  } finally {
    closeSync(file);
  }
}
