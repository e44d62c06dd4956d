/** The blocks that snapshots and catalogs need: what a prune keeps, and what is touched before it is relied on. */
import { HashSet } from '../base/hash-set.js';
import type { Content } from '../archive/entry.js';
import type { ArchiveReader, ContentKind } from '../archive/reader.js';
import type { CatalogHead, Snapshot } from '../archive/snapshot.js';
import { type Reached, walkReferences } from '../archive/walk.js';
import { type Id, idToBytes } from '../wire/index.js';

/** Something of which everything that hangs from it is needed. */
export interface Root {
  readonly content: Content;
  readonly kind: ContentKind;
}

export const rootOf = ({ root }: Snapshot): Root => ({ content: root, kind: 'tree' });

/** @param head none has nothing */
export function rootsOfHead(head: CatalogHead | undefined): readonly Root[] {
  if (head === undefined) return [];
  const { catalog, decisions } = head;
  return [
    { content: catalog, kind: 'catalog' },
    { content: decisions, kind: 'decisions' },
  ];
}

/** Lists and trees that were walked: what several snapshots share is walked once. */
export class Walked {
  readonly #places = new HashSet();

  /** @returns whether it is the first time. */
  enter({ reference: { block, offset } }: Reached): boolean {
    // The beginning of a hash, and a place in what it is the hash of: nobody finds two blocks that share 96 bits of it.
    const place = new Uint8Array(16);
    place.set(idToBytes(block).subarray(0, 12));
    new DataView(place.buffer).setUint32(12, offset);
    return this.#places.add(place);
  }
}

/**
 * Every block that hangs from a root, parents before what is below them; the same one several times, if several chunks
 * are in it. What hangs from lists and trees that were walked before is left out.
 * @throws PeerStoreError as the reader does.
 */
export async function* blocksOf(reader: ArchiveReader, root: Root, walked: Walked): AsyncGenerator<Id, void> {
  let before: Id | undefined;
  const enter = (reached: Reached): boolean => walked.enter(reached);
  for await (const { reference } of walkReferences(reader, root.content, root.kind, { enter })) {
    if (reference.block !== before) yield reference.block;
    before = reference.block;
  }
}
