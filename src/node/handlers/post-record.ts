import type { Handler, SpreadingDeps } from './handler.js';
import { writeRecord } from './write-record.js';

/** Keeps a signed record. */
export function postRecordHandler(deps: SpreadingDeps): Handler<'postRecord'> {
  return async (call) => ({ response: { copies: await writeRecord(deps, call, false) } });
}
