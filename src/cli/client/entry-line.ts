/** An entry of a tree as the listings show it. */
import { printablePath } from '../../base/paths.js';
import type { Entry } from '../../archive/entry.js';
import { showSize } from '../units.js';

/** What there is at a path: for a person, or with `json` as an object. @param more fields of the object besides */
export function entryLine(
  entry: Entry,
  path: Uint8Array,
  json: boolean,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const shown = printablePath(path);
  const sizeBytes = entry.type === 'file' ? entry.sizeBytes : 0;
  const target = entry.type === 'symlink' ? printablePath(entry.target) : undefined;
  const time = timeOf(entry.mtimeNs);
  if (json) {
    const { type, mode, uid, gid } = entry;
    return JSON.stringify({
      ...more,
      path: shown,
      type,
      size: sizeBytes,
      mode: mode.toString(8).padStart(4, '0'),
      uid,
      gid,
      mtime: time,
      ...(target === undefined ? {} : { target }),
    });
  }
  const size = entry.type === 'file' ? showSize(sizeBytes) : '';
  const mode = modeText(entry);
  const arrow = target === undefined ? '' : ` -> ${target}`;
  return `${mode}  ${size.padStart(9)}  ${time.slice(0, 16).replace('T', ' ')}  ${shown}${arrow}`;
}

/** A time outside the calendar's range is shown at its end. */
function timeOf(mtimeNs: bigint): string {
  const ms = Number(mtimeNs / 1_000_000n);
  const furthest = 8_640_000_000_000_000;
  return new Date(Math.max(-furthest, Math.min(furthest, ms))).toISOString();
}

function modeText({ type, mode }: Entry): string {
  const letters = ['x', 'w', 'r'];
  let text = type === 'directory' ? 'd' : type === 'symlink' ? 'l' : '-';
  for (let bit = 8; bit >= 0; bit -= 1) text += (mode >> bit) & 1 ? (letters[bit % 3] ?? '') : '-';
  return text;
}
