/**
 * Walks what a backup was given, depth first, each directory in the order of its names' bytes.
 *
 * The walk is a stream of events. A directory is entered, its contents follow, it is left: whoever builds trees holds
 * one unfinished directory a level, and finishes it when it is left. The first event enters `/`, the last one leaves
 * it; the directories between `/` and a given path are entered too, with only what leads to given paths in them.
 *
 * What cannot be read is reported and left out; it never ends the walk. Memory: the names of the directories that are
 * open, and the metadata of a few names ahead. There is no recursion, so depth is bounded by the system's longest path.
 */
import { compareBytes } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
import { joinPath, rootPath } from '../base/paths.js';
import { problem, readProblem, type Report } from './problem.js';
import { childOf, type GivenNode, givenTree } from './scan-roots.js';

interface Found {
  /** Its name in its directory; empty for `/`. */
  readonly name: Uint8Array;
  /** The absolute path. */
  readonly path: Uint8Array;
  readonly info: FileInfo;
}

export interface FoundDirectory extends Found {
  readonly kind: 'enter' | 'leave';
}
export interface FoundFile extends Found {
  readonly kind: 'file';
}
export interface FoundSymlink extends Found {
  readonly kind: 'symlink';
  readonly target: Uint8Array;
}

export type ScanEvent = FoundDirectory | FoundFile | FoundSymlink;

export interface ScanOptions {
  readonly fileSystem: FileSystem;
  /** Where relative paths start: an absolute path. */
  readonly cwd: Uint8Array;
  readonly report: Report;
  /** What is left out, with all that is in it. Never asked about given paths and what leads to them. */
  readonly exclude?: (path: Uint8Array, isDirectory: boolean) => boolean;
  readonly signal?: AbortSignal;
}

/** The same text for every name of a file with several names; undefined for a file with one. */
export function linkGroupOf(info: FileInfo): string | undefined {
  return info.nlink > 1 ? `${info.dev}:${info.ino}` : undefined;
}

/**
 * Walks the given paths.
 * @throws PeerStoreError USAGE before the first event when a path is not there (see {@link givenTree}); CANCELLED.
 */
export async function* scan(
  paths: readonly Uint8Array[],
  options: ScanOptions,
): AsyncGenerator<ScanEvent, void, undefined> {
  const root = await givenTree(options.fileSystem, options.cwd, paths);
  const walk = new Walk(options);
  const stack: OpenDirectory[] = [];
  const first = await walk.enter(rootPath, root, root.given);
  if (first === undefined) return;
  stack.push(first);
  yield { kind: 'enter', ...first.found };
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    if (options.signal?.aborted === true) throw new PeerStoreError('CANCELLED', 'the backup was cancelled');
    const next = await walk.next(top);
    if (next === undefined) {
      stack.pop();
      yield { kind: 'leave', ...top.found };
    } else if ('found' in next) {
      stack.push(next);
      yield { kind: 'enter', ...next.found };
    } else {
      yield next;
    }
  }
}

/** A directory whose contents are being walked. */
interface OpenDirectory {
  readonly found: Found;
  readonly names: readonly Uint8Array[];
  /** How many of the names have been looked up. */
  position: number;
  /** Looked up and not yet visited, the next one last. */
  ahead: Looked[];
  readonly node: GivenNode | undefined;
  /** Whether all that is in it is wanted, or only what leads to given paths. */
  readonly whole: boolean;
}

interface Looked {
  readonly name: Uint8Array;
  readonly path: Uint8Array;
  readonly result: { readonly info: FileInfo } | { readonly error: unknown };
}

class Walk {
  readonly #fileSystem: FileSystem;
  readonly #report: Report;
  readonly #exclude: (path: Uint8Array, isDirectory: boolean) => boolean;

  constructor(options: ScanOptions) {
    this.#fileSystem = options.fileSystem;
    this.#report = options.report;
    this.#exclude = options.exclude ?? (() => false);
  }

  /** Lists a directory. Undefined, and a report, when that cannot be done. */
  async enter(
    path: Uint8Array,
    node: GivenNode | undefined,
    whole: boolean,
    name: Uint8Array = new Uint8Array(0),
  ): Promise<OpenDirectory | undefined> {
    try {
      // What leads to a given path is followed, as the system would; inside one, links are recorded as links.
      const info = whole ? await this.#fileSystem.lstat(path) : await this.#fileSystem.stat(path);
      if (info.type !== 'directory') {
        this.#report(problem('vanished', path, 'was replaced by something else while the backup ran'));
        return undefined;
      }
      const unsorted = whole
        ? await this.#fileSystem.readDirectory(path)
        : [...(node?.children.values() ?? [])].map((child) => child.name);
      const names = [...unsorted].sort(compareBytes);
      return { found: { name, path, info }, names, position: 0, ahead: [], node, whole };
    } catch (error) {
      this.#report(readProblem(path, error));
      return undefined;
    }
  }

  /** The next thing of a directory: an event, or a directory to walk first. Undefined at its end. */
  async next(directory: OpenDirectory): Promise<FoundFile | FoundSymlink | OpenDirectory | undefined> {
    for (;;) {
      if (directory.ahead.length === 0) await this.#lookAhead(directory);
      const looked = directory.ahead.pop();
      if (looked === undefined) return undefined;
      const found = await this.#visit(directory, looked);
      if (found !== undefined) return found;
    }
  }

  async #lookAhead(directory: OpenDirectory): Promise<void> {
    const end = Math.min(directory.position + limits.scanLookupsAtOnce, directory.names.length);
    const names = directory.names.slice(directory.position, end);
    directory.position = end;
    const looked = await Promise.all(names.map((name) => this.#look(directory, name)));
    directory.ahead = looked.reverse();
  }

  async #look(directory: OpenDirectory, name: Uint8Array): Promise<Looked> {
    const path = joinPath(directory.found.path, name);
    try {
      return { name, path, result: { info: await this.#fileSystem.lstat(path) } };
    } catch (error) {
      return { name, path, result: { error } };
    }
  }

  async #visit(
    directory: OpenDirectory,
    looked: Looked,
  ): Promise<FoundFile | FoundSymlink | OpenDirectory | undefined> {
    const { name, path, result } = looked;
    const node = childOf(directory.node, name);
    const isDirectory = 'info' in result && result.info.type === 'directory';
    const excluded = node?.given !== true && directory.whole && this.#exclude(path, isDirectory);
    const whole = node?.given === true || (directory.whole && !excluded);
    if (!whole && node === undefined) return undefined;
    if ('error' in result) {
      this.#report(readProblem(path, result.error));
      return undefined;
    }
    if (!whole) return this.enter(path, node, false, name);
    const info = result.info;
    switch (info.type) {
      case 'directory':
        return this.enter(path, node, true, name);
      case 'file':
        return { kind: 'file', name, path, info };
      case 'symlink':
        return this.#readSymlink(name, path, info);
      case 'fifo':
      case 'socket':
      case 'character device':
      case 'block device':
        this.#report(problem('skipped', path, `is a ${info.type}, which is not backed up`));
        return undefined;
    }
  }

  async #readSymlink(name: Uint8Array, path: Uint8Array, info: FileInfo): Promise<FoundSymlink | undefined> {
    try {
      return { kind: 'symlink', name, path, info, target: await this.#fileSystem.readLink(path) };
    } catch (error) {
      this.#report(readProblem(path, error));
      return undefined;
    }
  }
}
