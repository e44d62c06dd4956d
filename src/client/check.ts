/**
 * Checking: whether everything that the snapshots refer to is in the ring, and if wanted, whether it can be read.
 *
 * The references are collected first, each block once, and asked for in batches; only when something is missing, or all
 * is to be read, are the trees walked again, to name the files that need it, at every path. What several snapshots share is
 * named for the newest of them.
 */
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { printablePath, rootPath } from '../base/paths.js';
import type { Content, Entry } from '../archive/entry.js';
import type { ArchiveReader } from '../archive/reader.js';
import { nameOfContent } from '../archive/reference.js';
import type { Snapshot } from '../archive/snapshot.js';
import { walkReferences } from '../archive/walk.js';
import type { Id } from '../wire/index.js';
import { rootEntry, walkTree } from './browse.js';
import { meansDamage } from './restore.js';
import type { Session } from './session.js';

export interface CheckOptions {
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** Also read and decrypt everything. */
  readonly readData: boolean;
  /** Takes each damaged or missing thing as it is found. */
  readonly report: (finding: Finding) => void;
  readonly progress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

/** Something that a snapshot needs and the ring does not give. */
export interface Finding {
  readonly snapshot: Id;
  readonly path: string;
  readonly message: string;
}

export interface CheckSummary {
  readonly snapshots: number;
  /** Files looked at; what snapshots share counts once. */
  readonly files: number;
  readonly blocks: number;
  readonly missingBlocks: number;
  readonly findings: number;
}

/** Checks the snapshots. @throws PeerStoreError UNREACHABLE, CANCELLED; what is missing is reported, not thrown. */
export async function check(session: Session, options: CheckOptions): Promise<CheckSummary> {
  const run = new CheckRun(session, options);
  return run.run();
}

/** Blocks that are read at the same time to see whether they can be: each is whole in memory. */
const readsAtOnce = 16;

/** Takes an entry in its turn. */
type Look = (entry: Entry) => Promise<void>;

class CheckRun {
  readonly #session: Session;
  readonly #options: CheckOptions;
  readonly #reader: ArchiveReader;
  readonly #wanted = new Set<Id>();
  readonly #missing = new Set<Id>();
  /** Each path of a snapshot is reported once, whatever is wrong with it. */
  readonly #reported = new Set<string>();
  #files = 0;
  #isWithoutMajority = false;

  constructor(session: Session, options: CheckOptions) {
    this.#session = session;
    this.#options = options;
    this.#reader = options.readData ? session.bulkReader : session.reader;
  }

  async run(): Promise<CheckSummary> {
    await this.#eachEntry(nameOfContent, (entry) => this.#collect(entry));
    await this.#findMissing();
    if (this.#missing.size > 0 || this.#reported.size > 0 || this.#options.readData) {
      const read = new Set<string>();
      const placeOf = (content: Content, path: string): string => `${nameOfContent(content)} ${path}`;
      await this.#eachEntry(placeOf, (entry) => this.#examine(entry, read));
    }
    return {
      snapshots: this.#options.snapshots.length,
      files: this.#files,
      blocks: this.#wanted.size,
      missingBlocks: this.#missing.size,
      findings: this.#reported.size,
    };
  }

  /** @param visitOf what stands for a look into a directory: one that was had is not repeated */
  async #eachEntry(visitOf: (content: Content, path: string) => string, look: Look): Promise<void> {
    const walked = new Set<string>();
    for (const snapshot of [...this.#options.snapshots].reverse()) {
      await this.#lookAt(snapshot, '/', () => look(rootEntry(snapshot)));
      const isNew = ({ content }: { content: Content }, path: Uint8Array): boolean => {
        const before = walked.size;
        walked.add(visitOf(content, printablePath(path)));
        return walked.size > before;
      };
      const root = rootEntry(snapshot);
      if (!isNew(root, rootPath)) continue;
      for await (const { path, entry, failure } of walkTree(this.#reader, root, rootPath, isNew)) {
        await this.#lookAt(snapshot, printablePath(path), async () => {
          if (failure !== undefined) throw failure;
          await look(entry);
        });
      }
    }
  }

  async #lookAt(snapshot: Snapshot, path: string, look: () => Promise<void>): Promise<void> {
    if (this.#session.signal?.aborted === true) {
      throw new PeerStoreError('CANCELLED', 'the check was interrupted');
    }
    try {
      await look();
    } catch (error) {
      if (!meansDamage(error)) throw error;
      const name = `${snapshot.id} ${path}`;
      if (this.#reported.has(name)) return;
      this.#reported.add(name);
      this.#options.report({ snapshot: snapshot.id, path, message: messageOf(error) });
    }
  }

  async #collect(entry: Entry): Promise<void> {
    if (entry.type === 'file') {
      this.#files += 1;
      this.#options.progress?.({ files: 1, bytes: 0 });
    }
    if (entry.type === 'symlink') return;
    // Of a directory, this goes no further than its own tree: what is in it comes as entries of its own.
    for await (const { reference } of walkReferences(this.#reader, entry.content, 'data'))
      this.#wanted.add(reference.block);
  }

  async #findMissing(): Promise<void> {
    const ids = [...this.#wanted];
    for (let at = 0; at < ids.length; at += limits.hasBlocksIds) {
      const batch = ids.slice(at, at + limits.hasBlocksIds);
      const present = await this.#heldByMajority(batch);
      const doubtful = batch.filter((_, index) => present[index] !== true);
      for (let from = 0; from < doubtful.length; from += readsAtOnce) {
        await Promise.all(doubtful.slice(from, from + readsAtOnce).map((id) => this.#readAnywhere(id)));
      }
    }
  }

  /** Where too few holders are there to make a majority, each block is looked for by itself. */
  async #heldByMajority(ids: readonly Id[]): Promise<readonly boolean[]> {
    if (this.#isWithoutMajority) return [];
    try {
      return await this.#session.blocks.has(ids);
    } catch (error) {
      if (!hasCode(error, 'TOO_FEW_COPIES')) throw error;
      this.#isWithoutMajority = true;
      return [];
    }
  }

  /** A block that less than a majority of its holders has may still be there: it is short of copies, not missing. */
  async #readAnywhere(id: Id): Promise<void> {
    try {
      await this.#session.blocks.get(id);
    } catch (error) {
      if (!hasCode(error, 'MISSING')) throw error;
      this.#missing.add(id);
    }
  }

  /** @param read the contents that were read, under another name or in another snapshot */
  async #examine(entry: Entry, read: Set<string>): Promise<void> {
    if (entry.type !== 'file') return;
    for await (const { reference } of walkReferences(this.#reader, entry.content, 'data')) {
      if (!this.#missing.has(reference.block)) continue;
      throw new PeerStoreError('MISSING', `block ${reference.block} is on no peer that can be reached`);
    }
    if (!this.#options.readData) return;
    const name = nameOfContent(entry.content);
    if (read.has(name)) return;
    for await (const piece of this.#reader.readContent(entry.content)) {
      this.#options.progress?.({ files: 0, bytes: piece.length });
    }
    read.add(name);
  }
}
