/**
 * A backup: what is found on this machine goes into the archive, bottom up, and a snapshot names it.
 *
 * Files are read several at a time; a directory's tree is written when all that is in it has been. A file that has
 * not changed since it was last read, as its size and times tell, is not read again, provided the ring still has all
 * of it. Write order: file contents, trees, the catalog, and last the record that names it: a backup that is cut off
 * leaves nothing that refers to something missing, and what it has stored is found by the next one.
 */
import { bytesEqual } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import type { FileInfo, FileSystem } from '../base/filesystem.js';
import { limits } from '../base/limits.js';
import { absolutePath, pathComponents } from '../base/paths.js';
import type { JobRunner } from '../base/threads.js';
import type { Draft, DraftEntry } from '../archive/draft.js';
import type { BlockSink } from '../archive/ports.js';
import { SealerInPlace } from '../archive/sealer.js';
import { makeSnapshot, type Snapshot } from '../archive/snapshot.js';
import { ArchiveWriter, type WrittenContent } from '../archive/writer.js';
import type { Content } from '../archive/entry.js';
import type { BackupCache } from './backup-cache.js';
import { type BackupHelp, helpOf } from './backup-threads.js';
import { loadSnapshots } from './catalog.js';
import { startElapsed } from './elapsed.js';
import { KeptTouched } from './kept-touched.js';
import { addSnapshot } from './own-catalog.js';
import { type Problem, ProblemError, type Report } from './problem.js';
import { rootOf } from './reachable.js';
import { SourceFile } from './read-file.js';
import { type FoundFile, linkGroupOf, scan, type ScanEvent } from './scan.js';
import type { Session } from './session.js';
import { Tasks } from './tasks.js';
import { writeWhileTouched } from './touch.js';

export interface BackupOptions {
  readonly fileSystem: FileSystem;
  readonly cache: BackupCache;
  /** Threads that help, which run `backupThreadModule`. Without them all is done in this one. */
  readonly threads?: JobRunner;
  /** Where relative paths start. */
  readonly cwd: Uint8Array;
  readonly paths: readonly Uint8Array[];
  readonly host: string;
  readonly tags: readonly string[];
  readonly exclude?: (path: Uint8Array, isDirectory: boolean) => boolean;
  /** Only finds out what would be stored. */
  readonly dryRun?: boolean;
  readonly report: Report;
  /** Called with what has been done since the last call. */
  readonly progress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

export interface BackupSummary {
  /** Null after a dry run. */
  readonly snapshot: string | null;
  readonly files: number;
  readonly dirs: number;
  /** Bytes of the files. */
  readonly bytes: number;
  /** Bytes of the chunks that were not stored before. */
  readonly newBytes: number;
  /** Bytes of the blocks that were added, one copy each. */
  readonly storedBytes: number;
  readonly errors: number;
}

/**
 * Backs the paths up.
 * @throws PeerStoreError USAGE when a path is not there, or there are more paths or tags than a snapshot holds; NO_SPACE, UNREACHABLE, TOO_FEW_COPIES when the ring cannot keep
 *   it; CANCELLED. What was stored until then is found by the next run.
 */
export async function backup(session: Session, options: BackupOptions): Promise<BackupSummary> {
  const run = new BackupRun(session, options);
  return run.run();
}

/** A directory whose contents are being found. */
interface OpenDirectory {
  readonly info: FileInfo;
  readonly name: Uint8Array;
  /** In the order of names; undefined for what could not be read. */
  readonly entries: Promise<DraftEntry | undefined>[];
}

/** A file's content, and what the archive says of it. */
interface Stored {
  readonly info: FileInfo;
  readonly content: Content | Draft;
  readonly sizeBytes: number;
}

class BackupRun {
  readonly #session: Session;
  readonly #options: BackupOptions;
  /** Absolute, each once. */
  readonly #paths: readonly Uint8Array[];
  readonly #help: BackupHelp;
  readonly #writer: ArchiveWriter;
  readonly #tasks: Tasks;
  readonly #buffers: Uint8Array[] = [];
  /** Contents of files with several names, until all names were met. */
  readonly #linked = new Map<string, { readonly stored: Promise<Stored | undefined>; left: number }>();
  #files = 0;
  #dirs = 0;
  #bytes = 0;
  #newBytes = 0;
  /** Bytes of the blocks that the list of snapshots added. */
  #listBytes = 0;
  #errors = 0;

  constructor(session: Session, options: BackupOptions) {
    this.#session = session;
    this.#options = options;
    this.#paths = withoutRepeats(
      options.paths.map((path) => absolutePath(pathComponents(options.cwd, path))),
    );
    const { fileSystem, threads } = options;
    const inPlace = new SealerInPlace(session.compressor);
    this.#help =
      threads === undefined
        ? { sealer: inPlace, smallFiles: fileSystem }
        : helpOf(threads, inPlace, fileSystem);
    this.#writer = this.#newWriter(new KeptTouched(session.blocks, session.clock));
    this.#tasks = new Tasks(limits.backupFilesAtOnce, 'the backup was interrupted', session.signal);
  }

