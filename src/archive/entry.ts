/** What a tree says of one name in a directory. docs/format.md describes the bytes. */
import type { Id } from '../ring/identifier.js';

/**
 * Where sealed bytes are, and what opens them. Whoever holds a reference can read what it names, and what hangs from
 * that; nothing else can be read with it.
 */
export interface Reference {
  readonly block: Id;
  /** Where the sealed chunk begins in the block. */
  readonly offset: number;
  /** Bytes of the sealed chunk. */
  readonly length: number;
  /** The chunk's own AES-256-GCM key, 32 bytes. */
  readonly key: Uint8Array;
  /** Bytes of content that hang from it: the chunk's own plaintext, or for a list everything below it. */
  readonly sizeBytes: number;
}

/**
 * A string of bytes of any length, as a tree of chunks. At depth 0 the references name chunks of the bytes, in order;
 * at depth n they name chunks that hold lists of references of depth n - 1.
 */
export interface Content {
  readonly depth: number;
  readonly references: readonly Reference[];
}

/** What every kind of entry has. Names and link targets are the bytes that the file system gave, UTF-8 or not. */
export interface EntryCommon {
  readonly name: Uint8Array;
  /** Permission bits with set-uid, set-gid and sticky: the low 12 bits of st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
}

export interface FileEntry extends EntryCommon {
  readonly type: 'file';
  readonly sizeBytes: number;
  readonly content: Content;
  /** For a file with more than one name: the same text for each of its names within a snapshot. */
  readonly linkGroup?: string;
}

export interface DirectoryEntry extends EntryCommon {
  readonly type: 'directory';
  /** The directory's entries, in the order of their names' bytes. */
  readonly content: Content;
}

export interface SymlinkEntry extends EntryCommon {
  readonly type: 'symlink';
  readonly target: Uint8Array;
}

export type Entry = FileEntry | DirectoryEntry | SymlinkEntry;
