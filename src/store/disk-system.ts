/** The calls of the system by which a store keeps its files: an argument, so that tests can have a disk fail. */
import { mkdir, open, rename, stat, statfs, unlink } from 'node:fs/promises';

import { syncDirectory } from '../base/files.js';

export interface DiskSystem {
  readonly open: typeof open;
  readonly mkdir: (path: string, options: { recursive: true; mode: number }) => Promise<unknown>;
  readonly rename: (from: string, to: string) => Promise<void>;
  readonly stat: (path: string) => Promise<{ readonly size: number; readonly mtimeMs: number }>;
  readonly unlink: (path: string) => Promise<void>;
  readonly syncDirectory: (path: string) => Promise<void>;
  /** Bytes that this process may still write to the file system of a path. */
  readonly freeBytes: (path: string) => Promise<number>;
}

/** The machine's own. */
export const machineDisk: DiskSystem = {
  open,
  mkdir,
  rename,
  stat,
  unlink,
  syncDirectory,
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};
