/** In what two trees differ. What both have in the same place is not looked into. */
import { bytesEqual, compareBytes } from '../base/bytes.js';
import { joinPath } from '../base/paths.js';
import type { Content, DirectoryEntry, Entry } from '../archive/entry.js';
import type { ArchiveReader } from '../archive/reader.js';
import { nameOfContent } from '../archive/reference.js';
import { walkReferences } from '../archive/walk.js';
import { walkTree } from './browse.js';

/**
 * What became of a name: `modified` is about what is in it, or where a link points, `metadata` about its mode, owner or time;
 * `type` where a file became a directory, and the like.
 */
export type Change = 'added' | 'removed' | 'modified' | 'metadata' | 'type';

export interface Difference {
  readonly path: Uint8Array;
  readonly change: Change;
  /** As it was; undefined when it was added. */
  readonly before?: Entry;
  /** As it is; undefined when it was removed. */
  readonly after?: Entry;
}

/**
 * The differences between two directories, in the order of their names; a directory comes before what is in it.
 * @throws PeerStoreError as the reader does.
 */
export async function* differencesOf(
  reader: ArchiveReader,
  path: Uint8Array,
  before: DirectoryEntry,
  after: DirectoryEntry,
): AsyncGenerator<Difference, void> {
  if (nameOfContent(before.content) === nameOfContent(after.content)) return;
  for await (const [old, now] of pairs(reader.readTree(before.content), reader.readTree(after.content))) {
    const at = joinPath(path, (now ?? old)?.name ?? new Uint8Array(0));
    if (old?.type === 'directory' && now?.type === 'directory') {
      if (!isSameMetadata(old, now)) yield { path: at, change: 'metadata', before: old, after: now };
      yield* differencesOf(reader, at, old, now);
    } else if (old === undefined || now === undefined || old.type !== now.type) {
      const change = old === undefined ? 'added' : now === undefined ? 'removed' : 'type';
      yield { path: at, change, ...(old && { before: old }), ...(now && { after: now }) };
      if (old?.type === 'directory') yield* below(reader, at, old, 'removed');
      if (now?.type === 'directory') yield* below(reader, at, now, 'added');
    } else {
      const change = await changeOf(reader, old, now);
      if (change !== undefined) yield { path: at, change, before: old, after: now };
    }
  }
}

/** Everything below a directory that has come or gone. */
async function* below(
  reader: ArchiveReader,
  top: Uint8Array,
  directory: DirectoryEntry,
  change: 'added' | 'removed',
): AsyncGenerator<Difference, void> {
  for await (const { path, entry, failure } of walkTree(reader, directory, top)) {
    if (failure !== undefined) throw failure;
    yield change === 'added' ? { path, change, after: entry } : { path, change, before: entry };
  }
}

/** The entries of two directories, those of one name together. */
async function* pairs(
  before: AsyncGenerator<Entry, void>,
  after: AsyncGenerator<Entry, void>,
): AsyncGenerator<readonly [Entry | undefined, Entry | undefined], void> {
  const next = async (entries: AsyncGenerator<Entry, void>): Promise<Entry | undefined> => {
    const { value } = await entries.next();
    return value ?? undefined;
  };
  let [old, now] = [await next(before), await next(after)];
  while (old !== undefined || now !== undefined) {
    const order =
      old === undefined ? 1 : now === undefined ? -1 : Math.sign(compareBytes(old.name, now.name));
    yield [order <= 0 ? old : undefined, order >= 0 ? now : undefined];
    if (order <= 0) old = await next(before);
    if (order >= 0) now = await next(after);
  }
}

async function changeOf(reader: ArchiveReader, old: Entry, now: Entry): Promise<Change | undefined> {
  if (old.type === 'symlink' && now.type === 'symlink' && !bytesEqual(old.target, now.target))
    return 'modified';
  if (old.type === 'file' && now.type === 'file') {
    if (old.sizeBytes !== now.sizeBytes || !(await isSameData(reader, old.content, now.content)))
      return 'modified';
  }
  return isSameMetadata(old, now) ? undefined : 'metadata';
}

function isSameMetadata(old: Entry, now: Entry): boolean {
  return old.mode === now.mode && old.uid === now.uid && old.gid === now.gid && old.mtimeNs === now.mtimeNs;
}

/** Whether two files have the same bytes: the same may lie in two places, and be cut only in one way. */
async function isSameData(reader: ArchiveReader, old: Content, now: Content): Promise<boolean> {
  if (nameOfContent(old) === nameOfContent(now)) return true;
  const keys = (content: Content): AsyncGenerator<Uint8Array, void> => keysOf(reader, content);
  const [olds, nows] = [keys(old), keys(now)];
  for (;;) {
    const [a, b] = await Promise.all([olds.next(), nows.next()]);
    if (a.done === true || b.done === true) return a.done === b.done;
    if (!bytesEqual(a.value, b.value)) return false;
  }
}

/** The keys of a file's chunks, which follow from what they say. */
async function* keysOf(reader: ArchiveReader, content: Content): AsyncGenerator<Uint8Array, void> {
  for await (const { reference, kind } of walkReferences(reader, content, 'data'))
    if (kind === 'data') yield reference.key;
}
