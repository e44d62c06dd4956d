/**
 * A user's snapshots: each device keeps a catalog of its own, whose head is in a record that only it writes. What the
 * user sees is all of them together, without those that some device has forgotten.
 */
import { toHex } from '../base/bytes.js';
import { sleep } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { jittered } from '../base/random.js';
import type { ArchiveWriter } from '../archive/writer.js';
import { type CatalogHead, openHead, sealHead, type Snapshot } from '../archive/snapshot.js';
import { signRecord } from '../identity/record.js';
import { loadProfile } from './profile.js';
import type { Session } from './session.js';

const recordKind = 'snapshots';
const recordName = '';
/** Attempts to add a snapshot while another process of the same device adds one. */
const saveAttempts = 8;
/** The longest pause before another attempt: two processes must not go on meeting each other. */
const conflictPauseMs = 200;

interface DeviceCatalog {
  /** 0 while there is none. */
  readonly sequence: number;
  readonly head: CatalogHead | undefined;
}

async function loadDevice(session: Session, deviceKey: Uint8Array): Promise<DeviceCatalog> {
  const record = await session.records.get(recordKind, deviceKey, recordName);
  if (record === undefined || record.deleted) return { sequence: record?.sequence ?? 0, head: undefined };
  return { sequence: record.sequence, head: openHead(session.secrets, record.value) };
}

/** A device whose snapshots cannot be listed. */
export interface UnreadableCatalog {
  /** The device's public key. */
  readonly device: Uint8Array;
  readonly error: PeerStoreError;
}

export interface Catalogs {
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  readonly unreadable: readonly UnreadableCatalog[];
}

/**
 * Every snapshot of the user, of all devices. A device whose catalog is missing or damaged takes only its own snapshots
 * with it.
 * @throws PeerStoreError as the ring's reads do.
 */
export async function loadCatalogs(session: Session): Promise<Catalogs> {
  const profile = await loadProfile(session);
  const forgotten = new Set<string>();
  const found = new Map<string, Snapshot>();
  const unreadable: UnreadableCatalog[] = [];
  for (const device of profile.deviceKeys) {
    try {
      const { head } = await loadDevice(session, device);
      if (head === undefined) continue;
      for (const id of head.forgotten) forgotten.add(id);
      for await (const snapshot of session.reader.readCatalog(head.catalog)) found.set(snapshot.id, snapshot);
    } catch (error) {
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      unreadable.push({ device, error });
    }
  }
  const snapshots = [...found.values()].filter(({ id }) => !forgotten.has(id)).sort(byTime);
  return { snapshots, unreadable };
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

/** This device's catalog. Without it nothing may be added: a new list would leave out what the old one has. */
async function ownCatalog(session: Session): Promise<DeviceCatalog & { readonly before: Snapshot[] }> {
  try {
    const device = await loadDevice(session, session.keys.device.publicKey);
    const before: Snapshot[] = [];
    if (device.head !== undefined) {
      for await (const one of session.reader.readCatalog(device.head.catalog)) before.push(one);
    }
    return { ...device, before };
  } catch (error) {
    if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
    throw new PeerStoreError(
      error.code,
      `the list of this device's snapshots cannot be read, so none can be added (${error.message}): start the peers ` +
        'that are missing, or go on as another device, with peerstore-client init --recover and another key file',
      { cause: error },
    );
  }
}

/**
 * Adds a snapshot to this device's catalog. Everything that it refers to has to be stored already. When it returns,
 * the snapshot is in the ring; when it throws, it may be there, and a backup that runs again finds out.
 * @throws PeerStoreError MISSING or DAMAGED when this device's catalog cannot be read; CONFLICT when other processes of
 *   this device keep adding snapshots at the same time.
 */
export async function addSnapshot(
  session: Session,
  writer: ArchiveWriter,
  snapshot: Snapshot,
): Promise<void> {
  const { device } = session.keys;
  for (let attempt = 1; ; attempt += 1) {
    const { sequence, head, before } = await ownCatalog(session);
    // Written by an attempt that was told of a failure after it had succeeded.
    if (before.some(({ id }) => id === snapshot.id)) return;
    const draft = await writer.writeCatalog([...before, snapshot]);
    await writer.flush();
    const record = signRecord(device, {
      kind: recordKind,
      name: recordName,
      sequence: sequence + 1,
      timeMs: session.clock.nowMs(),
      deleted: false,
      value: sealHead(session.secrets, { catalog: await draft.settled(), forgotten: head?.forgotten ?? [] }),
    });
    try {
      await session.records.put(record);
      return;
    } catch (error) {
      if (!hasCode(error, 'CONFLICT') || attempt >= saveAttempts) throw error;
      const { clock, random, signal } = session;
      await sleep(clock, jittered(random, conflictPauseMs / 2, 1), signal);
    }
  }
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
