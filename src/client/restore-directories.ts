/** The directories of a restore: made private, filled, and given their own owner, mode and time at the end. */
import { assert, PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem } from '../base/filesystem.js';
import { absolutePath, pathComponents, printablePath, rootPath } from '../base/paths.js';
import type { EntryCommon } from '../archive/entry.js';
import type { Overwrite, Placer } from './place.js';
import { osCode, problem, ProblemError, systemReason } from './problem.js';

/** A directory that is being restored. */
export interface OpenDirectory {
  readonly parent: OpenDirectory | undefined;
  readonly path: Uint8Array;
  /** Below the target. */
  readonly relativePath: Uint8Array;
  /** What it gets when it is finished; undefined leaves it as it is. */
  metadata: EntryCommon | undefined;
  /** Whether all that is in it is to be restored. */
  readonly included: boolean;
  /** What it is on disk; undefined before it is made. */
  info: FileInfo | undefined;
  /** Set when it could not be made: that is reported once, and what is in it is left out. */
  failed: boolean;
  /** The last name that came in it. */
  lastName: Uint8Array | undefined;
  /** What is unfinished in it, and 1 until it is left. */
  unfinished: number;
}

/** While a directory is filled: only for us, and surely for us. */
const fillingMode = 0o700;

/**
 * The directories that are being filled, as the file system knows them. Two names of the archive may be one to a file
 * system that ignores case: the second one must not put a link where the first one's files are being written.
 */
export class HeldDirectories {
  /** Under how many names each is being filled. */
  readonly #names = new Map<string, number>();

  has(info: FileInfo): boolean {
    return this.#names.has(identityOf(info));
  }
  add(info: FileInfo): void {
    const identity = identityOf(info);
    this.#names.set(identity, (this.#names.get(identity) ?? 0) + 1);
  }
  delete(info: FileInfo): void {
    const identity = identityOf(info);
    const left = (this.#names.get(identity) ?? 0) - 1;
    if (left > 0) this.#names.set(identity, left);
    else this.#names.delete(identity);
  }
}

function identityOf(info: FileInfo): string {
  return `${info.dev}:${info.ino}`;
}

export class Directories {
  readonly #fileSystem: FileSystem;
  readonly #placer: Placer;
  readonly #overwrite: Overwrite;
  readonly #held: HeldDirectories;

  constructor(fileSystem: FileSystem, placer: Placer, overwrite: Overwrite, held: HeldDirectories) {
    this.#fileSystem = fileSystem;
    this.#placer = placer;
    this.#overwrite = overwrite;
    this.#held = held;
  }

  /**
   * The target, made if need be.
   * @param root what it gets if it is made
   * @throws PeerStoreError USAGE when it cannot be used.
   */
  async openTarget(
    path: Uint8Array,
    root: EntryCommon | undefined,
    included: boolean,
  ): Promise<OpenDirectory> {
    try {
      const isNew = await this.#makeTarget(path, root === undefined ? 0o777 : fillingMode);
      const info = await this.#fileSystem.stat(path);
      if (info.type !== 'directory') throw new PeerStoreError('USAGE', `it is a ${info.type}`);
      this.#held.add(info);
      return {
        parent: undefined,
        path,
        relativePath: new Uint8Array(0),
        metadata: isNew ? root : undefined,
        included,
        info,
        failed: false,
        lastName: undefined,
        unfinished: 1,
      };
    } catch (error) {
      const where = printablePath(path);
      throw new PeerStoreError('USAGE', `cannot restore into ${where}: ${systemReason(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Makes a directory, and those above it that were not needed until now.
   * @returns how many it made, and where and why it stopped, if it did. It says nothing of a directory that failed
   *   before.
   */
  async make(
    directory: OpenDirectory,
  ): Promise<{ made: number; failure?: { path: Uint8Array; error: unknown } }> {
    const missing: OpenDirectory[] = [];
    for (let at: OpenDirectory | undefined = directory; at?.info === undefined; at = at.parent) {
      assert(at !== undefined, 'the target is there');
      if (at.failed) return { made: 0 };
      missing.push(at);
    }
    let made = 0;
    for (const next of missing.reverse()) {
      try {
        next.info = await this.#makeOne(next);
        this.#held.add(next.info);
        made += 1;
      } catch (error) {
        next.failed = true;
        return { made, failure: { path: next.path, error } };
      }
    }
    return { made };
  }

  /** All in it is finished: it gets what is its own. */
  async finish(directory: OpenDirectory): Promise<void> {
    const { info, metadata, path } = directory;
    if (info === undefined) return;
    this.#held.delete(info);
    if (metadata === undefined) return;
    await this.#placer.setOwner(path, path, metadata);
    await this.#placer.metadata(path, 'mode', () => this.#fileSystem.changeMode(path, metadata.mode));
    await this.#placer.setMtime(path, path, metadata);
  }

  async #makeTarget(path: Uint8Array, mode: number): Promise<boolean> {
    try {
      await this.#fileSystem.makeDirectory(path, mode);
      return true;
    } catch (error) {
      if (osCode(error) === 'EEXIST') return false;
      const above = parentOf(path);
      if (osCode(error) !== 'ENOENT' || above === undefined) throw error;
      // The way to the target is the person's own choice, not the archive's: what is missing of it is made.
      await this.#makeTarget(above, 0o777);
      await this.#fileSystem.makeDirectory(path, mode);
      return true;
    }
  }

  async #makeOne(directory: OpenDirectory): Promise<FileInfo> {
    const { path } = directory;
    const there = await this.#placer.look(path);
    if (there?.type === 'directory') {
      if (this.#overwrite === 'never') {
        directory.metadata = undefined;
      } else if (!this.#fileSystem.privileged && (there.mode & fillingMode) !== fillingMode) {
        await this.#fileSystem.changeMode(path, there.mode | fillingMode);
      }
      return there;
    }
    if (there !== undefined) {
      if (this.#overwrite === 'never') {
        const what = `is a ${there.type} and is kept; the directory, and what is in it, was not restored`;
        throw new ProblemError(problem('unwritable', path, what));
      }
      await this.#fileSystem.unlink(path);
    }
    await this.#fileSystem.makeDirectory(path, fillingMode);
    const made = await this.#fileSystem.lstat(path);
    if (made.type !== 'directory') {
      throw new ProblemError(problem('unwritable', path, 'was replaced while the restore ran'));
    }
    return made;
  }
}

/** The directory that an absolute path is in; undefined for `/`. */
function parentOf(path: Uint8Array): Uint8Array | undefined {
  const components = pathComponents(rootPath, path);
  return components.length === 0 ? undefined : absolutePath(components.slice(0, -1));
}
