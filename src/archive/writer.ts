/**
 * Writes an archive: files to contents, directories to trees, snapshots to a catalog.
 *
 * Calls may overlap. Each gives back a draft as soon as its bytes have been read: drafts go into trees at once, and
 * become contents when what they refer to is stored. Write order: after `flush` everything is stored, so whoever then
 * writes the record that names it leaves rubbish behind a crash, and never a reference to nothing.
 */
import { hasCode, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { Chunker } from './chunker.js';
import type { Compressor } from './compress.js';
import { ContentBuilder } from './content-builder.js';
import { DataChunks, type Placed } from './data.js';
import { cutOfDecision, type Decision, encodeDecision } from './decision.js';
import { Draft, type DraftEntry, DraftReference } from './draft.js';
import type { Content } from './entry.js';
import { MetadataChunks } from './metadata.js';
import { Packer } from './packer.js';
import { cutOfName, type RecordChunk, RecordGatherer } from './plaintext.js';
import type { BlockSink, ChunkIndex } from './ports.js';
import type { ArchiveReader, ContentKind } from './reader.js';
import { type Sealer, SealerInPlace } from './sealer.js';
import type { ArchiveSecrets } from './secrets.js';
import { cutOfSnapshot, encodeSnapshot, type Snapshot } from './snapshot.js';
import { BlockStorage } from './storage.js';
import { encodeEntry, mayFollow, printable } from './tree.js';
import { walkReferences } from './walk.js';

export interface ArchiveWriterOptions {
  readonly secrets: ArchiveSecrets;
  readonly compressor: Compressor;
  /** Seals the chunks of files. Default: the writer's own thread does. */
  readonly sealer?: Sealer;
  readonly sink: BlockSink;
  readonly index: ChunkIndex;
  /** Reads the lists of contents that may be used again. */
  readonly reader: ArchiveReader;
  /** The most bytes that are held between reading and being stored, apart from packs being filled. */
  readonly bytesInFlight?: number;
}

/** A file's bytes, written. */
export interface WrittenContent {
  readonly content: Draft;
  readonly sizeBytes: number;
  /** Bytes of its chunks that the index did not know, or the ring did not have. */
  readonly newBytes: number;
  /** Bytes that those chunks have sealed. */
  readonly storedBytes: number;
}

/** What a writer has added to the ring so far. */
export interface WriterStats {
  readonly blocks: number;
  readonly bytes: number;
}

type Stream<T> = AsyncIterable<T> | Iterable<T>;

/** The kinds of chunk that hold records. */
type RecordKind = Exclude<ContentKind, 'data'>;

export class ArchiveWriter {
  readonly #secrets: ArchiveSecrets;
  readonly #reader: ArchiveReader;
  readonly #storage: BlockStorage;
  readonly #data: DataChunks;
  readonly #metadata: MetadataChunks;
  /** Chunkers that nobody uses now: their memory is worth keeping. */
  readonly #chunkers: Chunker[] = [];
  #isFinished = false;

  constructor(options: ArchiveWriterOptions) {
    const { secrets, compressor, index, sealer = new SealerInPlace(compressor) } = options;
    this.#secrets = secrets;
    this.#reader = options.reader;
    this.#storage = new BlockStorage(options.sink, options.bytesInFlight ?? limits.archiveBytesInFlight);
    const packers = {
      data: new Packer(this.#storage, index, secrets.padding),
      metadata: new Packer(this.#storage, index, secrets.padding),
    };
    this.#data = new DataChunks(secrets, sealer, index, this.#storage, packers.data);
    this.#metadata = new MetadataChunks(secrets, compressor, index, this.#storage, packers);
  }

  /** Blocks that the ring did not have, trees and padding included; final after {@link finish}. */
  get stats(): WriterStats {
    return this.#storage.stored;
  }

  /**
   * Writes a file's bytes. An error of `pieces` rejects this call and leaves the writer in order.
   * @throws the sink's error when a block could not be stored: the writer is of no use from then on.
   */
  async writeContent(pieces: Stream<Uint8Array>): Promise<WrittenContent> {
    this.#check();
    const chunker = this.#chunkers.pop() ?? new Chunker(this.#secrets.gear);
    const builder = new ContentBuilder(this.#metadata);
    const ahead: { readonly length: number; readonly placed: Promise<Placed> }[] = [];
    let newBytes = 0;
    let storedBytes = 0;
    const settleFirst = async (): Promise<void> => {
      const first = ahead.shift();
      if (first === undefined) return;
      const { length, placed } = first;
      const { place, newSealedBytes } = await placed;
      if (newSealedBytes > 0) newBytes += length;
      storedBytes += newSealedBytes;
      await builder.add(new DraftReference(length, cutOfKey(place.key), place));
    };
    try {
      for await (const { bytes, end } of chunker.chunks(pieces)) {
        const { length } = bytes;
        const { placed } = await this.#data.start({ bytes, end, isGiven: false });
        ahead.push({ length, placed });
        if (ahead.length >= limits.archiveChunksAhead) await settleFirst();
      }
      while (ahead.length > 0) await settleFirst();
    } finally {
      for (const { placed } of ahead) placed.catch(() => undefined);
      this.#chunkers.push(chunker);
    }
    const content = await builder.finish();
    this.#storage.check();
    return { content, sizeBytes: content.sizeBytes, newBytes, storedBytes };
  }

  /**
   * Writes a file's bytes that are all there. The memory is given away. Throws as {@link writeContent}.
   */
  async writeWhole(bytes: Uint8Array): Promise<WrittenContent> {
    // From the smallest size on, the bytes decide where they are cut.
    if (bytes.length === 0 || bytes.length >= limits.chunkMinBytes) return this.writeContent([bytes]);
    this.#check();
    const { length } = bytes;
    const { placed } = await this.#data.start({ bytes, end: 'end', isGiven: true });
    const { place, newSealedBytes } = await placed;
    this.#storage.check();
    return {
      content: new Draft(0, [new DraftReference(length, cutOfKey(place.key), place)]),
      sizeBytes: length,
      newBytes: newSealedBytes > 0 ? length : 0,
      storedBytes: newSealedBytes,
    };
  }

  /**
   * Writes a directory.
   * @param entries in the strict order of their names' bytes
   * @throws PeerStoreError USAGE when an entry breaks a rule of trees; else as {@link writeContent}.
   */
  async writeTree(entries: Stream<DraftEntry>): Promise<Draft> {
    this.#check();
    const gatherer = new RecordGatherer();
    const builder = new ContentBuilder(this.#metadata);
    let previous: Uint8Array | undefined;
    for await (const entry of entries) {
      if (!mayFollow(entry.name, previous)) {
        throw new PeerStoreError(
          'USAGE',
          `entries of a directory are out of order at ${printable(entry.name)}`,
        );
      }
      previous = entry.name;
      await this.#addAll('tree', builder, gatherer.add(encodeEntry(entry), cutOfName(entry.name)));
    }
    return this.#finishRecords('tree', builder, gatherer);
  }

  /** Writes a catalog: a device's snapshots, oldest first. Throws as {@link writeTree}. */
  writeCatalog(snapshots: Stream<Snapshot>): Promise<Draft> {
    return this.#writeRecords('catalog', snapshots, (snapshot) => {
      const bytes = encodeSnapshot(snapshot);
      return { bytes, cut: cutOfSnapshot(bytes) };
    });
  }

  /** Writes a device's decisions, in the order of the snapshots' ids. Throws as {@link writeTree}. */
  writeDecisions(decisions: Stream<Decision>): Promise<Draft> {
    return this.#writeRecords('decisions', decisions, (decision) => ({
      bytes: encodeDecision(decision),
      cut: cutOfDecision(decision),
    }));
  }

  /**
   * Whether a file's content of an earlier run is stored, all of it: its lists are read, and every block is confirmed and
   * touched. Then the content may go into a tree as it is.
   */
  async reuse(content: Content): Promise<boolean> {
    this.#check();
    let asked: Promise<boolean>[] = [];
    try {
      for await (const { reference } of walkReferences(this.#reader, content, 'data')) {
        const answer = this.#storage.isStored(reference.block);
        answer.catch(() => undefined);
        asked.push(answer);
        if (asked.length < limits.hasBlocksIds) continue;
        if ((await Promise.all(asked)).includes(false)) return false;
        asked = [];
      }
    } catch (error) {
      this.#storage.check();
      if (!hasCode(error, 'MISSING', 'DAMAGED')) throw error;
      return false;
    }
    return !(await Promise.all(asked)).includes(false);
  }

  /**
   * Seals and stores everything written so far: every draft that was given out is settled when it resolves. Calls that
   * have not resolved are not part of it.
   */
  async flush(): Promise<void> {
    this.#check();
    await this.#metadata.flush();
    await this.#storage.idle();
  }

  /** Flushes, and ends the writer's use. */
  async finish(): Promise<void> {
    await this.flush();
    this.#isFinished = true;
  }

  #check(): void {
    if (this.#isFinished) throw new Error('broken rule: nothing is written after finish');
    this.#storage.check();
  }

  /** Writes a list of records that refer to nothing in their own pack. */
  async #writeRecords<T>(
    kind: RecordKind,
    values: Stream<T>,
    recordOf: (value: T) => { readonly bytes: Uint8Array; readonly cut: number },
  ): Promise<Draft> {
    this.#check();
    const gatherer = new RecordGatherer();
    const builder = new ContentBuilder(this.#metadata);
    for await (const value of values) {
      const { bytes, cut } = recordOf(value);
      await this.#addAll(kind, builder, gatherer.add({ bytes, holes: [] }, cut));
    }
    return this.#finishRecords(kind, builder, gatherer);
  }

  async #addAll(kind: RecordKind, builder: ContentBuilder, chunks: Iterable<RecordChunk>): Promise<void> {
    for (const chunk of chunks) {
      await builder.add(this.#metadata.add(kind, chunk, chunk.bytes.length, chunk.cut));
    }
  }

  async #finishRecords(kind: RecordKind, builder: ContentBuilder, gatherer: RecordGatherer): Promise<Draft> {
    await this.#addAll(kind, builder, gatherer.finish());
    const draft = await builder.finish();
    this.#storage.check();
    return draft;
  }
}

/** The cut value of a chunk of a file. */
function cutOfKey(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0);
}