  async run(): Promise<BackupSummary> {
    const { clock, signal } = this.#session;
    const { fileSystem, paths, cwd, exclude, dryRun } = this.#options;
    const timeMs = clock.nowMs();
    const elapsedMs = startElapsed(clock);
    // What a snapshot cannot say (too many paths or tags) is known now, not when everything is stored.
    this.#snapshot({ depth: 0, references: [] }, timeMs, undefined);
    const events = scan(paths, {
      fileSystem,
      cwd,
      report: (found) => this.#report(found),
      ...(exclude === undefined ? {} : { exclude }),
      ...(signal === undefined ? {} : { signal }),
    });
    const root = await this.#writeAll(events);
    await this.#writer.flush();
    let snapshot: Snapshot | undefined;
    if (dryRun !== true) {
      snapshot = this.#snapshot(await root.settled(), timeMs, await this.#parent());
      await this.#add(snapshot, elapsedMs);
    }
    await this.#writer.finish();
    return {
      snapshot: snapshot?.id ?? null,
      files: this.#files,
      dirs: this.#dirs,
      bytes: this.#bytes,
      newBytes: this.#newBytes,
      storedBytes: this.#writer.stats.bytes + this.#listBytes,
      errors: this.#errors,
    };
  }

  /** @param elapsedMs the time since the first block was confirmed */
  async #add(snapshot: Snapshot, elapsedMs: () => number): Promise<void> {
    await writeWhileTouched(this.#session, [rootOf(snapshot)], elapsedMs, async () => {
      // What a writer has confirmed it does not ask for again: a new one touches the blocks of the list.
      const writer = this.#newWriter(this.#session.blocks);
      await addSnapshot(this.#session, writer, snapshot);
      await writer.finish();
      this.#listBytes = writer.stats.bytes;
    });
  }

  #newWriter(blocks: BlockSink): ArchiveWriter {
    const { secrets, compressor, reader } = this.#session;
    const { dryRun, cache } = this.#options;
    const sink = dryRun === true ? withoutStoring(blocks) : blocks;
    const { sealer } = this.#help;
    return new ArchiveWriter({ secrets, compressor, sealer, sink, index: cache.chunks, reader });
  }

  /** The last snapshot of the same paths of this machine. */
  async #parent(): Promise<Snapshot | undefined> {
    return (await loadSnapshots(this.#session))
      .filter((one) => one.host === this.#options.host && samePaths(one.paths, this.#paths))
      .at(-1);
  }

  #snapshot(root: Content, timeMs: number, parent: Snapshot | undefined): Snapshot {
    const { host, tags } = this.#options;
    return makeSnapshot({
      timeMs,
      host,
      user: this.#session.keys.name,
      paths: this.#paths,
      tags,
      root,
      files: this.#files,
      dirs: this.#dirs,
      bytes: this.#bytes,
      newBytes: this.#newBytes,
      storedBytes: this.#writer.stats.bytes,
      errors: this.#errors,
      ...(parent === undefined ? {} : { parent: parent.id }),
    });
  }

  /** Turns the walk into trees. @returns the tree of `/`. */
  async #writeAll(events: AsyncIterable<ScanEvent>): Promise<Draft> {
    const open: OpenDirectory[] = [];
    let root: Promise<Draft> | undefined;
    try {
      for await (const event of events) {
        this.#tasks.check();
        const directory = open.at(-1);
        switch (event.kind) {
          case 'enter':
            open.push({ info: event.info, name: event.name, entries: [] });
            break;
          case 'leave': {
            open.pop();
            if (directory === undefined)
              throw new Error('broken rule: a directory is entered before it is left');
            const tree = this.#writeTree(directory);
            const parent = open.at(-1);
            if (parent === undefined) root = tree;
            else parent.entries.push(unheard(this.#directoryEntry(directory, tree)));
            break;
          }
          case 'file':
            directory?.entries.push((await this.#startFile(event)).entry);
            break;
          case 'symlink':
            this.#counted(0);
            directory?.entries.push(
              Promise.resolve({ type: 'symlink', ...common(event.name, event.info), target: event.target }),
            );
            break;
        }
      }
    } catch (error) {
      this.#tasks.fail(error);
    }
    await this.#tasks.finish();
    if (root === undefined) throw new PeerStoreError('IO', 'the root directory cannot be read');
    return root;
  }

  /** Begins a tree; its failure ends the backup, whoever waits for it. */
  #writeTree(directory: OpenDirectory): Promise<Draft> {
    this.#dirs += 1;
    const tree = Promise.all(directory.entries).then((entries) =>
      this.#writer.writeTree(entries.filter((entry) => entry !== undefined)),
    );
    tree.catch((error: unknown) => this.#tasks.fail(error));
    return tree;
  }

  async #directoryEntry(directory: OpenDirectory, tree: Promise<Draft>): Promise<DraftEntry> {
    return { type: 'directory', ...common(directory.name, directory.info), content: await tree };
  }

  /** Begins a file as soon as there is room. @returns, wrapped so that it is not waited for, what becomes its entry. */
  async #startFile(found: FoundFile): Promise<{ readonly entry: Promise<DraftEntry | undefined> }> {
    const linkGroup = linkGroupOf(found.info);
    const before = linkGroup === undefined ? undefined : this.#linked.get(linkGroup);
    const stored =
      before === undefined
        ? (await this.#begin(found)).stored
        : // The first name may have vanished before it was opened; this one may still be there.
          unheard(before.stored.then((file) => this.#furtherName(found, file)));
    if (linkGroup !== undefined) {
      const left = (before?.left ?? found.info.nlink) - 1;
      if (left > 0) this.#linked.set(linkGroup, { stored, left });
      else this.#linked.delete(linkGroup);
    }
    const entry = stored.then((file): DraftEntry | undefined => {
      if (file === undefined) return undefined;
      return {
        type: 'file',
        ...common(found.name, file.info),
        sizeBytes: file.sizeBytes,
        content: file.content,
        ...(linkGroup === undefined ? {} : { linkGroup }),
      };
    });
    return { entry: unheard(entry) };
  }

  async #furtherName(found: FoundFile, first: Stored | undefined): Promise<Stored | undefined> {
    if (first === undefined) return (await this.#begin(found)).stored;
    this.#counted(0);
    return first;
  }

  /** Begins to store a file as soon as there is room. @returns, wrapped so that it is not waited for, what comes of it. */
  #begin(found: FoundFile): Promise<{ readonly stored: Promise<Stored | undefined> }> {
    return new Promise((resolve, reject) => {
      this.#tasks
        .start(isSmall(found.info) ? 1 : limits.backupLargeFileWeight, async () => {
          const stored = this.#store(found);
          resolve({ stored });
          await stored;
        })
        .catch(reject);
    });
  }

  /** Stores a file, or finds it stored. @returns undefined, and a report, when it cannot be read. */
  async #store(found: FoundFile): Promise<Stored | undefined> {
    const { cache, fileSystem } = this.#options;
    const known = cache.files.get(found.path, found.info);
    if (known !== undefined && (await this.#writer.reuse(known))) {
      this.#counted(found.info.sizeBytes);
      return { info: found.info, content: known, sizeBytes: found.info.sizeBytes };
    }
    let file: SourceFile | undefined;
    try {
      const openedMs = this.#session.clock.nowMs();
      file = await SourceFile.open(isSmall(found.info) ? this.#help.smallFiles : fileSystem, found.path);
      const written = await this.#write(file);
      const change = await file.change();
      if (change === undefined) this.#remember(found.path, file.info, openedMs, written.content);
      else this.#report(change);
      this.#newBytes += written.newBytes;
      this.#counted(written.sizeBytes);
      return { info: file.info, content: written.content, sizeBytes: written.sizeBytes };
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      this.#report(error.problem);
      return undefined;
    } finally {
      await file?.close();
    }
  }

  async #write(file: SourceFile): Promise<WrittenContent> {
    if (isSmall(file.info)) return this.#writer.writeWhole(await file.whole());
    const buffer = this.#buffers.pop() ?? new Uint8Array(limits.backupReadBytes);
    try {
      return await this.#writer.writeContent(file.pieces(buffer, this.#tasks.signal));
    } finally {
      this.#buffers.push(buffer);
    }
  }

  /** Lets the cache know the file, once all of it is in the ring. A failure of the writer is not the cache's affair. */
  #remember(path: Uint8Array, info: FileInfo, openedMs: number, draft: Draft): void {
    if (this.#options.dryRun === true) return;
    void draft.settled().then(
      (content) => this.#options.cache.files.set(path, info, openedMs, content),
      () => undefined,
    );
  }

  #counted(bytes: number): void {
    this.#files += 1;
    this.#bytes += bytes;
    this.#options.progress?.({ files: 1, bytes });
  }

  #report(found: Problem): void {
    this.#errors += 1;
    this.#options.report(found);
  }
}

/** Whether a file is one chunk, whatever is in it: it is read at once. */
function isSmall({ sizeBytes }: FileInfo): boolean {
  return sizeBytes < limits.chunkMinBytes;
}

function common(name: Uint8Array, { mode, uid, gid, mtimeNs }: FileInfo) {
  return { name, mode, uid, gid, mtimeNs };
}

/** A promise whose failure ends the backup by another way: nobody needs to listen to it. */
function unheard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function withoutRepeats(paths: readonly Uint8Array[]): readonly Uint8Array[] {
  return paths.filter((path, at) => paths.findIndex((other) => bytesEqual(other, path)) === at);
}

function samePaths(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((path, at) => bytesEqual(path, b[at] ?? path));
}

/** Answers truly what is stored, and stores nothing. */
function withoutStoring(sink: BlockSink): BlockSink {
  return { has: (ids) => sink.has(ids), put: () => Promise.resolve({ isNew: true }) };
}
