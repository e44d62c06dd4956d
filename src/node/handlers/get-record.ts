import { PeerStoreError } from '../../base/errors.js';
import { openRecord } from '../../identity/record.js';
import { shortId } from '../../ring/identifier.js';
import type { Store } from '../../store/store.js';
import type { Handler } from './handler.js';

/** The record that this peer holds, as its writer signed it. */
export function getRecordHandler(store: Store): Handler<'getRecord'> {
  return async ({ request: { id } }) => {
    const record = await store.getRecord(id);
    if (record === undefined)
      throw new PeerStoreError('NOT_FOUND', `record ${shortId(id)} is not on this peer`);
    openRecord(record.bytes, id);
    return { response: {}, body: record.bytes };
  };
}
