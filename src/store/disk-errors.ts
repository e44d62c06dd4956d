/** What a failing disk says, as errors of ours: what was tried, where, and what to do now. */
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';

const advice: Readonly<Record<string, string>> = {
  EROFS:
    'the file system is read-only now, often because the disk failed: see the kernel log, then mount it again',
  EIO: 'the disk cannot read or write: check it (kernel log, SMART), and drain this peer if it fails again',
  EACCES:
    'the files belong to another user or their permissions were changed: give them back to the user of this peer',
  EPERM: 'the file system does not allow it: look at its mount options and at the attributes of the files',
  EMFILE: 'the process has too many files open: raise its limit (ulimit -n)',
  ENFILE: 'the machine has too many files open: raise its limit (fs.file-max)',
  ENOENT: 'a directory of the store was removed while the peer ran: start the peer again',
};

/**
 * The error of a disk operation, as callers of the store get it. Errors that are ours already, and faults of the
 * program, pass unchanged.
 * @param what what was being done: `keep block 12ab...`
 * @param path the store's data path
 */
export function storeError(error: unknown, what: string, path: string): unknown {
  const code = systemCode(error);
  if (error instanceof PeerStoreError || code === undefined || code.startsWith('ERR_')) return error;
  return diskError(code, messageOf(error), what, path, error);
}

/** The error for a system error's code and message. */
export function diskError(
  code: string,
  message: string,
  what: string,
  path: string,
  cause: unknown,
): PeerStoreError {
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PeerStoreError(
      'NO_SPACE',
      `cannot ${what} in ${path}: ${code === 'EDQUOT' ? 'the disk quota is used up' : 'the disk is full'} ` +
        `(${message}); what is held is still served; make room on the disk or add a peer`,
      { cause },
    );
  }
  const hint = advice[code] ?? 'look at the kernel log and at the free space of the disk';
  return new PeerStoreError('IO', `cannot ${what} in ${path}: ${message}; ${hint}`, { cause });
}
