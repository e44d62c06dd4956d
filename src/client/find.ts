/** Finding names in snapshots: each version of what matches once, with the newest snapshot that has it. */
import { sha256, toHex, utf8 } from '../base/bytes.js';
import { HashSet } from '../base/hash-set.js';
import { rootPath } from '../base/paths.js';
import type { Content, Entry } from '../archive/entry.js';
import { nameOfContent } from '../archive/reference.js';
import type { Snapshot } from '../archive/snapshot.js';
import { rootEntry, walkTree } from './browse.js';
import type { Session } from './session.js';

export interface Match {
  readonly snapshot: Snapshot;
  readonly path: Uint8Array;
  readonly entry: Entry;
}

/**
 * What matches, newest snapshots first. A directory that is in several snapshots as it is is looked through once.
 * @param snapshots oldest first
 * @throws PeerStoreError MISSING or DAMAGED when a directory cannot be read; as the ring's reads do.
 */
export async function* findMatches(
  session: Session,
  snapshots: readonly Snapshot[],
  matches: (path: Uint8Array, isDirectory: boolean) => boolean,
): AsyncGenerator<Match, void> {
  const looked = new HashSet();
  const shown = new HashSet();
  const isNew = (content: Content, path: Uint8Array): boolean =>
    looked.add(sha256(utf8(nameOfContent(content)), path));
  for (const snapshot of [...snapshots].reverse()) {
    const top = rootEntry(snapshot);
    if (!isNew(top.content, rootPath)) continue;
    const seen = (directory: { content: Content }, path: Uint8Array): boolean =>
      isNew(directory.content, path);
    for await (const { path, entry, failure } of walkTree(session.bulkReader, top, rootPath, seen)) {
      if (failure !== undefined) throw failure;
      if (!matches(path, entry.type === 'directory')) continue;
      if (shown.add(sha256(utf8(versionOf(entry)), path))) yield { snapshot, path, entry };
    }
  }
}

/** What two versions of a path differ in. The same bytes may lie in two places; their keys are the same. */
function versionOf(entry: Entry): string {
  const { type, mode, uid, gid, mtimeNs } = entry;
  const content =
    entry.type === 'symlink'
      ? [toHex(entry.target)]
      : entry.type === 'file' && entry.content.depth === 0
        ? entry.content.references.map(({ key }) => toHex(key))
        : [entry.type === 'file' ? entry.sizeBytes : 0];
  return [type, mode, uid, gid, mtimeNs, ...content].join(' ');
}
