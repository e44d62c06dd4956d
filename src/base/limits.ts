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
  /** Users that one block may belong to: their ids fit a few pages of the index. */
  ownersPerBlock: 1024,
  /** Files that a store reads or writes at the same time; each may hold a block in memory. */
  storeFileOperations: 16,
  /** Changes in one commit of a store's index: a full HasBlocks touches this many entries. */
  indexCommitChanges: 1024,
  /** Starts that may end inside the reading of the index before it counts as unreadable: 1 may be a power cut. */
  indexOpenAttempts: 3,
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
atMost(limits.hasBlocksIds, limits.indexCommitChanges, 'a full HasBlocks fits one commit');
