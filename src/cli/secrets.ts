/** Secrets come from files, the environment or a prompt; never from a command line, which others can read. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { messageOf, PeerStoreError } from '../base/errors.js';

/** The first line of a file, or all of standard input for `-`. @throws PeerStoreError USAGE. */
export function secretFromFile(path: string, what: string): string {
  try {
    const text = readFileSync(path === '-' ? 0 : path, 'utf8');
    return text.split(/\r?\n/, 1)[0] ?? '';
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot read the ${what} from ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Asks the person at the terminal, without showing the answer. Undefined where there is no terminal. */
export async function askSecret(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  process.stderr.write(question);
  // The terminal echoes through this stream, which keeps it to itself.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
