/** An archive in memory, with faults on demand, for the tests of the archive. */
import { bytesEqual, concatBytes, toHex, utf8 } from '../../src/base/bytes.js';
import { PeerStoreError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { type Compressor, loadCompressor } from '../../src/archive/compress.js';
import type { DraftEntry } from '../../src/archive/draft.js';
import type { Content, Entry } from '../../src/archive/entry.js';
import {
  type BlockSink,
  type BlockSource,
  type ByteRange,
  type ChunkIndex,
  MemoryChunkIndex,
} from '../../src/archive/ports.js';
import { ArchiveReader, type ArchiveReaderOptions } from '../../src/archive/reader.js';
import { deriveArchiveSecrets } from '../../src/archive/secrets.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import type { Id } from '../../src/ring/identifier.js';
import { hashToId } from '../../src/ring/identifier.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const secrets = deriveArchiveSecrets(new Uint8Array(32).fill(7));
export const compressor: Compressor = await loadCompressor();

/** Blocks in a map. */
export class MemoryBlocks implements BlockSink, BlockSource {
  readonly blocks = new Map<Id, Uint8Array>();
  readonly gets: { readonly id: Id; readonly range: ByteRange | undefined }[] = [];
  readonly hasSizes: number[] = [];
  puts = 0;
  bytesInPut = 0;
  mostBytesInPut = 0;
  /** Puts that succeed before they all fail. */
  putsLeft = Infinity;
  /** Called before a put is done; a promise delays it. */
  beforePut: () => Promise<void> | void = () => undefined;

  async has(ids: readonly Id[]): Promise<readonly boolean[]> {
    this.hasSizes.push(ids.length);
    await Promise.resolve();
    return ids.map((id) => this.blocks.has(id));
  }

  async put(id: Id, bytes: Uint8Array): Promise<{ isNew: boolean }> {
    this.bytesInPut += bytes.length;
    this.mostBytesInPut = Math.max(this.mostBytesInPut, this.bytesInPut);
    try {
      await this.beforePut();
      if (this.putsLeft <= 0) throw new PeerStoreError('NO_SPACE', 'the test says that the disk is full');
      this.putsLeft -= 1;
      this.puts += 1;
      if (hashToId(bytes) !== id) throw new Error('a block does not have its id');
      const isNew = !this.blocks.has(id);
      this.blocks.set(id, Uint8Array.from(bytes));
      return { isNew };
    } finally {
      this.bytesInPut -= bytes.length;
    }
  }

  async get(id: Id, range?: ByteRange): Promise<Uint8Array> {
    this.gets.push({ id, range });
    await Promise.resolve();
    const bytes = this.blocks.get(id);
    if (bytes === undefined) throw new PeerStoreError('MISSING', `no block ${id}`);
    return range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length);
  }

  get bytes(): number {
    return [...this.blocks.values()].reduce((sum, { length }) => sum + length, 0);
  }
}

export function makeReader(
  source: BlockSource,
  options: Partial<ArchiveReaderOptions> = { secrets },
): ArchiveReader {
  return new ArchiveReader({ source, compressor, ...options });
}

export function makeWriter(
  blocks: MemoryBlocks,
  index: ChunkIndex = new MemoryChunkIndex(),
  bytesInFlight?: number,
): ArchiveWriter {
  const options = { secrets, compressor, sink: blocks, index, reader: makeReader(blocks) };
  return new ArchiveWriter(bytesInFlight === undefined ? options : { ...options, bytesInFlight });
}

const noise = new Map<string, Uint8Array>();
/** Bytes that do not compress; the same for a seed. */
export function randomBytes(length: number, seed = 1): Uint8Array {
  const key = `${length}/${seed}`;
  let bytes = noise.get(key);
  if (bytes === undefined) {
    bytes = seededRandom(seed).bytes(length);
    noise.set(key, bytes);
  }
  return bytes;
}

/** The bytes in pieces of this size. */
export function* pieces(bytes: Uint8Array, sizeBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export async function readAll(
  reader: ArchiveReader,
  content: Content,
  range?: ByteRange,
): Promise<Uint8Array> {
  return concatBytes(...(await collect(reader.readContent(content, range))));
}

const attributes = { mode: 0o644, uid: 1000, gid: 1000, mtimeNs: 1_700_000_000_123_456_789n };
type FileContent = Extract<DraftEntry, { type: 'file' }>['content'];

export function fileEntry(name: string, sizeBytes: number, content: FileContent): DraftEntry {
  return { type: 'file', name: utf8(name), ...attributes, sizeBytes, content };
}

export function directoryEntry(name: string, content: FileContent): DraftEntry {
  return { type: 'directory', name: utf8(name), ...attributes, mode: 0o755, content };
}

export function symlinkEntry(name: string, target: string): DraftEntry {
  return { type: 'symlink', name: utf8(name), ...attributes, mode: 0o777, target: utf8(target) };
}

/** A directory for tests: names to bytes of files, or to directories. */
export interface Files {
  readonly [name: string]: Uint8Array | Files;
}

/** Writes a directory and what is below it, files first. */
export async function writeFiles(writer: ArchiveWriter, files: Files) {
  const entries: DraftEntry[] = [];
  for (const name of Object.keys(files).sort()) {
    const item = files[name]!;
    if (item instanceof Uint8Array) {
      const { content, sizeBytes } = await writer.writeContent([item]);
      entries.push(fileEntry(name, sizeBytes, content));
    } else {
      entries.push(directoryEntry(name, await writeFiles(writer, item)));
    }
  }
  return writer.writeTree(entries);
}

/** Reads a directory and what is below it. */
export async function readFiles(reader: ArchiveReader, root: Content): Promise<Files> {
  const files: Record<string, Uint8Array | Files> = {};
  for await (const entry of reader.readTree(root)) {
    const name = nameOf(entry);
    if (entry.type === 'file') files[name] = await readAll(reader, entry.content);
    if (entry.type === 'directory') files[name] = await readFiles(reader, entry.content);
  }
  return files;
}

export function nameOf(entry: Entry): string {
  return Buffer.from(entry.name).toString();
}

/** Whether two directories hold the same. */
export function sameFiles(a: Files, b: Files): boolean {
  const names = Object.keys(a).sort();
  if (names.join('/') !== Object.keys(b).sort().join('/')) return false;
  return names.every((name) => {
    const [x, y] = [a[name]!, b[name]!];
    if (x instanceof Uint8Array) return y instanceof Uint8Array && bytesEqual(x, y);
    return !(y instanceof Uint8Array) && sameFiles(x, y);
  });
}

/** A chain of directories, each with one file. */
export function deepFiles(levels: number): Files {
  let files: Files = {};
  for (let level = 0; level < levels; level += 1)
    files = { below: files, file: utf8(`the file of level ${level}`) };
  return files;
}

/** The code of the error that a promise rejects with; fails when it does not reject. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PeerStoreError) return error.code;
    throw error;
  }
  throw new Error('it did not reject');
}

/** A value with its byte strings in hexadecimal, for comparing. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
