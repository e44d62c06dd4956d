import { showCount } from './units.js';

/** Keys that are short of copies, by how many are left, for people: `1 key with one left, 20 keys with 2 left`. */
export function showShortage(short: readonly { readonly copies: number; readonly keys: number }[]): string {
  const left = (copies: number): string => (copies === 0 ? 'none' : copies === 1 ? 'one' : `${copies}`);
  return short.map(({ copies, keys }) => `${showCount(keys, 'key')} with ${left(copies)} left`).join(', ');
}
