/**
 * Puts one file or symbolic link in its place, whole or not at all: it is made under a temporary name in the same
 * directory, gets its content and metadata there, and is then renamed over what was there before.
 *
 * A rename replaces a link and never follows it, and a temporary name is made only when nothing has it: whatever was
 * planted at the name, nothing is written through it.
 */
import { bytesEqual, toHex, utf8 } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem, WritableFile } from '../base/filesystem.js';
import { joinPath } from '../base/paths.js';
import type { Random } from '../base/random.js';
import type { EntryCommon, FileEntry, SymlinkEntry } from '../archive/entry.js';
import type { HeldDirectories } from './restore-directories.js';
import { osCode, problem, ProblemError, type Report, systemReason } from './problem.js';
import { SparseWriter } from './sparse-writer.js';

/** What happens to a file or link that is already there: replaced; left when it looks the same; left in any case. */
export type Overwrite = 'always' | 'if-changed' | 'never';

/** `placed`: it is new. `same`: what was there is what the archive has. `kept`: what was there stays, whatever it is. */
export type Outcome = 'placed' | 'same' | 'kept';

export interface PlacerOptions {
  readonly fileSystem: FileSystem;
  readonly random: Random;
  readonly overwrite: Overwrite;
  readonly report: Report;
  /** The directories that the restore still writes into: such a one is never removed. */
  readonly held: HeldDirectories;
}

const setIdBits = 0o6000;
/** For the owner only, until the content is there and the entry's own mode is set. */
const privateMode = 0o600;

/** Places files and links. Errors are the system's, or those of the content. */
export class Placer {
  readonly #options: PlacerOptions;
  readonly #fileSystem: FileSystem;

  constructor(options: PlacerOptions) {
    this.#options = options;
    this.#fileSystem = options.fileSystem;
  }

