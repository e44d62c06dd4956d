import type { Handler } from './handler.js';
import { writeRecord, type WriteRecordDeps } from './write-record.js';

/** Replaces a record by its signed tombstone. */
export function deleteRecordHandler(deps: WriteRecordDeps): Handler<'deleteRecord'> {
  return async (call) => ({ response: { copies: await writeRecord(deps, call, true) } });
}
