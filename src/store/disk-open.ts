/** Opens the parts of a store on disk, makes what is missing of them, and brings them together. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { Random } from '../base/random.js';
import { BlockFiles } from './disk-blocks.js';
import { DiskFiles, directoryMode, isTemporaryName } from './disk-files.js';
import { DiskHealth } from './disk-health.js';
import { DiskIndex, IndexUnreadable } from './disk-index.js';
import { IndexDirectory } from './disk-index-file.js';
import { reconcile } from './disk-reconcile.js';
import { RecordFiles } from './disk-records.js';
import { type DiskSystem, machineDisk } from './disk-system.js';
import { StoreTotals } from './totals.js';

export interface DiskStoreOptions {
  /** The data path. Made when it is not there. One process at a time may open it; who opens it holds the lock. */
  readonly path: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What blocks and records may take together. Left out: what the disk has. */
  readonly capacityBytes?: number;
  /** The calls that read and write the files; left out, the machine's. */
  readonly system?: DiskSystem;
}

/** What a store consists of. */
export interface DiskParts {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly system: DiskSystem;
  readonly health: DiskHealth;
  readonly files: DiskFiles;
  readonly blocks: BlockFiles;
  readonly records: RecordFiles;
  readonly index: DiskIndex;
  readonly totals: StoreTotals;
}

/** Digits of the buckets of fingerprints: 1.6 MB of memory, and a dozen keys in each when there are a million. */
const bucketDigits = 4;

/**
 * Opens everything under a data path. An index that cannot be read is set aside and made again.
 * @throws PeerStoreError, and the system's errors.
 */
export async function openParts(options: DiskStoreOptions): Promise<DiskParts> {
  const { path } = options;
  await makeDirectories(path, options.system ?? machineDisk);
  const indexDirectory = new IndexDirectory(join(path, 'index'));
  const reason = await indexDirectory.prepare();
  if (reason !== undefined) await startIndexAnew(options, indexDirectory, reason);
  let parts: DiskParts;
  try {
    parts = await openWith(options, indexDirectory);
  } catch (error) {
    if (!(error instanceof IndexUnreadable)) throw error;
    await startIndexAnew(options, indexDirectory, error.message);
    parts = await openWith(options, indexDirectory);
  }
  await indexDirectory.isGood();
  return parts;
}

async function makeDirectories(path: string, { syncDirectory }: DiskSystem): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: directoryMode });
  for (const name of ['blocks', 'records', 'trash', 'damaged', 'tmp', 'index']) {
    await mkdir(join(path, name), { recursive: true, mode: directoryMode });
  }
  await syncDirectory(path);
  if (made !== undefined) await syncDirectory(dirname(made));
  // What else is there was not left by us: the data path may be a directory that had a `tmp` before.
  for (const name of await readdir(join(path, 'tmp'))) {
    if (isTemporaryName(name)) await rm(join(path, 'tmp', name));
  }
}

async function startIndexAnew(
  { path, log }: DiskStoreOptions,
  directory: IndexDirectory,
  reason: string,
): Promise<void> {
  const asidePath = join(path, 'damaged', 'index');
  log.warn(
    'the index of the store is made again from the files; owners come back when they touch their blocks',
    {
      reason,
      setAside: asidePath,
    },
  );
  await directory.setAside(asidePath);
  await directory.prepare();
}

async function openWith(options: DiskStoreOptions, directory: IndexDirectory): Promise<DiskParts> {
  const { path, clock, random, log, system = machineDisk, capacityBytes = null } = options;
  const health = new DiskHealth(clock, log, capacityBytes);
  const totals = new StoreTotals(capacityBytes, bucketDigits, health);
  const files = new DiskFiles({ temporaryPath: join(path, 'tmp'), random, system, health });
  const blocks = new BlockFiles(path, files);
  const records = new RecordFiles(path, files, totals, log);
  const index = await DiskIndex.open(directory, { system, health });
  try {
    await reconcile({ files, blocks, index, totals, clock, log });
    await records.load();
  } catch (error) {
    await index.close();
    throw error;
  }
  return { path, clock, log, system, health, files, blocks, records, index, totals };
}
