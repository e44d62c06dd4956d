/**
 * A user's snapshots: each device keeps a catalog of its own, whose head is in a record that only it writes. What the
 * user sees is all of them together, without those that were decided to be forgotten.
 */
import { bytesEqual, toHex } from '../base/bytes.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { type Decision, isLater } from '../archive/decision.js';
import { type CatalogHead, openHead, type Snapshot } from '../archive/snapshot.js';
import type { Id } from '../wire/index.js';
import { headRecord } from './head-record.js';
import { loadProfile, type Profile } from './profile.js';
import type { Session } from './session.js';

/** What a device has in the ring. */
export interface DeviceCatalog {
  /** 0 while there is none. */
  readonly sequence: number;
  readonly head: CatalogHead | undefined;
  readonly snapshots: readonly Snapshot[];
  readonly decisions: readonly Decision[];
}

/** @throws PeerStoreError MISSING or DAMAGED when it cannot be read; as the ring's reads do. */
export async function loadDevice(session: Session, deviceKey: Uint8Array): Promise<DeviceCatalog> {
  const record = await session.records.get(headRecord.kind, deviceKey, headRecord.name);
  const head = record === undefined || record.deleted ? undefined : openHead(session.secrets, record.value);
  const snapshots: Snapshot[] = [];
  const decisions: Decision[] = [];
  if (head !== undefined) {
    for await (const one of session.reader.readCatalog(head.catalog)) snapshots.push(one);
    for await (const one of session.reader.readDecisions(head.decisions)) decisions.push(one);
  }
  return { sequence: record?.sequence ?? 0, head, snapshots, decisions };
}

/** A device of the user. */
export interface NamedDevice {
  /** Its public key. */
  readonly device: Uint8Array;
  /** What people know it by; undefined when it is not in the profile. */
  readonly name: string | undefined;
}

/** What the record of a device says. */
export interface DeviceHead extends NamedDevice {
  /** 0 while there is none. */
  readonly sequence: number;
  readonly head: CatalogHead | undefined;
}

/** A device whose snapshots cannot be listed. */
export interface UnreadableCatalog extends NamedDevice {
  readonly error: PeerStoreError;
}

export interface ForgottenSnapshot {
  readonly snapshot: Snapshot;
  /** When it was decided. */
  readonly atMs: number;
}

export interface Catalogs {
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** Oldest first. What they need is there until a prune, and after that for as long as the peers keep their trash. */
  readonly forgotten: readonly ForgottenSnapshot[];
  /** What counts of each snapshot about which anything was decided. */
  readonly decisions: ReadonlyMap<Id, Decision>;
  readonly profile: Profile;
  /** Of all devices whose snapshots can be listed. */
  readonly heads: readonly DeviceHead[];
  readonly unreadable: readonly UnreadableCatalog[];
}

/**
 * Every snapshot of the user, of all devices. A device whose catalog is missing or damaged takes only its own snapshots
 * with it.
 * @throws PeerStoreError as the ring's reads do.
 */
export async function loadCatalogs(session: Session): Promise<Catalogs> {
  const profile = await loadProfile(session);
  const decisions = new Map<Id, Decision>();
  const found = new Map<Id, Snapshot>();
  const heads: DeviceHead[] = [];
  const unreadable: UnreadableCatalog[] = [];
  for (const deviceKey of profile.deviceKeys) {
    const name = profile.devices.find(({ key }) => bytesEqual(key, deviceKey))?.name;
    try {
      const device = await loadDevice(session, deviceKey);
      const { sequence, head } = device;
      heads.push({ device: deviceKey, name, sequence, head });
      for (const snapshot of device.snapshots) found.set(snapshot.id, snapshot);
      for (const decision of device.decisions) {
        const before = decisions.get(decision.snapshot);
        if (before === undefined || isLater(decision, before)) decisions.set(decision.snapshot, decision);
      }
    } catch (error) {
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      unreadable.push({ device: deviceKey, name, error });
    }
  }
  const snapshots: Snapshot[] = [];
  const forgotten: ForgottenSnapshot[] = [];
  for (const snapshot of [...found.values()].sort(byTime)) {
    const decision = decisions.get(snapshot.id);
    if (decision?.isForgotten === true) forgotten.push({ snapshot, atMs: decision.atMs });
    else snapshots.push(snapshot);
  }
  return { snapshots, forgotten, decisions, profile, heads, unreadable };
}

/** The same order on every device. */
function byTime(a: Snapshot, b: Snapshot): number {
  return a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1);
}

/** The snapshots of {@link loadCatalogs}; what cannot be read is a warning in the log. */
export async function loadSnapshots(session: Session): Promise<readonly Snapshot[]> {
  const { snapshots, unreadable } = await loadCatalogs(session);
  for (const { device, error } of unreadable) {
    session.log.warn('the snapshots of one device cannot be listed; the others are', {
      device: toHex(device).slice(0, 12),
      error: messageOf(error),
    });
  }
  return snapshots;
}

/**
 * The snapshot that a person names: an id, the beginning of one, or `latest`.
 * @throws PeerStoreError NOT_FOUND when there is none, USAGE when several begin like that.
 */
export function chooseSnapshot(snapshots: readonly Snapshot[], name: string): Snapshot {
  const latest = snapshots.at(-1);
  if (latest === undefined)
    throw new PeerStoreError('NOT_FOUND', 'there is no snapshot yet; make one with backup');
  if (name === 'latest') return latest;
  const wanted = name.toLowerCase();
  const matching = /^[0-9a-f]+$/.test(wanted) ? snapshots.filter(({ id }) => id.startsWith(wanted)) : [];
  const [first, second] = matching;
  if (first === undefined) {
    throw new PeerStoreError(
      'NOT_FOUND',
      `there is no snapshot ${name}; peerstore-client snapshots lists them`,
    );
  }
  if (second !== undefined) {
    throw new PeerStoreError('USAGE', `${matching.length} snapshots begin with ${name}; give more digits`);
  }
  return first;
}
