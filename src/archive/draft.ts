/**
 * What a writer gives out before it knows where everything will be.
 *
 * The id of a block is the hash of its bytes, so a reference into a pack is complete only when the pack is closed, and
 * a pack is worth closing only when it is full. A draft stands for the content until then: it can be put into trees at
 * once, and becomes a {@link Content} when all that it refers to is stored.
 */
import { assert } from '../base/errors.js';
import type { Id } from '../ring/identifier.js';
import type { Content, DirectoryEntry, FileEntry, Reference, SymlinkEntry } from './entry.js';
import type { ChunkLocation } from './ports.js';
import { contentSize } from './reference.js';

/** A block that holds, or will hold, a chunk. */
export interface Home {
  /** Known once the block's bytes are final. */
  readonly id: Id | undefined;
  /** Resolves when the block is stored. */
  readonly stored: Promise<void>;
}

/** Where a chunk is, or will be. */
export interface Place {
  readonly home: Home;
  readonly offset: number;
  readonly length: number;
  readonly key: Uint8Array;
}

/** The place of a chunk in a block that is stored. */
export function placeOf(location: ChunkLocation): Place {
  const { block, offset, length, key } = location;
  return { home: { id: block, stored: Promise.resolve() }, offset, length, key };
}

/** The location of a chunk whose block has its id. */
export function locationOf({ home, offset, length, key }: Place): ChunkLocation {
  assert(home.id !== undefined, 'a block that is referred to from elsewhere is closed');
  return { block: home.id, offset, length, key };
}

/** A reference that may still lack its place. */
export class DraftReference {
  readonly sizeBytes: number;
  /** 32 bits from what the chunk says, wherever it is stored: decides where lists are cut. */
  readonly cut: number;
  readonly #placed: Promise<Place>;
  #place: Place | undefined;

  constructor(sizeBytes: number, cut: number, place: Place | Promise<Place>) {
    this.sizeBytes = sizeBytes;
    this.cut = cut;
    if (!(place instanceof Promise)) this.#place = place;
    this.#placed = Promise.resolve(place).then((known) => (this.#place = known));
    this.#placed.catch(() => undefined);
  }

  /** The place of a chunk that has one. */
  get place(): Place {
    assert(this.#place !== undefined, 'what a tree refers to has its place before the tree is sealed');
    return this.#place;
  }

  /** The reference, once its block is stored. */
  async settled(): Promise<Reference> {
    const place = await this.#placed;
    await place.home.stored;
    return { ...locationOf(place), sizeBytes: this.sizeBytes };
  }
}

/** A content that may still lack the places of its chunks. */
export class Draft {
  readonly depth: number;
  readonly references: readonly DraftReference[];

  constructor(depth: number, references: readonly DraftReference[]) {
    this.depth = depth;
    this.references = references;
  }

  get sizeBytes(): number {
    return contentSize(this);
  }

  /**
   * The content, once all that it refers to directly is stored: at the latest when the writer's `flush` has resolved.
   * Rejects with the writer's error when that fails.
   */
  async settled(): Promise<Content> {
    return { depth: this.depth, references: await Promise.all(this.references.map((one) => one.settled())) };
  }
}

/** An entry on its way into a tree: its content is stored, or was just given to the same writer. */
export type DraftEntry =
  | (Omit<FileEntry, 'content'> & { readonly content: Content | Draft })
  | (Omit<DirectoryEntry, 'content'> & { readonly content: Content | Draft })
  | SymlinkEntry;
