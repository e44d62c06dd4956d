/** Everything that hangs from a content: for checking that it is there, and for knowing what must not be deleted. */
import type { Content, Reference } from './entry.js';
import { type ArchiveReader, type ContentKind, readEntries } from './reader.js';
import type { ChunkKind } from './seal.js';

/** A reference that was reached. */
export interface Reached {
  readonly reference: Reference;
  readonly kind: ChunkKind;
}

export interface WalkOptions {
  /** Asked before a list or a chunk of a tree is read: false leaves out what hangs from it, as walked before. */
  readonly enter?: (reached: Reached) => boolean;
  /** Told of a list or a chunk of a tree that cannot be read; the walk goes on beside it. Without it, it throws. */
  readonly failed?: (reached: Reached, error: unknown) => void;
}

/** A reference, with what it takes to go on below it. */
interface Item extends Reached {
  /** What the content that it is part of is made of. */
  readonly contentKind: ContentKind;
  /** Levels of lists from it down to the chunks. */
  readonly depth: number;
}

/**
 * Yields every reference that can be reached from a content, parents before what hangs from them: lists, chunks of
 * trees, and the contents of all entries below. Of a catalog, the snapshots' trees are not descended: walk each one's
 * root. What is reached twice is yielded twice. Memory grows with the depth of the tree, not with its size.
 * @throws PeerStoreError as the reader does.
 */
export async function* walkReferences(
  reader: ArchiveReader,
  content: Content,
  kind: ContentKind,
  options: WalkOptions = {},
): AsyncGenerator<Reached, void> {
  const stack: Iterator<Item>[] = [itemsOf(content, kind)];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.next();
    if (next.done === true) {
      stack.pop();
      continue;
    }
    const item = next.value;
    const reached: Reached = { reference: item.reference, kind: item.kind };
    yield reached;
    if ((item.kind !== 'list' && item.kind !== 'tree') || options.enter?.(reached) === false) continue;
    try {
      stack.push((await itemsBelow(reader, item)).values());
    } catch (error) {
      if (options.failed === undefined) throw error;
      options.failed(reached, error);
    }
  }
}

function* itemsOf({ depth, references }: Content, contentKind: ContentKind): Generator<Item, void> {
  const kind = depth > 0 ? 'list' : contentKind;
  for (const reference of references) yield { reference, kind, contentKind, depth };
}

/** What a list, or a chunk of a tree, refers to. Read to its end at once, so that its errors are its own. */
async function itemsBelow(reader: ArchiveReader, item: Item): Promise<Item[]> {
  const { reference, depth, contentKind } = item;
  if (depth > 0) {
    const references = await reader.openList(reference, depth);
    return [...itemsOf({ depth: depth - 1, references }, contentKind)];
  }
  const items: Item[] = [];
  for (const entry of readEntries(await reader.openChunk(reference, 'tree'), reference)) {
    if (entry.type !== 'symlink')
      items.push(...itemsOf(entry.content, entry.type === 'file' ? 'data' : 'tree'));
  }
  return items;
}