  /** What is at a path, if anything. */
  async look(path: Uint8Array): Promise<FileInfo | undefined> {
    try {
      return await this.#fileSystem.lstat(path);
    } catch (error) {
      if (osCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * @param content called when it is known to be needed
   * @throws PeerStoreError DAMAGED when the content is not as long as the entry says.
   */
  async file(
    directory: Uint8Array,
    entry: FileEntry,
    content: () => AsyncIterable<Uint8Array>,
  ): Promise<Outcome> {
    const path = joinPath(directory, entry.name);
    const there = await this.look(path);
    if (there !== undefined) {
      if (this.#options.overwrite === 'never') return 'kept';
      const looksSame =
        there.type === 'file' && there.sizeBytes === entry.sizeBytes && there.mtimeNs === entry.mtimeNs;
      if (this.#options.overwrite === 'if-changed' && looksSame) return 'same';
    }
    await this.#swapIn(directory, entry, there, async (temporary) => {
      const file = await this.#fileSystem.createFile(temporary, privateMode);
      try {
        await fill(file, entry, content());
        await this.#setFileOwnerAndMode(file, path, entry);
      } finally {
        await file.close();
      }
      await this.setMtime(temporary, path, entry);
    });
    return 'placed';
  }

  /** Makes or replaces a symbolic link. */
  async symlink(directory: Uint8Array, entry: SymlinkEntry): Promise<Outcome> {
    const path = joinPath(directory, entry.name);
    if (entry.target.length === 0 || entry.target.includes(0)) {
      throw new ProblemError(problem('refused', path, 'leads to a path that no link can have; left out'));
    }
    const there = await this.look(path);
    if (there !== undefined) {
      if (this.#options.overwrite === 'never') return 'kept';
      if (
        this.#options.overwrite === 'if-changed' &&
        there.type === 'symlink' &&
        there.mtimeNs === entry.mtimeNs &&
        bytesEqual(await this.#fileSystem.readLink(path), entry.target)
      ) {
        return 'same';
      }
    }
    await this.#swapIn(directory, entry, there, async (temporary) => {
      await this.#fileSystem.makeSymlink(entry.target, temporary);
      await this.setOwner(temporary, path, entry);
      await this.setMtime(temporary, path, entry);
    });
    return 'placed';
  }

  /**
   * Makes the entry another name of `first`, a file that this restore placed or found to be the same.
   * @returns undefined when the file system makes no such link: the content is to be placed instead.
   */
  async link(directory: Uint8Array, entry: FileEntry, first: Uint8Array): Promise<Outcome | undefined> {
    const there = await this.look(joinPath(directory, entry.name));
    if (there !== undefined) {
      if (this.#options.overwrite === 'never') return 'kept';
      const target = await this.look(first);
      if (target?.ino === there.ino && target.dev === there.dev) return 'same';
    }
    try {
      await this.#swapIn(directory, entry, there, (temporary) => this.#fileSystem.link(first, temporary));
      return 'placed';
    } catch (error) {
      if (osCode(error) === undefined) throw error;
      return undefined; // whatever it was: a copy works, or fails with a reason of its own
    }
  }

  /** Gives a directory or link its owner; only root can. */
  async setOwner(path: Uint8Array, shownAs: Uint8Array, entry: EntryCommon): Promise<void> {
    if (!this.#fileSystem.privileged) return;
    await this.metadata(shownAs, 'owner', () => this.#fileSystem.changeOwner(path, entry.uid, entry.gid));
  }

  async setMtime(path: Uint8Array, shownAs: Uint8Array, entry: EntryCommon): Promise<void> {
    await this.metadata(shownAs, 'time', () => this.#fileSystem.setTimes(path, entry.mtimeNs));
  }

  /** Does what the rest can do without: a failure is reported. */
  async metadata(path: Uint8Array, what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (osCode(error) === undefined) throw error;
      this.#options.report(
        problem('metadata', path, `was restored, but not its ${what}: ${systemReason(error)}`),
      );
    }
  }

  /** Removes an empty directory that has the place of something else. */
  async #clearDirectory(path: Uint8Array, there: FileInfo): Promise<void> {
    if (this.#options.held.has(there)) {
      throw new ProblemError(problem('refused', path, 'is a directory and something else in the archive'));
    }
    await this.#fileSystem.removeDirectory(path);
  }

  async #swapIn(
    directory: Uint8Array,
    entry: EntryCommon,
    there: FileInfo | undefined,
    make: (temporary: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const path = joinPath(directory, entry.name);
    if (there?.type === 'directory') await this.#clearDirectory(path, there);
    const suffix = toHex(this.#options.random.bytes(8));
    const temporary = joinPath(directory, utf8(`.peerstore-${suffix}.tmp`));
    try {
      await make(temporary);
      await this.#fileSystem.rename(temporary, path);
    } catch (error) {
      await this.#removeTemporary(temporary, error);
      throw error;
    }
  }

  async #removeTemporary(temporary: Uint8Array, reason: unknown): Promise<void> {
    if (osCode(reason) === 'EEXIST') return; // somebody else's, however unlikely
    try {
      await this.#fileSystem.lstat(temporary);
    } catch {
      return; // it was not made
    }
    try {
      await this.#fileSystem.unlink(temporary);
    } catch (error) {
      this.#options.report(
        problem('unwritable', temporary, `is a left-over that cannot be removed: ${systemReason(error)}`),
      );
    }
  }

  async #setFileOwnerAndMode(file: WritableFile, path: Uint8Array, entry: FileEntry): Promise<void> {
    if (this.#fileSystem.privileged) {
      await this.metadata(path, 'owner', () => file.changeOwner(entry.uid, entry.gid));
    }
    let mode = entry.mode;
    if ((mode & setIdBits) !== 0) {
      // A program that runs as its owner must not run as the wrong one.
      const { uid, gid } = await file.info();
      if (uid !== entry.uid) mode &= ~0o4000;
      if (gid !== entry.gid) mode &= ~0o2000;
      if (mode !== entry.mode) {
        this.#options.report(
          problem(
            'metadata',
            path,
            'was restored without set-user-id and set-group-id: its owner is another',
          ),
        );
      }
    }
    await this.metadata(path, 'mode', () => file.changeMode(mode));
  }
}

async function fill(file: WritableFile, entry: FileEntry, content: AsyncIterable<Uint8Array>): Promise<void> {
  const writer = new SparseWriter(file);
  for await (const piece of content) {
    if (writer.sizeBytes + piece.length > entry.sizeBytes) {
      throw new PeerStoreError('DAMAGED', `its content is longer than the ${entry.sizeBytes} bytes recorded`);
    }
    await writer.write(piece);
  }
  if (writer.sizeBytes !== entry.sizeBytes) {
    throw new PeerStoreError(
      'DAMAGED',
      `its content has ${writer.sizeBytes} bytes, ${entry.sizeBytes} are recorded`,
    );
  }
  await writer.finish();
}
