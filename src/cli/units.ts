/** Sizes and times as people write and read them. */
import { PeerStoreError } from '../base/errors.js';

const sizeUnits = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;
const timeUnits = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads a size: a number with K, M, G or T (of 1024) behind it, or plain bytes.
 * @returns bytes
 * @throws PeerStoreError USAGE.
 */
export function parseSize(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  const bytes = Math.round(
    Number(match?.[1]) * sizeUnits[(match?.[2] ?? '').toUpperCase() as keyof typeof sizeUnits],
  );
  if (match === null || !Number.isSafeInteger(bytes)) {
    throw new PeerStoreError('USAGE', `${option} takes a size such as 500M or 2T, not "${text}"`);
  }
  return bytes;
}

/**
 * Reads a rate: a size that passes in a second.
 * @returns bytes a second, at least 1
 * @throws PeerStoreError USAGE.
 */
export function parseRate(text: string, option: string): number {
  const bytes = parseSize(text.replace(/\/s$/i, ''), option);
  if (bytes > 0) return bytes;
  throw new PeerStoreError(
    'USAGE',
    `${option} takes the bytes of a second, such as 500K or 2M, not "${text}"`,
  );
}

/**
 * Reads a time: a number with s, m, h or d behind it.
 * @returns milliseconds
 * @throws PeerStoreError USAGE.
 */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])$/i.exec(text.trim());
  const ms = Math.round(
    Number(match?.[1]) * timeUnits[(match?.[2] ?? 's').toLowerCase() as keyof typeof timeUnits],
  );
  if (match === null || !Number.isSafeInteger(ms)) {
    throw new PeerStoreError('USAGE', `${option} takes a time such as 30s, 10m, 1h or 7d, not "${text}"`);
  }
  return ms;
}

/** A size for people: `1.5 MiB`. */
export function showSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0
    ? `${value} B`
    : `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit] ?? ''}`;
}

/** A duration for people: `3.2 s`, `2 min 5 s`. */
export function showDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** A count with its noun: `1 file`, `2 files`. */
export function showCount(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
