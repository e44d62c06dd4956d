/** Looking into a snapshot: from a path to what is there, and down the tree from it. */
import { compareBytes } from '../base/bytes.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { absolutePath, joinPath, printablePath } from '../base/paths.js';
import type { DirectoryEntry, Entry } from '../archive/entry.js';
import type { ArchiveReader } from '../archive/reader.js';
import type { Snapshot } from '../archive/snapshot.js';

/** The entry that stands for a snapshot's `/`. It has no name, and nothing on disk is made from it. */
export function rootEntry(snapshot: Snapshot): DirectoryEntry {
  return {
    type: 'directory',
    name: new Uint8Array(0),
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeNs: BigInt(snapshot.timeMs) * 1_000_000n,
    content: snapshot.root,
  };
}

/**
 * What a snapshot has at a path.
 * @param components the names on the way from `/`
 * @returns undefined when there is nothing.
 */
export async function findEntry(
  reader: ArchiveReader,
  snapshot: Snapshot,
  components: readonly Uint8Array[],
): Promise<Entry | undefined> {
  let entry: Entry = rootEntry(snapshot);
  for (const name of components) {
    if (entry.type !== 'directory') return undefined;
    let found: Entry | undefined;
    for await (const child of reader.readTree(entry.content)) {
      const order = compareBytes(child.name, name);
      if (order === 0) found = child;
      if (order >= 0) break;
    }
    if (found === undefined) return undefined;
    entry = found;
  }
  return entry;
}

/**
 * The same, for a path that has to be there.
 * @throws PeerStoreError NOT_FOUND naming the path and the snapshot.
 */
export async function requireEntry(
  reader: ArchiveReader,
  snapshot: Snapshot,
  components: readonly Uint8Array[],
): Promise<Entry> {
  const entry = await findEntry(reader, snapshot, components);
  if (entry !== undefined) return entry;
  const path = printablePath(absolutePath(components));
  throw new PeerStoreError('NOT_FOUND', `snapshot ${snapshot.id.slice(0, 12)} has no ${path}`);
}

/** An entry and where it is. */
export interface Walked {
  readonly path: Uint8Array;
  readonly entry: Entry;
  /** Set when a directory's own tree could not be read; what is in it is left out. */
  readonly failure?: Error;
}

/**
 * Everything below a directory, depth first, each directory before what is in it. A directory whose tree cannot be read
 * comes a second time, with the failure.
 * @param enter asked before a directory is read, with where it is: false leaves out what is in it
 */
export async function* walkTree(
  reader: ArchiveReader,
  directory: DirectoryEntry,
  path: Uint8Array,
  enter: (directory: DirectoryEntry, path: Uint8Array) => boolean = () => true,
): AsyncGenerator<Walked, void, undefined> {
  const open = [
    { path, entry: directory, entries: reader.readTree(directory.content)[Symbol.asyncIterator]() },
  ];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    let next: IteratorResult<Entry>;
    try {
      next = await top.entries.next();
    } catch (error) {
      open.pop();
      const failure = error instanceof Error ? error : new Error(messageOf(error));
      yield { path: top.path, entry: top.entry, failure };
      continue;
    }
    if (next.done === true) {
      open.pop();
      continue;
    }
    const entry = next.value;
    const at = joinPath(top.path, entry.name);
    yield { path: at, entry };
    if (entry.type === 'directory' && enter(entry, at)) {
      open.push({ path: at, entry, entries: reader.readTree(entry.content)[Symbol.asyncIterator]() });
    }
  }
}
