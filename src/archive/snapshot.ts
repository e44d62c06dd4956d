/**
 * Snapshots, and the head of a device's catalog of them (docs/format.md, "Snapshots").
 *
 * A device lists its snapshots in a catalog, a content like any other, and what it decided about snapshots in a second
 * one. Its head is what a record of the ring holds: where the two are.
 */
import { asBuffer, sha256 } from '../base/bytes.js';
import {
  type Codec,
  binary,
  integer,
  list,
  mapped,
  optional,
  packValue,
  struct,
  text,
} from '../base/codec.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { hashToId, type Id, idCodec } from '../ring/identifier.js';
import type { Content } from './entry.js';
import { unpackSealed } from './parse.js';
import { contentHeadBytes, decodeContent, encodeContent, referenceBytes } from './reference.js';
import { openValue, sealValue } from './seal.js';
import type { ArchiveSecrets } from './secrets.js';

/** A state of some paths of a machine, at a time. */
export interface Snapshot {
  /** SHA-256 over the snapshot's packed form. */
  readonly id: Id;
  /** When the backup began, milliseconds since 1970. */
  readonly timeMs: number;
  readonly host: string;
  /** The user's name. */
  readonly user: string;
  /** The paths that were asked for, absolute, as the bytes of their names. */
  readonly paths: readonly Uint8Array[];
  readonly tags: readonly string[];
  /** The tree that stands for "/". */
  readonly root: Content;
  readonly files: number;
  readonly dirs: number;
  /** Bytes of the files. */
  readonly bytes: number;
  /** Bytes of the chunks that were not stored before. */
  readonly newBytes: number;
  /** Bytes of the blocks that the backup added. */
  readonly storedBytes: number;
  /** Files that could not be read. */
  readonly errors: number;
  /** The snapshot that this one was compared with. */
  readonly parent?: Id;
}

/** What a device's record says of its snapshots. */
export interface CatalogHead {
  /** The catalog: the device's snapshots, oldest first. */
  readonly catalog: Content;
  /** The device's decisions, in the order of the snapshots' ids. */
  readonly decisions: Content;
}

const contentCodec: Codec<Content> = mapped(
  binary(contentHeadBytes, contentHeadBytes + limits.contentReferences * referenceBytes),
  (bytes) => decodeContent(bytes),
  encodeContent,
);
const count = integer(0, Number.MAX_SAFE_INTEGER);

const snapshotCodec = struct({
  timeMs: count,
  host: text(limits.snapshotTextBytes),
  user: text(limits.userNameBytes),
  paths: list(binary(1, limits.recordedPathBytes), limits.snapshotPaths),
  tags: list(text(limits.snapshotTextBytes), limits.snapshotTags),
  root: contentCodec,
  files: count,
  dirs: count,
  bytes: count,
  newBytes: count,
  storedBytes: count,
  errors: count,
  parent: optional(idCodec),
});

/**
 * A snapshot, with the id that its parts give it.
 * @throws PeerStoreError USAGE when a part crosses a bound, naming it.
 */
export function makeSnapshot(parts: Omit<Snapshot, 'id'>): Snapshot {
  try {
    snapshotCodec.decode(snapshotCodec.encode(parts), 'snapshot');
  } catch (error) {
    throw new PeerStoreError('USAGE', `cannot make a snapshot: ${messageOf(error)}`, { cause: error });
  }
  return decodeSnapshot(packValue(snapshotCodec, parts));
}

/**
 * A snapshot's packed form: a record of the catalog. Its id is not in it.
 * @throws PeerStoreError USAGE when the snapshot says more than this version knows to write.
 */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  const packed = packValue(snapshotCodec, snapshot);
  if (hashToId(packed) !== snapshot.id) {
    throw new PeerStoreError(
      'USAGE',
      `snapshot ${snapshot.id} was written by a later version of PeerStore: update this one before it writes catalogs`,
    );
  }
  return packed;
}

/** @throws PeerStoreError DAMAGED when the bytes are not a snapshot. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const { paths, ...rest } = unpackSealed(snapshotCodec, bytes, 'snapshot');
  return { id: hashToId(bytes), ...rest, paths: paths.map((path) => Uint8Array.from(path)) };
}

/** The cut value of a snapshot in the catalog. */
export function cutOfSnapshot(packed: Uint8Array): number {
  return asBuffer(sha256(packed)).readUInt32BE(0);
}

const headCodec = struct({
  version: integer(1, 1),
  catalog: contentCodec,
  decisions: optional(contentCodec),
});

/** A head as bytes. They hold keys: only {@link sealHead} may leave the machine. */
export function encodeHead(head: CatalogHead): Uint8Array {
  return packValue(headCodec, { version: 1, ...head });
}

/** @throws PeerStoreError DAMAGED when the bytes are not a head, or of a later version. */
export function decodeHead(bytes: Uint8Array): CatalogHead {
  const { catalog, decisions } = unpackSealed(headCodec, bytes, 'catalog head');
  return { catalog, decisions: decisions ?? { depth: 0, references: [] } };
}

/** A head, sealed for the user's own devices: the value of the device's `snapshots` record. */
export function sealHead(secrets: ArchiveSecrets, head: CatalogHead): Uint8Array {
  return sealValue(secrets.heads, encodeHead(head));
}

/** @throws PeerStoreError DAMAGED when it was not sealed with this archive's secret, or is not a head. */
export function openHead(secrets: ArchiveSecrets, sealed: Uint8Array): CatalogHead {
  return decodeHead(openValue(secrets.heads, sealed, 'catalog head'));
}
