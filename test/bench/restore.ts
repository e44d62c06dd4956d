/** Getting everything back: `npm run --silent bench -- restore [ROUNDS]`. */
import { compare } from './comparison.js';

/** Measures beside restic and Borg, where they are installed. */
export function run(): Promise<Record<string, unknown>> {
  return compare(['restore']);
}
