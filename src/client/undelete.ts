/** Undelete: forgotten snapshots come back, with all that they need, from the trash as well. */
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { type Catalogs, chooseSnapshot, type ForgottenSnapshot } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { decide } from './own-catalog.js';
import { rootOf } from './reachable.js';
import type { Session } from './session.js';
import { touchAll, writeWhileTouched } from './touch.js';

/** Those that can be brought back, if nothing that they need is gone. Oldest first. */
export function restorable(
  session: Pick<Session, 'clock'>,
  { forgotten }: Catalogs,
): readonly ForgottenSnapshot[] {
  const sinceMs = session.clock.nowMs() - limits.undeleteMs;
  return forgotten.filter(({ atMs }) => atMs >= sinceMs);
}

/**
 * Brings forgotten snapshots back.
 * @param names ids, or beginnings of them
 * @returns the ids of those that are back, how many blocks they need, and whether others were forgotten anew meanwhile
 * @throws PeerStoreError NOT_FOUND or USAGE when a name is none; MISSING when something that one of them needs is gone:
 *   then none is brought back; as the ring's reads and writes do.
 */
export async function undelete(
  session: Session,
  catalogs: Catalogs,
  names: readonly string[],
): Promise<{
  readonly ids: readonly string[];
  readonly blocks: number;
  readonly isDecidedOtherwise: boolean;
}> {
  const candidates = restorable(session, catalogs).map(({ snapshot }) => snapshot);
  const chosen = [...new Set(names.map((name) => chooseForgotten(candidates, name)))];
  const elapsedMs = startElapsed(session.clock);
  let blocks = 0;
  for (const snapshot of chosen) {
    try {
      blocks += await touchAll(session, [rootOf(snapshot)]);
    } catch (error) {
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      throw new PeerStoreError(
        error.code,
        `snapshot ${snapshot.id.slice(0, 12)} cannot be brought back whole: ${error.message}`,
        { cause: error },
      );
    }
  }
  let ids: readonly string[] = [];
  await writeWhileTouched(session, chosen.map(rootOf), elapsedMs, async () => {
    const wanted = chosen.map(({ id }) => id);
    ids = await decide(session, wanted, false, catalogs);
  });
  return { ids, blocks, isDecidedOtherwise: ids.length < chosen.length };
}

function chooseForgotten(candidates: Parameters<typeof chooseSnapshot>[0], name: string) {
  if (candidates.length > 0) return chooseSnapshot(candidates, name);
  throw new PeerStoreError('NOT_FOUND', 'there is no forgotten snapshot that could be brought back');
}
