/** What the archive asks of the world: somewhere to put blocks, somewhere to get them, and a memory of its own. */
import type { Id } from '../ring/identifier.js';
import type { Reference } from './entry.js';

/** A part of a block or of a content, in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Takes blocks. The client's is the ring. */
export interface BlockSink {
  /**
   * Which of these blocks are stored; at most `limits.hasBlocksIds` of them. A hit touches the block, so that no
   * delete that was decided before now takes it away.
   */
  has(ids: readonly Id[]): Promise<readonly boolean[]>;
  /** Stores a block. It is durable, with its copies, when the promise resolves. */
  put(id: Id, bytes: Uint8Array): Promise<{ isNew: boolean }>;
}

/** Gives blocks. */
export interface BlockSource {
  /** A block's bytes, or the part of them in `range`. @throws PeerStoreError MISSING when nobody has it. */
  get(id: Id, range?: ByteRange): Promise<Uint8Array>;
}

/** Where a chunk is stored, and its key. */
export type ChunkLocation = Pick<Reference, 'block' | 'offset' | 'length' | 'key'>;

/**
 * What is stored already, by name: 64 hexadecimal digits that come from the user's secret and what the chunk says
 * (docs/format.md, "Names"). It is a cache: what it names is confirmed before it is used, and without it a backup
 * stores its packs again and nothing else.
 */
export interface ChunkIndex {
  get(name: string): ChunkLocation | undefined;
  /** Called once the block is stored, never before. */
  set(name: string, location: ChunkLocation): void;
}

/** An index that lives as long as its process. */
export class MemoryChunkIndex implements ChunkIndex {
  readonly #locations = new Map<string, ChunkLocation>();

  get(name: string): ChunkLocation | undefined {
    return this.#locations.get(name);
  }

  set(name: string, location: ChunkLocation): void {
    this.#locations.set(name, location);
  }

  get size(): number {
    return this.#locations.size;
  }
}
