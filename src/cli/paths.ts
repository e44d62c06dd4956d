/** Paths as they come from a command line, and globs over them. */
import { readlinkSync } from 'node:fs';

import picomatch from 'picomatch';

import { asBuffer, concatBytes, utf8 } from '../base/bytes.js';
import { messageOf, PeerStoreError } from '../base/errors.js';

/**
 * The bytes of a path that a person typed. `\xNN` stands for a byte and `\\` for a backslash, as our own output writes
 * them: so a name that is not UTF-8 can be given back to us. A backslash before anything else is itself.
 */
export function typedPath(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const match of text.matchAll(/\\(?:x([0-9a-f]{2})|\\)/gi)) {
    parts.push(utf8(text.slice(at, match.index)));
    parts.push(match[1] === undefined ? utf8('\\') : Buffer.from(match[1], 'hex'));
    at = match.index + match[0].length;
  }
  return concatBytes(...parts, utf8(text.slice(at)));
}

/**
 * The working directory, as bytes.
 * @throws PeerStoreError USAGE when it was removed.
 */
export function workingDirectory(): Uint8Array {
  try {
    const path = utf8(process.cwd());
    // Node gives a text; where a name on the way is not UTF-8, Linux has the bytes.
    return path.includes(0xef) && process.platform === 'linux'
      ? readlinkSync('/proc/self/cwd', { encoding: 'buffer' })
      : path;
  } catch (error) {
    throw new PeerStoreError('USAGE', 'the directory that you are in was removed; go to another one', {
      cause: error,
    });
  }
}

/** `SNAPSHOT[:PATH]`, taken apart. Without a snapshot it is the latest one. */
export function snapshotAndPath(text: string | undefined): { snapshot: string; path: string | undefined } {
  if (text === undefined) return { snapshot: 'latest', path: undefined };
  const colon = text.indexOf(':');
  if (colon < 0) return { snapshot: text, path: undefined };
  const path = text.slice(colon + 1);
  if (path === '') throw new PeerStoreError('USAGE', `"${text}" has no path behind the colon`);
  return { snapshot: text.slice(0, colon) || 'latest', path };
}

/** Whether any of these globs matches a path. */
export type PathFilter = (path: Uint8Array, isDirectory: boolean) => boolean;

/**
 * Compiles globs. One without a slash matches a name anywhere, one with a slash the whole path, which may be given from
 * its root or from any directory on (`src/*.o`); one that ends in a slash matches directories only.
 * @throws PeerStoreError USAGE for a glob that is empty or makes no sense.
 */
export function compileGlobs(globs: readonly string[]): PathFilter {
  const tests = globs.map((glob) => {
    const directoriesOnly = glob.endsWith('/');
    const pattern = glob.replace(/\/+$/, '');
    if (pattern.trim() === '')
      throw new PeerStoreError('USAGE', `"${glob}" is not a glob that matches anything`);
    const matches = matcher(pattern.startsWith('/') ? pattern.replace(/^\/+/, '') : `**/${pattern}`, glob);
    return (path: string, isDirectory: boolean) => (!directoriesOnly || isDirectory) && matches(path);
  });
  return (path, isDirectory) => {
    // Bytes that are not UTF-8 are seen one by one: a glob with * matches them all the same.
    const buffer = asBuffer(path);
    const text = buffer.toString('utf8');
    const shown = buffer.equals(utf8(text)) ? text : buffer.toString('latin1');
    const relative = shown.startsWith('/') ? shown.slice(1) : shown;
    return tests.some((test) => test(relative, isDirectory));
  };
}

function matcher(pattern: string, glob: string): (path: string) => boolean {
  try {
    return picomatch(pattern, { dot: true });
  } catch (error) {
    throw new PeerStoreError('USAGE', `"${glob.slice(0, 80)}" is not a glob: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
