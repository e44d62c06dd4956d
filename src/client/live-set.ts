/**
 * What a prune has to keep, and whether that is known for certain.
 *
 * That nobody names a snapshot is the word of those who answer. Beside peers that are cut off, or that were started from an
 * old disk, they name too few. So every peer is asked whether it sees most of its ring, before the lists are read and
 * once more afterwards; and what is read is held against what this machine has seen before, and against itself: a user
 * without a profile, or whose devices have no lists, has nothing in the ring. In doubt nothing is given up.
 */
import { BloomFilter } from '../base/bloom-filter.js';
import { toHex } from '../base/bytes.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { idToBytes } from '../wire/index.js';
import { type Catalogs, loadCatalogs, type NamedDevice, type UnreadableCatalog } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { headRecordId } from './head-record.js';
import { profileRecord } from './profile.js';
import { blocksOf, type Root, rootOf, rootsOfHead, Walked } from './reachable.js';
import type { Session } from './session.js';

/** The user's lists, for certain. */
export interface CertainCatalogs extends Catalogs {
  /** The earliest time that the clock of a peer showed. */
  readonly peersShowMs: number;
}

/**
 * Reads all lists of the user, and makes sure that they are the newest.
 * @param lost the names of devices whose lists are given up with what only they refer to: see {@link lostDevices}
 * @throws PeerStoreError UNSETTLED when they may not be the newest; MISSING or DAMAGED when one that is not named as lost
 *   cannot be read; NOT_FOUND or USAGE when no such device is lost; as the ring's reads do.
 */
export async function loadForCertain(session: Session, lost: readonly string[]): Promise<CertainCatalogs> {
  const elapsedMs = startElapsed(session.clock);
  const before = await session.ownership.requireMajority();
  const loaded = await loadCatalogs(session);
  const after = await session.ownership.requireMajority();
  // Longer ago than that a peer does not say how it was.
  if (elapsedMs() > limits.majorityHoldMs) {
    throw doubt(
      'reading the lists of snapshots took so long that peers may have been cut off meanwhile; try again',
    );
  }
  requireNewest(session, loaded);
  const catalogs = withoutLists(loaded);
  requireReadable(catalogs, lostDevices(catalogs, lost));
  return { ...catalogs, peersShowMs: Math.min(before, after) };
}

/**
 * The same, with those devices among the unreadable ones whose record is not there. A device has a list before the profile
 * names it, so all who hold it are missing: that may be so beside most of a ring that has more machines than copies.
 */
function withoutLists(catalogs: Catalogs): Catalogs {
  const { heads, unreadable } = catalogs;
  const error = new PeerStoreError('MISSING', 'no peer that answers has its list');
  const lost = heads
    .filter(({ sequence }) => sequence === 0)
    .map(({ device, name }) => ({ device, name, error }));
  if (lost.length === 0) return catalogs;
  return {
    ...catalogs,
    heads: heads.filter(({ sequence }) => sequence > 0),
    unreadable: [...unreadable, ...lost],
  };
}

function requireNewest({ seen, keys }: Session, { profile, heads }: Catalogs): void {
  const own = toHex(keys.device.publicKey);
  const advice = `start the peers that are missing, and look with peerstore-client snapshots whether all are there${seen.advice}`;
  if (profile.sequence < seen.highest(profileRecord(keys)))
    throw doubt(`the peers have an older list of your devices than this machine has seen: ${advice}`);
  if (!profile.devices.some(({ key }) => toHex(key) === own)) {
    throw doubt(
      profile.devices.length === 0
        ? 'the peers have no list of your devices: start those that are missing, or make a backup first'
        : 'the list of your devices does not name this one: make a backup with it first, or start the peers that are missing',
    );
  }
  const old = heads.find(({ device, sequence }) => sequence < seen.highest(headRecordId(device)));
  if (old !== undefined)
    throw doubt(
      `the peers have an older list of the snapshots of ${nameOf(old)} than this machine has seen: ${advice}`,
    );
}

function requireReadable({ unreadable }: Catalogs, lost: ReadonlySet<UnreadableCatalog>): void {
  const damaged = unreadable.find((one) => !lost.has(one));
  if (damaged === undefined) return;
  throw new PeerStoreError(
    damaged.error.code,
    `nothing was given up, as the snapshots of ${nameOf(damaged)} cannot be listed, and so nobody knows what they need ` +
      `(${damaged.error.message}): start the peers that are missing; or, if that list is lost for good, give up its ` +
      `snapshots with --without-device ${toHex(damaged.device).slice(0, shownDigits)}`,
    { cause: damaged.error },
  );
}

/** Digits of a device's key by which people name it. */
const shownDigits = 12;

function nameOf({ device, name }: NamedDevice): string {
  const key = toHex(device).slice(0, shownDigits);
  return name === undefined ? `device ${key}` : `device ${name} (${key})`;
}

/**
 * The devices that a person names as lost: by their names, or beginnings of their keys. Only one whose list cannot be read
 * can be given up.
 * @throws PeerStoreError NOT_FOUND, USAGE
 */
function lostDevices(catalogs: Catalogs, names: readonly string[]): ReadonlySet<UnreadableCatalog> {
  const isNamed =
    (wanted: string) =>
    ({ device, name }: NamedDevice): boolean =>
      name === wanted || (/^[0-9a-f]{4,}$/i.test(wanted) && toHex(device).startsWith(wanted.toLowerCase()));
  return new Set(
    names.map((wanted) => {
      const [lost, another] = catalogs.unreadable.filter(isNamed(wanted));
      if (another !== undefined)
        throw new PeerStoreError(
          'USAGE',
          `several devices are called ${wanted}; name the beginning of one's key`,
        );
      if (lost !== undefined) return lost;
      if (!catalogs.heads.some(isNamed(wanted)))
        throw new PeerStoreError('NOT_FOUND', `there is no device ${wanted}`);
      throw new PeerStoreError(
        'USAGE',
        `the snapshots of device ${wanted} can be listed; those that are not wanted any more are for forget`,
      );
    }),
  );
}

/** Nobody can tell for certain: nothing is done. */
export function doubt(why: string): PeerStoreError {
  return new PeerStoreError('UNSETTLED', `nothing was given up: ${why}`);
}

/** The blocks that snapshots and lists need, and perhaps a few others. @throws PeerStoreError MISSING, DAMAGED */
export async function neededBy(session: Session, { snapshots, heads }: Catalogs): Promise<BloomFilter> {
  const needed = new BloomFilter(limits.pruneFilterBytes);
  const walked = new Walked();
  const add = async (root: Root): Promise<void> => {
    for await (const id of blocksOf(session.bulkReader, root, walked)) needed.add(idToBytes(id));
  };
  for (const { head } of heads) for (const root of rootsOfHead(head)) await add(root);
  for (const snapshot of snapshots) {
    try {
      await add(rootOf(snapshot));
    } catch (error) {
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      throw new PeerStoreError(
        error.code,
        `nothing was given up, as it cannot be told what snapshot ${snapshot.id.slice(0, 12)} needs ` +
          `(${error.message}): forget it, or see with peerstore-client check what is missing`,
        { cause: error },
      );
    }
  }
  return needed;
}
