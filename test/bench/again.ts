/** Backing up again what has not changed: `npm run --silent bench -- again [ROUNDS]`. */
import { compare } from './comparison.js';

/** Measures beside restic and Borg, where they are installed. */
export function run(): Promise<Record<string, unknown>> {
  return compare(['again']);
}
