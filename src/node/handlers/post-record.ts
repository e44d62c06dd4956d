import type { Handler } from './handler.js';
import { writeRecord, type WriteRecordDeps } from './write-record.js';

/** Keeps a signed record. */
export function postRecordHandler(deps: WriteRecordDeps): Handler<'postRecord'> {
  return async (call) => ({ response: { copies: await writeRecord(deps, call, false) } });
}
