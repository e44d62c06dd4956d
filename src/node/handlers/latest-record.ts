import { isFailure } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import { openRecord } from '../../identity/record.js';
import type { PeerRef } from '../../ring/peer.js';
import { isReplacement, recordEntryOf } from '../../store/record-rule.js';
import type { StoredRecord } from '../../store/store.js';
import type { SpreadingDeps } from './handler.js';

/**
 * Asks for what is there under the id of a new record, before that one goes to its holders. These may be newcomers, or
 * back after a while, and accept what others have refused: so the peers behind them are asked as well, who were holders
 * before. What one of them has needs no majority, for its writer has signed it. Who does not answer at once, or has a
 * damaged one, is passed over: if it is a holder, it is asked to accept the record in any case.
 * @throws PeerStoreError CONFLICT when somebody has another value for its number or a higher one, CANCELLED.
 */
export async function requireLatest(
  { store, replication, transport, machine }: SpreadingDeps,
  offered: StoredRecord,
  signal: AbortSignal,
): Promise<void> {
  const { id } = offered;
  const entry = recordEntryOf(offered);
  const options = { signal, timeoutMs: limits.latestRecordMs };
  const recordOf = async (peer: PeerRef): Promise<StoredRecord | undefined> => {
    try {
      if (peer.machine === machine) return await store.getRecord(id);
      const { body } = await transport.call(peer, 'getRecord', { id }, options);
      return { id, sequence: openRecord(body, id).sequence, bytes: body };
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  };
  await Promise.all(
    replication.holdersAndThoseBehind.map(async (peer) => {
      const held = await recordOf(peer);
      if (held !== undefined) isReplacement(id, recordEntryOf(held), entry);
    }),
  );
}
