/** One of five peers is lost for good: how long it takes until all copies are there again. `[MiB A PEER]`. */
import { besidePlainCopying } from './filled-ring.js';

/** Measures what repair moves, and how fast. */
export function run(): Promise<Record<string, unknown>> {
  return besidePlainCopying((ring) => ring.lose());
}
