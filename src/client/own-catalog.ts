/** Changes of this device's own catalog: the one thing that a backup, a forget and an undelete write last. */
import { sleep } from '../base/clock.js';
import { hasCode, PeerStoreError } from '../base/errors.js';
import { jittered } from '../base/random.js';
import { type Decision, isLater } from '../archive/decision.js';
import { MemoryChunkIndex } from '../archive/ports.js';
import { sealHead, type Snapshot } from '../archive/snapshot.js';
import { ArchiveWriter } from '../archive/writer.js';
import { signRecord } from '../identity/record.js';
import type { Id } from '../wire/index.js';
import { type Catalogs, type DeviceCatalog, loadDevice } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { headRecord, headRecordId } from './head-record.js';
import { rootsOfHead } from './reachable.js';
import type { Session } from './session.js';
import { writeWhileTouched } from './touch.js';

/** Attempts while another process of the same device writes the catalog, too. */
const saveAttempts = 8;
/** The longest pause before another attempt: two processes must not go on meeting each other. */
const conflictPauseMs = 200;

/** What is to be in the catalog. */
type CatalogParts = Pick<DeviceCatalog, 'snapshots' | 'decisions'>;

/**
 * Changes this device's catalog, and sees to it that the profile names the device. Everything that it comes to refer to has to be stored already. When it returns, the
 * change is in the ring; when it throws, it may be there.
 * @param change what is to be there in the place of what is; undefined leaves it as it is. Called again for each attempt.
 * @throws PeerStoreError MISSING or DAMAGED when this device's catalog cannot be read; UNSETTLED when the ring shows an
 *   older one than this machine has seen; CONFLICT when other processes of
 *   this device keep changing it at the same time; as the ring's reads and writes do.
 */
export async function changeOwnCatalog(
  session: Session,
  writer: ArchiveWriter,
  change: (before: CatalogParts) => CatalogParts | undefined,
): Promise<void> {
  const { device } = session.keys;
  await session.registration.ensure(session);
  // Of all attempts: what the first one has stored the next ones do not ask for again.
  const elapsedMs = startElapsed(session.clock);
  for (let attempt = 1; ; attempt += 1) {
    const before = await ownCatalog(session);
    const after = change(before);
    if (after === undefined) return;
    const [catalog, decisions] = [
      await writer.writeCatalog(after.snapshots),
      await writer.writeDecisions([...after.decisions].sort((a, b) => (a.snapshot < b.snapshot ? -1 : 1))),
    ];
    await writer.flush();
    const head = { catalog: await catalog.settled(), decisions: await decisions.settled() };
    const record = signRecord(device, {
      ...headRecord,
      sequence: before.sequence + 1,
      timeMs: session.clock.nowMs(),
      deleted: false,
      value: sealHead(session.secrets, head),
    });
    try {
      await writeWhileTouched(session, rootsOfHead(head), elapsedMs, () => session.records.put(record));
      return;
    } catch (error) {
      if (!hasCode(error, 'CONFLICT') || attempt >= saveAttempts) throw error;
      const { clock, random, signal } = session;
      await sleep(clock, jittered(random, conflictPauseMs / 2, 1), signal);
    }
  }
}

/** A writer for lists alone, which finds nothing that was stored before. */
export function writerOf(session: Session): ArchiveWriter {
  const { secrets, compressor, blocks, reader } = session;
  return new ArchiveWriter({ secrets, compressor, sink: blocks, index: new MemoryChunkIndex(), reader });
}

/** Adds a snapshot. Throws as {@link changeOwnCatalog}. */
export function addSnapshot(session: Session, writer: ArchiveWriter, snapshot: Snapshot): Promise<void> {
  return changeOwnCatalog(session, writer, ({ snapshots, decisions }) => {
    // Written by an attempt that was told of a failure after it had succeeded.
    if (snapshots.some(({ id }) => id === snapshot.id)) return undefined;
    return { snapshots: [...snapshots, snapshot], decisions };
  });
}

/**
 * Decides about snapshots, of whatever device. Throws as {@link changeOwnCatalog}.
 * @param known what is there so far: these decisions come after all of it, though this machine's clock be behind
 * @returns those of the snapshots for which it counts: of the others, this device has noted a later decision meanwhile.
 */
export async function decide(
  session: Session,
  ids: readonly Id[],
  isForgotten: boolean,
  known: Pick<Catalogs, 'snapshots' | 'forgotten' | 'decisions'>,
): Promise<readonly Id[]> {
  const atMs = timeBehind(session.clock.nowMs(), known);
  const made = ids.map((snapshot): Decision => ({ snapshot, atMs, isForgotten }));
  let counting: readonly Decision[] = [];
  await changeOwnCatalog(session, writerOf(session), ({ snapshots, decisions }) => {
    const all = new Map(decisions.map((decision) => [decision.snapshot, decision]));
    counting = made.filter((decision) => {
      const before = all.get(decision.snapshot);
      return before === undefined || isLater(decision, before);
    });
    if (counting.length === 0) return undefined;
    for (const decision of counting) all.set(decision.snapshot, decision);
    return { snapshots, decisions: [...all.values()] };
  });
  return counting.map(({ snapshot }) => snapshot);
}

/** A time for decisions: now, or behind everything that is known to have happened. */
function timeBehind(
  nowMs: number,
  { snapshots, forgotten, decisions }: Pick<Catalogs, 'snapshots' | 'forgotten' | 'decisions'>,
): number {
  let latestMs = nowMs;
  for (const { timeMs } of snapshots) latestMs = Math.max(latestMs, timeMs);
  for (const { snapshot } of forgotten) latestMs = Math.max(latestMs, snapshot.timeMs);
  for (const { atMs } of decisions.values()) latestMs = Math.max(latestMs, atMs + 1);
  return latestMs;
}

/** This device's catalog, the newest. Without it nothing may be written: a new one would leave out what that one has. */
async function ownCatalog(session: Session): Promise<DeviceCatalog> {
  const { device } = session.keys;
  let catalog: DeviceCatalog;
  try {
    catalog = await loadDevice(session, device.publicKey);
  } catch (error) {
    if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
    throw new PeerStoreError(
      error.code,
      `the list of this device's snapshots cannot be read, so none can be added (${error.message}): start the peers ` +
        'that are missing, or go on as another device, with peerstore-client init --recover and another key file',
      { cause: error },
    );
  }
  if (catalog.sequence < session.seen.highest(headRecordId(device.publicKey))) {
    throw new PeerStoreError(
      'UNSETTLED',
      "the peers that can be reached have an older list of this device's snapshots than this machine has seen: one made " +
        `from it would leave snapshots out, or be left out itself; start the peers that are missing${session.seen.advice}`,
    );
  }
  return catalog;
}
