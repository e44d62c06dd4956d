/**
 * Small files that say who a machine or a user is: read with a bound, and refused when others could have read a
 * secret in them. Failures of the disk become errors that name the file.
 */
import { constants, open } from 'node:fs/promises';

import { messageOf, PeerStoreError, systemCode } from './errors.js';
import { writeFileAtomic } from './files.js';
import { limits } from './limits.js';
import type { Random } from './random.js';

const groupAndOthers = 0o077;

export interface ReadOptions {
  /** Whether the file holds a secret: then nobody but its owner may have any permission on it. */
  readonly secret: boolean;
  /** The most bytes that it may have. */
  readonly maxBytes?: number;
}

/**
 * The bytes of an identity file, or undefined when there is none.
 * @throws PeerStoreError NOT_ADMITTED when it holds a secret and others may read or write it, DAMAGED when it is longer
 * than `maxBytes` or no regular file, IO when the disk fails.
 */
export async function readIdentityFile(path: string, options: ReadOptions): Promise<Uint8Array | undefined> {
  const maxBytes = options.maxBytes ?? limits.identityFileBytes;
  try {
    // Not blocking, so that a FIFO of this name does not hold us for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new PeerStoreError('DAMAGED', `${path} is not a regular file`);
      if (options.secret && process.platform !== 'win32' && (stat.mode & groupAndOthers) !== 0) {
        const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
        throw new PeerStoreError(
          'NOT_ADMITTED',
          `${path} holds a secret, and others may open it (mode ${mode}): run chmod 600 ${path}`,
        );
      }
      if (stat.size > maxBytes) {
        throw new PeerStoreError('DAMAGED', `${path} has ${stat.size} bytes; at most ${maxBytes} make sense`);
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof PeerStoreError) throw error;
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new PeerStoreError('IO', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Replaces an identity file: after a crash the old or the new is there, whole.
 * @param mode 0o600 for anything secret
 * @throws PeerStoreError NO_SPACE when the disk is full, IO when it fails otherwise.
 */
export async function writeIdentityFile(
  path: string,
  bytes: Uint8Array,
  mode: number,
  random: Random,
): Promise<void> {
  try {
    await writeFileAtomic(path, bytes, mode, random);
  } catch (error) {
    const code = systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT' ? 'NO_SPACE' : 'IO';
    throw new PeerStoreError(code, `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}
