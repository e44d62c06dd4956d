/**
 * Recreates a tree of directories, files and links below a target directory, exactly.
 *
 * It takes a stream of events: a directory is entered, its contents follow in the order of their names' bytes, it is
 * left. Directories are made as they are entered, with a private mode; several files are written at the same time; a
 * directory gets its own owner, mode and time when it has been left and all that is in it is finished, so that a
 * read-only directory can be filled and its time stays.
 *
 * Nothing is ever written outside the target, whatever the archive says. Names are checked again here. Every directory
 * on the way down is one that was made here, or looked at and found to be a real directory; a link that has the place
 * of a directory is replaced, never followed. Names come in order and once, so that what was checked cannot be replaced
 * by the same archive while it is used. (Not covered: another process that changes the target meanwhile. Node has no
 * calls relative to an open directory.)
 *
 * Files are not synced: after a power loss, restore again with `if-changed`.
 */
import { compareBytes } from '../base/bytes.js';
import { assert, hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import type { FileSystem } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
import { isPlainName, joinPath, printablePath } from '../base/paths.js';
import type { Random } from '../base/random.js';
import type { DirectoryEntry, EntryCommon, FileEntry, SymlinkEntry } from '../archive/entry.js';
import { type Outcome, type Overwrite, Placer } from './place.js';
import { Directories, HeldDirectories, type OpenDirectory } from './restore-directories.js';
import { osCode, type Problem, problem, ProblemError, systemReason } from './problem.js';
import { Tasks } from './tasks.js';

export type RestoreEvent =
  | { readonly kind: 'enter'; readonly entry: DirectoryEntry }
  | { readonly kind: 'leave' }
  /** What else is in the directory that is open is not known. */
  | { readonly kind: 'damaged'; readonly error: PeerStoreError }
  | { readonly kind: 'file'; readonly entry: FileEntry }
  | { readonly kind: 'symlink'; readonly entry: SymlinkEntry };

export interface RestoreOptions {
  readonly fileSystem: FileSystem;
  readonly random: Random;
  /** Absolute. It is made if need be, with the directories that lead to it; a link to a directory will do. */
  readonly target: Uint8Array;
  /** What the target itself gets if it is made; a target that exists keeps its owner, mode and time. */
  readonly root?: EntryCommon;
  /**
   * A file's content. DAMAGED and MISSING become a problem of that file; other errors end the restore.
   * @param signal fires when the restore ends early
   */
  readonly openContent: (entry: FileEntry, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly report: (problem: Problem) => void;
  /** Default `always`. */
  readonly overwrite?: Overwrite;
  /** What is restored: asked with paths relative to the target. All that is in an included directory is included. */
  readonly include?: (path: Uint8Array, isDirectory: boolean) => boolean;
  /** Called with what has been done since the last call. */
  readonly progress?: (done: { readonly files: number; readonly bytes: number }) => void;
  readonly signal?: AbortSignal;
}

/** What a restore has done. */
export interface RestoreSummary {
  /** Files and links that were placed, further names of one file included. */
  files: number;
  directories: number;
  /** Content written. */
  bytes: number;
  /** Files and links that were there already and stayed. */
  leftAlone: number;
  problems: number;
}

/**
 * Recreates what the events tell.
 * @throws PeerStoreError NO_SPACE when the disk is full, CANCELLED, USAGE when the target cannot be used, or what the
 *   events or a content threw. What was finished until then stays; there is no temporary file left in any case.
 */
export async function restoreFiles(
  events: AsyncIterable<RestoreEvent>,
  options: RestoreOptions,
): Promise<RestoreSummary> {
  const restore = new Restore(options);
  await restore.run(events);
  return restore.summary;
}

class Restore {
  readonly summary: RestoreSummary = { files: 0, directories: 0, bytes: 0, leftAlone: 0, problems: 0 };
  readonly #options: RestoreOptions;
  readonly #directories: Directories;
  readonly #placer: Placer;
  readonly #tasks: Tasks;
  /** For each link group the file that further names are linked to, once it is there. */
  readonly #links = new Map<string, Promise<Uint8Array | undefined>>();
  /** Levels below a directory that is left out. */
  #skippedLevels = 0;

  constructor(options: RestoreOptions) {
    this.#options = options;
    this.#tasks = new Tasks(limits.restoreFilesAtOnce, 'the restore was cancelled', options.signal);
    const held = new HeldDirectories();
    const overwrite = options.overwrite ?? 'always';
    const report = (found: Problem): void => this.#report(found);
    this.#placer = new Placer({ ...options, overwrite, report, held });
    this.#directories = new Directories(options.fileSystem, this.#placer, overwrite, held);
  }

  async run(events: AsyncIterable<RestoreEvent>): Promise<void> {
    const { target, root, include } = this.#options;
    this.#tasks.check();
    let directory = await this.#directories.openTarget(target, root, include === undefined);
    try {
      for await (const event of events) {
        this.#tasks.check();
        switch (event.kind) {
          case 'enter':
            directory = await this.#enter(directory, event.entry);
            break;
          case 'leave':
            directory = this.#leave(directory);
            break;
          case 'damaged':
            this.#damaged(directory, event.error);
            break;
          case 'file':
          case 'symlink':
            await this.#place(directory, event);
            break;
        }
      }
      assert(directory.parent === undefined && this.#skippedLevels === 0, 'every directory entered is left');
      this.#childFinished(directory);
    } catch (error) {
      this.#tasks.fail(error);
    }
    await this.#tasks.finish();
  }

  /** Checks a name's form and order. @returns its path below the target, or undefined (and a report). */
  #relativePathOf(parent: OpenDirectory, name: Uint8Array): Uint8Array | undefined {
    const path = joinPath(parent.relativePath, name);
    if (!isPlainName(name)) {
      this.#report(problem('refused', path, 'has a name that no file can have; left out'));
      return undefined;
    }
    if (parent.lastName !== undefined && compareBytes(name, parent.lastName) <= 0) {
      this.#report(problem('refused', path, 'comes twice or out of order in its directory; left out'));
      return undefined;
    }
    parent.lastName = name;
    if (parent.path.length + 1 + name.length > limits.pathBytes) {
      this.#report(problem('unwritable', path, 'has a path that is too long for any system; left out'));
      return undefined;
    }
    return path;
  }

  #isIncluded(parent: OpenDirectory, path: Uint8Array, isDirectory: boolean): boolean {
    return parent.included || this.#options.include?.(path, isDirectory) !== false;
  }

  async #enter(parent: OpenDirectory, entry: DirectoryEntry): Promise<OpenDirectory> {
    if (this.#skippedLevels > 0) {
      this.#skippedLevels += 1;
      return parent;
    }
    const relativePath = this.#relativePathOf(parent, entry.name);
    if (relativePath === undefined) {
      this.#skippedLevels = 1;
      return parent;
    }
    const directory: OpenDirectory = {
      parent,
      path: joinPath(parent.path, entry.name),
      relativePath,
      metadata: entry,
      included: this.#isIncluded(parent, relativePath, true),
      info: undefined,
      failed: false,
      lastName: undefined,
      unfinished: 1,
    };
    if (directory.included && !(await this.#make(directory))) {
      this.#skippedLevels = 1;
      return parent;
    }
    parent.unfinished += 1;
    return directory;
  }

  #leave(directory: OpenDirectory): OpenDirectory {
    if (this.#skippedLevels > 0) {
      this.#skippedLevels -= 1;
      return directory;
    }
    assert(directory.parent !== undefined, 'a directory is entered before it is left');
    this.#childFinished(directory);
    return directory.parent;
  }

  #damaged(directory: OpenDirectory, error: PeerStoreError): void {
    // What is left out anyway is not missed.
    if (this.#skippedLevels > 0) return;
    const what = `was not restored in full, as its list of names cannot be read: ${error.message}`;
    this.#report(problem('damaged', directory.path, what));
  }

  /** Makes a directory if need be. @returns whether it is there now. */
  async #make(directory: OpenDirectory): Promise<boolean> {
    const { made, failure } = await this.#directories.make(directory);
    this.summary.directories += made;
    if (failure !== undefined) this.#failed(failure.path, failure.error, ', nor what is in it');
    return directory.info !== undefined;
  }

  async #place(
    directory: OpenDirectory,
    event: Extract<RestoreEvent, { kind: 'file' | 'symlink' }>,
  ): Promise<void> {
    if (this.#skippedLevels > 0) return;
    const { entry } = event;
    const relativePath = this.#relativePathOf(directory, entry.name);
    if (relativePath === undefined || !this.#isIncluded(directory, relativePath, false)) return;
    if (directory.info === undefined && !(await this.#make(directory))) return;
    const isLarge = entry.type === 'file' && entry.sizeBytes > limits.restoreSmallFileBytes;
    directory.unfinished += 1;
    await this.#tasks.start(isLarge ? limits.restoreLargeFileWeight : 1, async () => {
      const path = joinPath(directory.path, entry.name);
      try {
        const outcome =
          entry.type === 'file'
            ? await this.#placeFile(directory.path, entry)
            : await this.#placer.symlink(directory.path, entry);
        if (outcome === 'placed') this.summary.files += 1;
        else this.summary.leftAlone += 1;
        this.#options.progress?.({ files: 1, bytes: 0 });
      } catch (error) {
        this.#failed(path, error);
      }
      this.#childFinished(directory);
    });
  }

  async #placeFile(directory: Uint8Array, entry: FileEntry): Promise<Outcome> {
    const content = (): AsyncIterable<Uint8Array> => this.#content(entry);
    if (entry.linkGroup === undefined) return this.#placer.file(directory, entry, content);
    const before = this.#links.get(entry.linkGroup);
    const placing = (async (): Promise<{ outcome: Outcome; first: Uint8Array | undefined }> => {
      const first = await before;
      if (first !== undefined) {
        const outcome = await this.#placer.link(directory, entry, first);
        if (outcome !== undefined) return { outcome, first };
      }
      const outcome = await this.#placer.file(directory, entry, content);
      // What was merely kept may be any file: no further name may lead to it.
      return { outcome, first: outcome === 'kept' ? first : joinPath(directory, entry.name) };
    })();
    this.#links.set(
      entry.linkGroup,
      placing.then(
        ({ first }) => first,
        () => before,
      ),
    );
    return (await placing).outcome;
  }

  async *#content(entry: FileEntry): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.#options.openContent(entry, this.#tasks.signal)) {
      this.#tasks.check();
      yield piece;
      this.summary.bytes += piece.length;
      this.#options.progress?.({ files: 0, bytes: piece.length });
    }
    this.#tasks.check();
  }

  /** Finishes a directory when the last thing in it is finished, and then perhaps those above it. */
  #childFinished(directory: OpenDirectory): void {
    directory.unfinished -= 1;
    if (directory.unfinished > 0) return;
    this.#tasks.startNow(async () => {
      await this.#directories.finish(directory);
      if (directory.parent !== undefined) this.#childFinished(directory.parent);
    });
  }

  /** Reports what concerns one path; anything else is thrown, to end the restore. */
  #failed(path: Uint8Array, error: unknown, more = ''): void {
    const code = osCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new PeerStoreError(
        'NO_SPACE',
        `no space is left for ${printablePath(path)}; make room and restore again with --overwrite if-changed`,
        { cause: error },
      );
    }
    if (error instanceof ProblemError) {
      this.#report(error.problem);
    } else if (code !== undefined) {
      this.#report(problem('unwritable', path, `was not restored${more}: ${systemReason(error)}`));
    } else if (hasCode(error, 'DAMAGED', 'MISSING')) {
      this.#report(problem('damaged', path, `was not restored${more}: ${messageOf(error)}`));
    } else {
      throw error;
    }
  }

  #report(found: Problem): void {
    this.summary.problems += 1;
    this.#options.report(found);
  }
}
