import { bytesEqual } from '../../base/bytes.js';
import { PeerStoreError } from '../../base/errors.js';
import { openRecord } from '../../identity/record.js';
import { shortId } from '../../ring/identifier.js';
import type { Identity } from '../../wire/identity.js';
import type { IncomingCall } from '../../wire/transport.js';
import type { SpreadingDeps } from './handler.js';
import { requireLatest } from './latest-record.js';

/**
 * What postRecord and deleteRecord have in common: a record is checked, and kept here for a peer that passes it on, at
 * a majority of the holders for the user who wrote it.
 * @returns how many copies are on disk.
 * @throws PeerStoreError DAMAGED when it is not what its writer signed under this id, FORBIDDEN when the caller is not
 *   its writer, CONFLICT when a holder, or a peer behind the holders, has accepted another value.
 */
export async function writeRecord(
  deps: SpreadingDeps,
  call: IncomingCall<'postRecord' | 'deleteRecord'>,
  deleted: boolean,
): Promise<number> {
  const { id } = call.request;
  const record = openRecord(call.body, id);
  if (record.deleted !== deleted) {
    throw new PeerStoreError(
      'PROTOCOL',
      `a record ${deleted ? 'without' : 'with'} the mark of a deleted one`,
    );
  }
  const keepHere = async (): Promise<void> =>
    deps.store.putRecord({ id, sequence: record.sequence, bytes: call.body });
  if (call.caller.kind === 'peer') {
    deps.replication.requireStaying();
    await keepHere();
    return 1;
  }
  requireWriter(call.caller, record.writer);
  deps.replication.requireResponsible(id);
  await requireLatest(deps, { id, sequence: record.sequence, bytes: call.body }, call.signal);
  const { done } = await deps.replication.spread(
    `writing record ${shortId(id)}`,
    call.signal,
    async (holder, signal) => {
      if (holder.machine === deps.machine) return keepHere();
      await deps.transport.call(holder, call.method, { id }, { body: call.body, signal });
    },
  );
  return done.length;
}

/** A user writes as the device of the connection, or as the user whose device that is. */
function requireWriter(caller: Identity, writer: Uint8Array): void {
  if (caller.kind === 'user' && (bytesEqual(writer, caller.deviceKey) || bytesEqual(writer, caller.userKey)))
    return;
  throw new PeerStoreError('FORBIDDEN', 'only its writer may write a record');
}
