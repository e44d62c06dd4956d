/** The record of a device that holds the head of its list of snapshots. */
import { recordId } from '../identity/record.js';
import type { Id } from '../wire/index.js';

export const headRecord = { kind: 'snapshots', name: '' } as const;

/** The id of that record. */
export function headRecordId(device: Uint8Array): Id {
  return recordId(headRecord.kind, device, headRecord.name);
}
