/** A sixth peer comes: how long it takes until it has its share. `[MiB A PEER]`. */
import { besidePlainCopying } from './filled-ring.js';

/** Measures what is moved for the newcomer, and how fast. */
export function run(): Promise<Record<string, unknown>> {
  return besidePlainCopying((ring) => ring.join());
}
