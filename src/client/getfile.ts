/** Getting one file back. */
import { PeerStoreError } from '../base/errors.js';
import { absolutePath, printablePath } from '../base/paths.js';
import type { FileEntry } from '../archive/entry.js';
import type { Snapshot } from '../archive/snapshot.js';
import { findEntry } from './browse.js';
import type { Session } from './session.js';

export interface FoundVersion {
  readonly snapshot: Snapshot;
  readonly entry: FileEntry;
}

/**
 * The newest of the snapshots that has a file at a path.
 * @param snapshots oldest first
 * @throws PeerStoreError NOT_FOUND when none has, or what is there is not a file.
 */
export async function findFile(
  session: Session,
  snapshots: readonly Snapshot[],
  components: readonly Uint8Array[],
): Promise<FoundVersion> {
  const path = printablePath(absolutePath(components));
  for (const snapshot of [...snapshots].reverse()) {
    const entry = await findEntry(session.reader, snapshot, components);
    if (entry === undefined) continue;
    if (entry.type === 'file') return { snapshot, entry };
    throw new PeerStoreError(
      'NOT_FOUND',
      `${path} is a ${entry.type === 'directory' ? 'directory' : 'symbolic link'} in snapshot ` +
        `${snapshot.id.slice(0, 12)}; restore ${snapshot.id.slice(0, 12)}:${path} --target DIR gets it`,
    );
  }
  const where = snapshots.length === 1 ? 'that snapshot has no' : 'no snapshot has';
  throw new PeerStoreError('NOT_FOUND', `${where} a file ${path}; peerstore-client ls shows what there is`);
}
