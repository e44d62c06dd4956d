/** Disk stores in temporary directories that go when the test is over. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Clock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/log.js';
import { systemRandom } from '../../src/base/random.js';
import { openDiskStore } from '../../src/store/disk.js';
import { type DiskSystem, machineDisk } from '../../src/store/disk-system.js';
import type { Id } from '../../src/ring/identifier.js';
import type { Store } from '../../src/store/store.js';
import { HandClock } from './store.conformance.js';

/** The machine's disk, with much room whatever it has: what is said of that is not to depend on the machine. */
const roomyDisk: DiskSystem = { ...machineDisk, freeBytes: () => Promise.resolve(1024 ** 4) };

/** The temporary directories and open stores of a suite. */
export class Scratch {
  readonly #paths: string[] = [];
  readonly #mounts: string[] = [];
  readonly #stores: Store[] = [];

  async directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'peerstore-store-'));
    this.#paths.push(path);
    return path;
  }

  /** A file system of its own in memory, undefined where that cannot be had. */
  async smallDisk(sizeBytes: number): Promise<string | undefined> {
    const path = await this.directory();
    if (process.getuid?.() !== 0) return undefined;
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    this.#mounts.push(path);
    return path;
  }

  async open(
    path: string,
    options: { clock?: Clock; capacityBytes?: number; warnings?: string[]; system?: DiskSystem } = {},
  ): Promise<Store> {
    const { clock = new HandClock(), capacityBytes, warnings, system = roomyDisk } = options;
    const store = await openDiskStore({
      path,
      clock,
      random: systemRandom,
      log: { ...silentLogger, warn: (message) => void warnings?.push(message) },
      system,
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    });
    this.#stores.push(store);
    return store;
  }

  async clear(): Promise<void> {
    for (const store of this.#stores.splice(0)) await store.close();
    for (const path of this.#mounts.splice(0)) execFileSync('umount', [path]);
    for (const path of this.#paths.splice(0)) await rm(path, { recursive: true, force: true });
  }
}

/** The path of a block's file below a store's data path. */
export function pathOfBlock(path: string, id: Id, shelf = 'blocks'): string {
  return join(path, shelf, id.slice(0, 2), id);
}

/** The names of all files of a shelf. */
export async function filesOf(path: string, shelf: string): Promise<readonly string[]> {
  if (!existsSync(join(path, shelf))) return [];
  const entries = await readdir(join(path, shelf), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}
