/**
 * Parts of blocks, with as few requests as it takes.
 *
 * The first small chunk that is wanted of a block is fetched by its range: that may be all that anybody wants of it. When
 * a second one is wanted, the block is a pack that is being read, and is fetched whole and kept for a while. Whoever
 * knows that much of it will be wanted says so and skips the first step.
 */
import type { Id } from '../ring/identifier.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { BlockSource, ChunkLocation } from './ports.js';

interface Kept {
  readonly bytes: Promise<Uint8Array>;
  sizeBytes: number;
}

export class BlockCache {
  readonly #source: BlockSource;
  readonly #capacityBytes: number;
  readonly #fetchWhole: boolean;
  /** Blocks kept whole; the least recently used first. */
  readonly #kept = new Map<Id, Kept>();
  /** Blocks of which a part was fetched; the oldest first. */
  readonly #seen = new Set<Id>();
  #bytes = 0;

  constructor(source: BlockSource, capacityBytes: number, fetchWhole: boolean) {
    this.#source = source;
    this.#capacityBytes = capacityBytes;
    this.#fetchWhole = fetchWhole;
  }

  /**
   * The sealed bytes of a chunk.
   * They are checked by their seal, not here: a damaged pack still gives its other chunks.
   * @throws PeerStoreError DAMAGED when the block is too short for them; the source's errors.
   */
  async read({ block, offset, length }: Omit<ChunkLocation, 'key'>): Promise<Uint8Array> {
    const kept = this.#use(block);
    if (kept !== undefined) return part(await kept, block, offset, length);
    const isSmall = length < limits.archiveRangeReadBytes;
    if (isSmall && (this.#fetchWhole || this.#seen.has(block))) {
      return part(await this.#fetch(block), block, offset, length);
    }
    if (isSmall) this.#remember(block);
    return part(await this.#source.get(block, { offset, length }), block, 0, length);
  }

  /**
   * The same, out of the whole block: the source holds that against its id, and so gives what others have when one has
   * it damaged.
   */
  async readFromWhole({ block, offset, length }: Omit<ChunkLocation, 'key'>): Promise<Uint8Array> {
    return part(await (this.#use(block) ?? this.#fetch(block)), block, offset, length);
  }

  #use(block: Id): Promise<Uint8Array> | undefined {
    const kept = this.#kept.get(block);
    if (kept === undefined) return undefined;
    this.#kept.delete(block);
    this.#kept.set(block, kept);
    return kept.bytes;
  }

  #fetch(block: Id): Promise<Uint8Array> {
    const bytes = this.#source.get(block);
    // Counted as a full block until its size is known.
    const kept: Kept = { bytes, sizeBytes: limits.blockBytes };
    this.#kept.set(block, kept);
    this.#bytes += kept.sizeBytes;
    this.#evict();
    bytes.then(
      (whole) => {
        if (this.#kept.get(block) !== kept) return;
        this.#bytes += whole.length - kept.sizeBytes;
        kept.sizeBytes = whole.length;
      },
      () => this.#drop(block, kept),
    );
    return bytes;
  }

  #evict(): void {
    for (const [block, kept] of this.#kept) {
      if (this.#bytes <= this.#capacityBytes || this.#kept.size === 1) return;
      this.#drop(block, kept);
    }
  }

  #drop(block: Id, kept: Kept): void {
    if (this.#kept.get(block) !== kept) return;
    this.#kept.delete(block);
    this.#bytes -= kept.sizeBytes;
  }

  #remember(block: Id): void {
    this.#seen.add(block);
    if (this.#seen.size <= limits.archiveSeenBlocks) return;
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest);
      return;
    }
  }
}

function part(bytes: Uint8Array, block: Id, offset: number, length: number): Uint8Array {
  if (offset + length > bytes.length) {
    throw new PeerStoreError('DAMAGED', `block ${block} has fewer bytes than a reference into it needs`);
  }
  return bytes.subarray(offset, offset + length);
}
