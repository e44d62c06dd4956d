/**
 * Every bound of the system, with its reason. Relations between bounds are asserted when this module loads.
 * Sizes are bytes, times milliseconds.
 */
import { assert } from './errors.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;
const minute = 60 * second;

export const limits = Object.freeze({
  /** A block. Large enough that a pack amortises its round trip, small enough to hold a few in memory. */
  blockBytes: 8 * MiB,
  /** A record, signature included. It is read whole by every reader and is kept for its name, not for its size. */
  recordBytes: 64 * KiB,
  /** A frame's msgpack header: 1,024 ids of HasBlocks and their envelope, with room. */
  frameHeaderBytes: 128 * KiB,
  /** A frame's body: a block. */
  frameBodyBytes: 8 * MiB,
  /** Whole frames of a caller without a certificate: an Enroll fits, nothing else needs to. */
  strangerFrameBytes: 16 * KiB,
  /** Requests that one connection may have in flight at the server; the rest is refused with BUSY. */
  requestsPerConnection: 1024,
  /** Bytes of request bodies a peer holds at once, whatever the number of connections. Beyond: BUSY. */
  requestBodyBytesInFlight: 64 * MiB,
  /** Bytes written to a socket and not yet taken by it, before a sender waits. */
  writeBufferBytes: 4 * MiB,
  /** Connections without a certificate at the same time: enrolling is rare. */
  strangerConnections: 64,
  /** How long a caller without a certificate may stay connected. */
  strangerConnectionMs: 10 * second,
  /** TCP and TLS handshake. */
  connectTimeoutMs: 5 * second,
  /** A connection with nothing in flight is closed after this. */
  connectionIdleMs: 2 * minute,
  /** The longest deadline that a request may ask for. */
  requestTimeoutMaxMs: 5 * minute,
  /** Ids in one HasBlocks. */
  hasBlocksIds: 1024,
  /** Entries of a successor list: half of the peers may die at once and one in 65,536 loses all its successors. */
  successorListLength: 16,
  /** Fingers: one for each bit of an identifier. */
  fingers: 256,
  /** Closer peers named in one answer of a lookup step: the best and its stand-ins. */
  lookupCandidates: 8,
  /** Steps of one lookup before it gives up: four times the longest path of the published figures for 16,384 peers. */
  lookupSteps: 48,
  /** Peers remembered on disk for the next start and for healed partitions. */
  rememberedPeers: 256,
  /** A printable network address: a DNS name (253), a colon and a port. */
  addressBytes: 260,
  /** A zone's name. */
  zoneBytes: 64,
  /** A user's name. */
  userNameBytes: 64,
  /** An error's message on the wire. */
  errorMessageBytes: 1 * KiB,
  /** A certificate in DER. */
  certificateBytes: 4 * KiB,
  /** Copies of a value that a policy may ask for. */
  replicasMax: 16,
  /** A record's kind and name. */
  recordNameBytes: 255,
  /** The smallest chunk that content may end: below it, references would outweigh what sharing saves. */
  chunkMinBytes: 256 * KiB,
  /** Where a chunk is expected to end. */
  chunkAverageBytes: 1 * MiB,
  /** The largest plaintext of any chunk: what a reader allocates for one, whatever the bytes claim. */
  chunkMaxBytes: 4 * MiB,
  /** The smallest pack, padding included: one page of a disk. */
  packMinBytes: 4 * KiB,
  /** References that a content carries itself, in a tree entry or a snapshot. More go into lists. */
  contentReferences: 16,
  /** Levels of lists above the chunks of a content; six levels of the shortest lists name more than a zettabyte. */
  contentDepth: 8,
  /** The shortest list that a boundary may end, and the longest. */
  listReferencesMin: 64,
  listReferencesMax: 1024,
  /** A chunk of a tree or a catalog: from where a boundary may end it, and the most. A changed entry costs one. */
  recordChunkMinBytes: 16 * KiB,
  recordChunkMaxBytes: 256 * KiB,
  /** A name in a directory: 255 UTF-16 units where names are longest. */
  entryNameBytes: 1 * KiB,
  /** The target of a symbolic link, and a path of a snapshot: PATH_MAX of Linux. */
  pathBytes: 4 * KiB,
  /** The text that ties the names of one file together. */
  linkGroupBytes: 128,
  /** Texts of a snapshot: the host's name and each tag. */
  snapshotTextBytes: 255,
  /** Paths of one snapshot, and tags. A snapshot has to fit a chunk of the catalog. */
  snapshotPaths: 32,
  snapshotTags: 64,
  /** Forgotten snapshots that a device's head names: 32 KiB of a record. */
  forgottenSnapshots: 1024,
  /** Bytes that a writer holds between reading them and the ring's answer. */
  archiveBytesInFlight: 32 * MiB,
  /** Plaintext of trees and lists that waits for the packs it refers to. */
  archiveDraftBytes: 8 * MiB,
  /** Plaintext of trees and lists in one open pack: kept until it closes, to name them by where they are. */
  archivePackPlainBytes: 16 * MiB,
  /** Chunks of one file on their way while the next is read. */
  archiveChunksAhead: 16,
  /** Confirmations that a writer remembers: beyond, it asks again. */
  archiveConfirmations: 65_536,
  /** Blocks that a reader keeps whole, in bytes, and the blocks it remembers having read a part of. */
  archiveCacheBytes: 64 * MiB,
  archiveSeenBlocks: 4096,
  /** A sealed chunk from this size on is read by its range even from a pack: it is most of the pack. */
  archiveRangeReadBytes: 1 * MiB,
  /** Sealed bytes that a reader asks for ahead of its consumer. */
  archiveReadAheadBytes: 16 * MiB,
});

/** A relation between two bounds, checked when this module loads. */
function atMost(smaller: number, larger: number, rule: string): void {
  assert(smaller <= larger, rule);
}

atMost(limits.blockBytes, limits.frameBodyBytes, 'a block fits a frame');
atMost(limits.recordBytes, limits.frameBodyBytes, 'a record fits a frame');
atMost(limits.hasBlocksIds * 34 + KiB, limits.frameHeaderBytes, 'the ids of a full HasBlocks fit a header');
atMost(limits.replicasMax, limits.successorListLength, 'a successor list names the holders of a key');
atMost(4 * limits.frameBodyBytes, limits.requestBodyBytesInFlight, 'a few blocks can be received at once');
atMost(limits.chunkMaxBytes + KiB, limits.blockBytes, 'a sealed chunk fits a block');
atMost(
  limits.listReferencesMax * 80 + KiB,
  limits.recordChunkMaxBytes,
  'a list is no larger than a tree chunk',
);
atMost(2 * limits.blockBytes, limits.archiveBytesInFlight, 'a pack can be stored while the next fills');
atMost(
  limits.snapshotPaths * (limits.pathBytes + 8) +
    limits.snapshotTags * (limits.snapshotTextBytes + 8) +
    8 * KiB,
  limits.recordChunkMaxBytes,
  'a snapshot fits a chunk of the catalog',
);
atMost(limits.forgottenSnapshots * 34 + 8 * KiB, limits.recordBytes, 'a full head fits a record');
