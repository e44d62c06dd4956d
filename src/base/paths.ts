/**
 * Paths as bytes. A Unix name is any bytes but `/` and NUL, in no particular encoding: as text it could not be given
 * back exactly.
 */
import { asBuffer, bytesEqual, concatBytes, utf8 } from './bytes.js';

const slash = 0x2f;
const dot = utf8('.');
const dotDot = utf8('..');

/** The root directory. */
export const rootPath: Uint8Array = utf8('/');

/** The path of a name in a directory. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  if (directory.length === 0) return name;
  return directory.at(-1) === slash ? concatBytes(directory, name) : concatBytes(directory, rootPath, name);
}

/**
 * The names on the way from `/` to a path. A relative path starts at `cwd`. `.`, `..` and repeated slashes are resolved
 * by the text alone, without looking at what is there; `..` at the root stays at the root.
 */
export function pathComponents(cwd: Uint8Array, path: Uint8Array): readonly Uint8Array[] {
  const components: Uint8Array[] = [];
  for (const name of splitAtSlashes(path[0] === slash ? path : joinPath(cwd, path))) {
    if (name.length === 0 || bytesEqual(name, dot)) continue;
    if (bytesEqual(name, dotDot)) components.pop();
    else components.push(name);
  }
  return components;
}

/** The absolute path made of these names. */
export function absolutePath(components: readonly Uint8Array[]): Uint8Array {
  return components.reduce(joinPath, rootPath);
}

/** Whether a name is that of one thing inside a directory: not empty, `.` or `..`, and without `/` and NUL. */
export function isPlainName(name: Uint8Array): boolean {
  return (
    name.length > 0 &&
    !bytesEqual(name, dot) &&
    !bytesEqual(name, dotDot) &&
    !name.includes(slash) &&
    !name.includes(0)
  );
}

/** A path for people: on one line, with what is not printable UTF-8 as `\xNN`. */
export function printablePath(path: Uint8Array): string {
  const buffer = asBuffer(path);
  const text = buffer.toString('utf8');
  // Where the bytes are not UTF-8, decoding replaces some of them; then only ASCII is shown as it is.
  return buffer.equals(utf8(text))
    ? text.replace(/[\p{C}\p{Zl}\p{Zp}\\]/gu, (char) => (char === '\\' ? '\\\\' : escaped(utf8(char))))
    : escaped(buffer);
}

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x5c) text += '\\\\';
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function* splitAtSlashes(path: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = path.indexOf(slash); end !== -1; end = path.indexOf(slash, start)) {
    yield path.subarray(start, end);
    start = end + 1;
  }
  yield path.subarray(start);
}
