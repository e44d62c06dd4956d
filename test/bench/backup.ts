/** First backups, what they store, and what an edit adds: `npm run --silent bench -- backup [ROUNDS]`. */
import { compare } from './comparison.js';

/** Measures beside restic and Borg, where they are installed. */
export function run(): Promise<Record<string, unknown>> {
  return compare(['first', 'stored', 'editStored']);
}
