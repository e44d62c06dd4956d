/** Restoring: a snapshot, or a part of it, is recreated below a directory. */
import { hasCode, type PeerStoreError } from '../base/errors.js';
import type { FileSystem } from '../base/filesystem.js';
import type { DirectoryEntry, Entry, FileEntry } from '../archive/entry.js';
import type { Snapshot } from '../archive/snapshot.js';
import { requireEntry, rootEntry } from './browse.js';
import type { Overwrite } from './place.js';
import type { Report } from './problem.js';
import { type RestoreEvent, restoreFiles, type RestoreSummary } from './restore-files.js';
import type { Session } from './session.js';

export interface RestoreRequest {
  readonly fileSystem: FileSystem;
  readonly snapshot: Snapshot;
  /** The names on the way to the part to restore; none for all of it, with the recorded paths in full. */
  readonly components: readonly Uint8Array[];
  /** Absolute. */
  readonly target: Uint8Array;
  readonly overwrite: Overwrite;
  readonly include?: (path: Uint8Array, isDirectory: boolean) => boolean;
  readonly report: Report;
  readonly progress?: (done: { readonly files: number; readonly bytes: number }) => void;
}

/**
 * Restores. What is at a path that was asked for lands in the target itself; a whole snapshot lands there with its
 * recorded paths. What is missing or damaged in the ring is reported, and the rest is restored.
 * @throws PeerStoreError NOT_FOUND when the path is not in the snapshot; NO_SPACE, CANCELLED, UNREACHABLE.
 */
export async function restore(session: Session, request: RestoreRequest): Promise<RestoreSummary> {
  const { bulkReader: reader, random, signal } = session;
  const { fileSystem, snapshot, components, target, overwrite, include, report, progress } = request;
  const top =
    components.length === 0 ? rootEntry(snapshot) : await requireEntry(reader, snapshot, components);
  return restoreFiles(eventsOf(session, top), {
    fileSystem,
    random,
    target,
    overwrite,
    report,
    openContent: (entry: FileEntry) => reader.readContent(entry.content),
    ...(top.type === 'directory' && components.length > 0 ? { root: top } : {}),
    ...(include === undefined ? {} : { include }),
    ...(progress === undefined ? {} : { progress }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The walk that restoreFiles takes: of what is in a directory, or of one file or link. */
async function* eventsOf(session: Session, top: Entry): AsyncGenerator<RestoreEvent, void, undefined> {
  if (top.type !== 'directory') {
    yield eventOf(top);
    return;
  }
  const entriesOf = (directory: DirectoryEntry): AsyncIterator<Entry> =>
    session.bulkReader.readTree(directory.content)[Symbol.asyncIterator]();
  const open = [entriesOf(top)];
  for (let entries = open.at(-1); entries !== undefined; entries = open.at(-1)) {
    let next: IteratorResult<Entry>;
    try {
      next = await entries.next();
    } catch (error) {
      if (!meansDamage(error)) throw error;
      yield { kind: 'damaged', error };
      next = { done: true, value: undefined };
    }
    if (next.done === true) {
      open.pop();
      if (open.length > 0) yield { kind: 'leave' };
      continue;
    }
    const entry = next.value;
    yield eventOf(entry);
    if (entry.type === 'directory') open.push(entriesOf(entry));
  }
}

function eventOf(entry: Entry): RestoreEvent {
  switch (entry.type) {
    case 'directory':
      return { kind: 'enter', entry };
    case 'file':
      return { kind: 'file', entry };
    case 'symlink':
      return { kind: 'symlink', entry };
  }
}

/** Whether an error says that data of the ring is missing or damaged. */
export function meansDamage(error: unknown): error is PeerStoreError {
  return hasCode(error, 'MISSING', 'DAMAGED');
}
