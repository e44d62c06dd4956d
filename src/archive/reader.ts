/**
 * Reads an archive. A reference opens what it names and what hangs from that: no secret is needed. Whoever has the
 * secret gives it, and every chunk is also held against what its key was made for.
 */
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { BlockCache } from './block-cache.js';
import type { Compressor } from './compress.js';
import { type Decision, decodeDecision } from './decision.js';
import type { Content, Entry, Reference } from './entry.js';
import { readList, readRecords } from './parse.js';
import type { BlockSource, ByteRange } from './ports.js';
import { readAhead } from './read-ahead.js';
import { type ChunkKind, openChunk } from './seal.js';
import type { ArchiveSecrets } from './secrets.js';
import { decodeSnapshot, type Snapshot } from './snapshot.js';
import { decodeEntry, mayFollow, printable } from './tree.js';

export interface ArchiveReaderOptions {
  readonly source: BlockSource;
  readonly compressor: Compressor;
  readonly secrets?: ArchiveSecrets;
  /** Bytes of blocks that are kept. */
  readonly cacheBytes?: number;
  /** Fetch a pack whole when its first chunk is wanted: for reading much of what is there. */
  readonly fetchWhole?: boolean;
  /** Bytes of chunks, sealed or opened, that are asked for ahead of the consumer. */
  readonly readAheadBytes?: number;
}

/** The kinds of chunk that a content can be made of. */
export type ContentKind = Exclude<ChunkKind, 'list'>;

/** A chunk of a content, and where it begins in it. */
interface Leaf {
  readonly reference: Reference;
  readonly start: number;
}

export class ArchiveReader {
  readonly #blocks: BlockCache;
  readonly #compressor: Compressor;
  readonly #secrets: ArchiveSecrets | undefined;
  readonly #readAheadBytes: number;

  constructor(options: ArchiveReaderOptions) {
    const { source, cacheBytes = limits.archiveCacheBytes, fetchWhole = false } = options;
    this.#blocks = new BlockCache(source, cacheBytes, fetchWhole);
    this.#compressor = options.compressor;
    this.#secrets = options.secrets;
    this.#readAheadBytes = options.readAheadBytes ?? limits.archiveReadAheadBytes;
  }

  /**
   * A file's bytes, or those of them that lie in `range`, in pieces of at most `limits.chunkMaxBytes`.
   * @throws PeerStoreError DAMAGED, naming the block; the source's errors (MISSING when a block is missing).
   */
  async *readContent(content: Content, range?: ByteRange): AsyncGenerator<Uint8Array, void> {
    const from = range?.offset ?? 0;
    const to = range === undefined ? Infinity : range.offset + range.length;
    for await (const { bytes, start } of this.#chunks(content, 'data', from, to)) {
      const piece = bytes.subarray(Math.max(0, from - start), Math.max(0, to - start));
      if (piece.length > 0) yield piece;
    }
  }

  /** The entries of a directory, in the order of their names' bytes. Throws as {@link readContent}. */
  async *readTree(content: Content): AsyncGenerator<Entry, void> {
    let previous: Uint8Array | undefined;
    for await (const { bytes, reference } of this.#chunks(content, 'tree')) {
      for (const entry of readEntries(bytes, reference)) {
        if (!mayFollow(entry.name, previous)) {
          const name = printable(entry.name);
          throw new PeerStoreError(
            'DAMAGED',
            `a tree in block ${reference.block} is out of order at ${name}`,
          );
        }
        previous = entry.name;
        yield entry;
      }
    }
  }

  /** The snapshots of a catalog. Throws as {@link readContent}. */
  async *readCatalog(content: Content): AsyncGenerator<Snapshot, void> {
    for await (const { bytes } of this.#chunks(content, 'catalog')) {
      for (const record of readRecords(bytes, 'catalog')) yield decodeSnapshot(record);
    }
  }

  /** The decisions of a device. Throws as {@link readContent}. */
  async *readDecisions(content: Content): AsyncGenerator<Decision, void> {
    for await (const { bytes } of this.#chunks(content, 'decisions')) {
      for (const record of readRecords(bytes, 'list of decisions')) yield decodeDecision(record);
    }
  }

  /** The references in a list. */
  async openList(reference: Reference, depth: number): Promise<Reference[]> {
    return readList(await this.#open(reference, 'list'), reference, depth);
  }

  /**
   * The plaintext of a chunk that is not a list.
   * @throws PeerStoreError DAMAGED, naming the block; the source's errors.
   */
  async openChunk(reference: Reference, kind: ContentKind): Promise<Uint8Array> {
    const bytes = await this.#open(reference, kind);
    if (bytes.length === reference.sizeBytes) return bytes;
    const { block, sizeBytes } = reference;
    const rule = `holds ${bytes.length} bytes where its reference says ${sizeBytes}`;
    throw new PeerStoreError('DAMAGED', `a ${kind} chunk in block ${block} ${rule}`);
  }

  async #open(reference: Reference, kind: ChunkKind): Promise<Uint8Array> {
    const { block, offset } = reference;
    try {
      try {
        return this.#unseal(reference, kind, await this.#blocks.read(reference));
      } catch (error) {
        if (!hasCode(error, 'DAMAGED')) throw error;
        // A part of a block cannot be checked against the block's id. The whole one can, and comes from a holder that
        // has it undamaged, if there is one.
        return this.#unseal(reference, kind, await this.#blocks.readChecked(reference));
      }
    } catch (error) {
      if (!hasCode(error, 'DAMAGED')) throw error;
      const where = `the ${kind} chunk at ${offset} of block ${block} is damaged`;
      throw new PeerStoreError('DAMAGED', `${where}: ${error.message}`, { cause: error });
    }
  }

  #unseal({ key }: Reference, kind: ChunkKind, sealed: Uint8Array): Uint8Array {
    return openChunk(this.#compressor, key, kind, sealed, this.#secrets);
  }

  #chunks(
    content: Content,
    kind: ContentKind,
    from = 0,
    to = Infinity,
  ): AsyncGenerator<Leaf & { readonly bytes: Uint8Array }, void> {
    return readAhead(
      this.#leaves(content, 0, from, to),
      async (leaf) => ({ ...leaf, bytes: await this.openChunk(leaf.reference, kind) }),
      // What is held is the plaintext: a few hundred sealed bytes may be 4 MiB of zeros.
      ({ reference }) => Math.max(reference.length, reference.sizeBytes),
      this.#readAheadBytes,
    );
  }

  /** The chunks that hold the bytes in a range; lists that lie outside of it are not read. */
  async *#leaves(content: Content, start: number, from: number, to: number): AsyncGenerator<Leaf, void> {
    let at = start;
    for (const reference of content.references) {
      const end = at + reference.sizeBytes;
      if (at < to && end > from) {
        if (content.depth === 0) {
          yield { reference, start: at };
        } else {
          const references = await this.openList(reference, content.depth);
          yield* this.#leaves({ depth: content.depth - 1, references }, at, from, to);
        }
      }
      at = end;
    }
  }
}

/** The entries in a chunk of a tree. @throws PeerStoreError DAMAGED */
export function* readEntries(bytes: Uint8Array, { block }: Reference): Generator<Entry, void> {
  for (const record of readRecords(bytes, 'tree')) yield decodeEntry(record, block);
}
