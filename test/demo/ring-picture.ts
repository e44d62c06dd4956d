/** The ring, drawn: its peers in the order of their ids, each with an arrow to its successor. */
import type { ServerStatus } from '../../src/cli/server-status.js';
import { showSize } from '../../src/cli/units.js';

/** Hexadecimal digits of an id that a person needs to tell peers apart. */
const shownDigits = 8;

const columns = ['peer', 'address', 'successor', 'then', 'keys', 'held'];

/** One line for each peer, between a heading and the way back to the first. */
export function ringPicture(peers: readonly ServerStatus[]): string[] {
  const rows = [...peers]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, address, successors, keys, bytes }) => {
      const [first, ...others] = successors.map(short);
      return [short(id), address, first ?? 'itself', others.join(' ') || '-', String(keys), showSize(bytes)];
    });
  const widths = columns.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at < 4 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('   ');
  const arrow = (at: number): string => (at === 0 ? '┌▶' : at === rows.length - 1 ? '└─' : '│ ');
  return [`   ${line(columns)}`, ...rows.map((row, at) => `${arrow(at)} ${line(row)}`)];
}

function short(id: string): string {
  return id.slice(0, shownDigits);
}
