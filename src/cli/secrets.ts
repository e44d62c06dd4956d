/** Secrets come from files, the environment or a prompt; never from a command line, which others can read. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

import { messageOf, PeerStoreError } from '../base/errors.js';

/**
 * The text of a file, or of standard input for `-`.
 * @param what names it in a message: `recovery phrase`
 * @throws PeerStoreError USAGE when it cannot be read, or there is nothing in it.
 */
export function textFromFile(path: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot read the ${what}: ${messageOf(error)}`, { cause: error });
  }
  if (text.trim() !== '') return text;
  const where = path === '-' ? 'standard input' : path;
  throw new PeerStoreError('USAGE', `there is no ${what} in ${where}: it is empty`);
}

/** The first line of a file, or of standard input for `-`. @throws PeerStoreError USAGE, as {@link textFromFile}. */
export function lineFromFile(path: string, what: string): string {
  return textFromFile(path, what).split(/\r?\n/, 1)[0] ?? '';
}

/**
 * Asks the person at the terminal, without showing the answer. Undefined where there is no terminal.
 * @throws PeerStoreError CANCELLED when the person answers with Ctrl-C or Ctrl-D.
 */
export async function askSecret(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  process.stderr.write(question);
  // The terminal echoes through this stream, which keeps it to itself.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const left = new AbortController();
  lines.on('SIGINT', () => left.abort());
  lines.on('close', () => left.abort());
  try {
    return await lines.question('', { signal: left.signal });
  } catch (error) {
    if (!left.signal.aborted) throw error;
    throw new PeerStoreError('CANCELLED', 'interrupted', { cause: error });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
