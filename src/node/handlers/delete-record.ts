import type { Handler, SpreadingDeps } from './handler.js';
import { writeRecord } from './write-record.js';

/** Replaces a record by its signed tombstone. */
export function deleteRecordHandler(deps: SpreadingDeps): Handler<'deleteRecord'> {
  return async (call) => ({ response: { copies: await writeRecord(deps, call, true) } });
}
