/**
 * Every bound of the system (limit-table.ts), and what has to hold between them, asserted when this module loads.
 */
import { assert } from './errors.js';
import { limitTable } from './limit-table.js';

const KiB = 1024;

/** Every bound of the system. */
export const limits = limitTable;

/** A relation between two bounds, checked when this module loads. */
function atMost(smaller: number, larger: number, rule: string): void {
  assert(smaller <= larger, rule);
}

atMost(limits.blockBytes, limits.frameBodyBytes, 'a block fits a frame');
atMost(limits.recordBytes, limits.frameBodyBytes, 'a record fits a frame');
atMost(limits.hasBlocksIds * 34 + KiB, limits.frameHeaderBytes, 'the ids of a full HasBlocks fit a header');
atMost(limits.ownBlocks * 96 + KiB, limits.frameHeaderBytes, 'a full OwnBlocks fits a header');
atMost(limits.replicasMax, limits.successorListLength, 'a successor list names the holders of a key');
atMost(limits.restoreLargeFileWeight, limits.restoreFilesAtOnce, 'a large file can be restored');
atMost(limits.backupLargeFileWeight, limits.backupFilesAtOnce, 'a large file can be backed up');
atMost(4 * limits.frameBodyBytes, limits.callerRequestBodyBytes, 'a few blocks can be received at once');
atMost(
  2 * limits.callerRequestBodyBytes,
  limits.requestBodyBytesInFlight,
  'one caller leaves room for others',
);
atMost(4 * limits.callerAnswerBytes, limits.answerBytesUnsent, 'one caller leaves room for others');
atMost(
  limits.archiveReadAheadBytes + 2 * limits.frameBodyBytes,
  limits.callerAnswerBytes,
  'what a reader asks for ahead can wait for it',
);
atMost(16 * limits.callerConnections, limits.acceptedConnections, 'one caller leaves room for others');
atMost(
  limits.bodyMemoryKeptBytes,
  limits.requestBodyBytesInFlight,
  'no more memory is kept than bodies may take',
);
atMost(limits.recordValueBytes + KiB, limits.recordBytes, 'a full value and its envelope fit a record');
atMost(2 * limits.recordNameBytes + 128, KiB, "a record's names, numbers and signature fit its envelope");
atMost(limits.certificateNonces * 34 + KiB, limits.certificateBytes, 'a certificate holds its nonces');
atMost(limits.users * 256 + limits.invitesKept * 1024, limits.ledgerBytes, 'a full ledger can be read again');
atMost(
  2 * limits.certificateBytes + KiB,
  limits.strangerFrameBytes,
  "an Enroll's answer is no longer than its frame",
);
atMost(
  limits.pingTimeoutMs,
  limits.testimonyTimeoutMs,
  'a witness can wait for the suspect while it is waited for',
);
atMost(
  limits.testimonyTimeoutMs + limits.inquiryPauseMs,
  limits.healthAnswerMs,
  "a witness's answer in each round shows that questions get through",
);
atMost(limits.rememberedPeers, limits.pooledConnections, 'every remembered peer can be called at once');
atMost(limits.chunkMaxBytes + KiB, limits.blockBytes, 'a sealed chunk fits a block');
atMost(
  limits.listReferencesMax * 80 + KiB,
  limits.recordChunkMaxBytes,
  'a list is no larger than a tree chunk',
);
atMost(2 * limits.blockBytes, limits.archiveBytesInFlight, 'a pack can be stored while the next fills');
atMost(
  limits.snapshotPaths * (limits.recordedPathBytes + 8) +
    limits.snapshotTags * (limits.snapshotTextBytes + 8) +
    8 * KiB,
  limits.recordChunkMaxBytes,
  'a snapshot fits a chunk of the catalog',
);
atMost(limits.clockSkewMs, limits.tombstoneMs, 'a release outlives the difference of clocks');
atMost(
  2 * limits.clockSkewMs,
  limits.clockJumpMs,
  'a touch from a clock that is believed is no jump of ours',
);
atMost(
  limits.majorityHoldMs,
  limits.retryAfterMaxMs,
  'a peer can say when it has seen a majority for long enough',
);
atMost(limits.majorityHoldMs, limits.majorityOfMs, 'a machine that has just gone still counts');
atMost(4 * limits.touchBehindMs, limits.touchLeaseMs / 2, 'a touch that is noted earlier still protects');
atMost(limits.hasBlocksIds, limits.indexCommitChanges, 'a full HasBlocks fits one commit');
atMost(
  limits.successorListLength + 1,
  limits.lookupCandidates,
  'the end of a lookup names a whole successor list',
);
atMost(
  limits.knownPeers,
  limits.peerSourcesMin * limits.knownPeersPage,
  'a page from each of the fewest sources fills a cache',
);
atMost(
  limits.knownPeersPage * (limits.addressBytes + limits.zoneBytes + 128),
  limits.frameHeaderBytes,
  'a page of known peers fits a frame',
);
atMost(
  limits.diskErrorFiles,
  limits.diskErrorsKept,
  'files with errors are remembered until they are too many',
);
