/** How much snapshots hold, and what they take. */
import type { Snapshot } from '../archive/snapshot.js';
import { walkReferences } from '../archive/walk.js';
import { rootOf, Walked } from './reachable.js';
import type { Session } from './session.js';

export interface ArchiveStats {
  readonly snapshots: number;
  /** Of all snapshots, as if each were restored. */
  readonly files: number;
  readonly bytes: number;
  /** Chunks that are needed, each once: of files, of directories and of lists. */
  readonly chunks: number;
  /** Their bytes as they are stored, in one copy, without the padding of packs and what else is in these. */
  readonly storedBytes: number;
}

/**
 * Counts what snapshots need; what they share counts once.
 * @throws PeerStoreError as the ring's reads do.
 */
export async function statsOf(session: Session, snapshots: readonly Snapshot[]): Promise<ArchiveStats> {
  const walked = new Walked();
  const counted = new Walked();
  let [files, bytes, chunks, storedBytes] = [0, 0, 0, 0];
  for (const snapshot of snapshots) {
    files += snapshot.files;
    bytes += snapshot.bytes;
    const { content, kind } = rootOf(snapshot);
    const enter = { enter: (reached: Parameters<Walked['enter']>[0]) => walked.enter(reached) };
    for await (const reached of walkReferences(session.bulkReader, content, kind, enter)) {
      if (!counted.enter(reached)) continue;
      chunks += 1;
      storedBytes += reached.reference.length;
    }
  }
  return { snapshots: snapshots.length, files, bytes, chunks, storedBytes };
}
