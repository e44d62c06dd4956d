/** What a failing disk says, as errors of ours: what was tried, where, and what to do now. */
import { messageOf, PeerStoreError, systemCode } from '../base/errors.js';

const advice: Readonly<Record<string, string>> = {
  EROFS:
    'the file system is read-only now, often because the disk failed: see the kernel log, then mount it again',
  EIO: 'the disk cannot read or write: check it (kernel log, SMART), and replace it if it fails again',
  EACCES:
    'the files belong to another user or their permissions were changed: give them back to the user of this peer',
  EPERM: 'the file system does not allow it: look at its mount options and at the attributes of the files',
  EMFILE: 'the process has too many files open: raise its limit (ulimit -n)',
  ENFILE: 'the machine has too many files open: raise its limit (fs.file-max)',
  ENOENT: 'a directory of the store was removed while the peer ran: start the peer again',
};

/** What reading a file gives that is damaged where it lies, or is no file: the rest of the disk may be good. */
const unreadableCodes: ReadonlySet<string | undefined> = new Set([
  'EIO',
  'EISDIR',
  'ELOOP',
  'EBADMSG',
  'EUCLEAN',
]);

/** What the medium gives, or the file system that has lost its trust in it. */
const mediumCodes: ReadonlySet<string | undefined> = new Set([
  'EIO',
  'EBADMSG',
  'EUCLEAN',
  'ENXIO',
  'ENODEV',
]);

/** Whether a system error's code says that the medium fails. */
export function isMediumCode(code: string | undefined): boolean {
  return mediumCodes.has(code);
}

/** Whether a system error's code says that there is no room. */
export function isNoRoomCode(code: string | undefined): boolean {
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Whether it was a sync that failed: then nobody knows what is on the disk of what was written before. */
export function isSyncError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && /^f(data)?sync$/.test(String(error.syscall));
}

/** Whether an error of reading a file says that this file cannot be read. */
export function isUnreadable(error: unknown): boolean {
  return unreadableCodes.has(systemCode(error));
}

/**
 * Whether an error of reading a file is about this file, or the way to it, so that others are worth trying: not a fault of
 * the program, and not that the process or the machine has too much open.
 */
export function isAboutFile(error: unknown): boolean {
  const code = systemCode(error);
  if (error instanceof PeerStoreError || code === undefined || code.startsWith('ERR_')) return false;
  return code !== 'EMFILE' && code !== 'ENFILE' && code !== 'ENOMEM';
}

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
  if (isNoRoomCode(code)) {
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
