/** Files of our own: written atomically, and durable when the promise resolves. */
import { constants, type FileHandle, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import { messageOf, PeerStoreError, systemCode } from './errors.js';
import { libc } from './native.js';
import { toHex } from './bytes.js';
import type { Random } from './random.js';

/** Makes the names in a directory durable: a rename survives a power loss only after this. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file by these bytes: after a crash at any point the old or the new is there, whole.
 * @param mode the permissions, 0600 for anything secret
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array,
  mode: number,
  random: Random,
): Promise<void> {
  const temporary = `${path}.${toHex(random.bytes(6))}.tmp`;
  const handle = await open(temporary, 'wx', mode);
  try {
    try {
      await handle.writeFile(bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes a directory, with those above it, which only its owner may look into. One that is there stays as it is. */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** The bytes of a file, or undefined when there is none. */
export async function readFileIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** An exclusive lock on a file. The kernel ends it with the process, however that dies. */
export interface FileLock {
  release(): Promise<void>;
}

/**
 * Locks a file, which is made if need be and stays behind.
 * @returns undefined when another process holds the lock.
 * @throws PeerStoreError IO when the file cannot be opened or the platform has no locks.
 */
export async function lockFile(path: string): Promise<FileLock | undefined> {
  if (libc === undefined)
    throw new PeerStoreError('IO', `file locks are not available on ${process.platform}`);
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw new PeerStoreError('IO', `cannot open the lock ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (libc.tryLock(handle.fd)) return { release: () => handle.close() };
  await handle.close();
  return undefined;
}
