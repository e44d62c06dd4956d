/**
 * The table of limits.ts: every bound of the system, with its reason. Sizes are bytes, times milliseconds. Whoever uses a
 * bound takes it from there, where what has to hold between them is checked.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

export const limitTable = Object.freeze({
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
  /** The same for one caller: whoever never finishes its bodies leaves the other half to the others. */
  callerRequestBodyBytes: 32 * MiB,
  /** Bytes of answers that a peer holds until their callers take them. Beyond: BUSY. */
  answerBytesUnsent: 256 * MiB,
  /** The same for one caller: some times what a client reads ahead. */
  callerAnswerBytes: 64 * MiB,
  /** Memory of past request bodies that is kept for the next ones: what a busy connection has in flight. */
  bodyMemoryKeptBytes: 32 * MiB,
  /** Bytes written to a socket and not yet taken by it, before a sender waits. */
  writeBufferBytes: 4 * MiB,
  /** Bytes that a socket is given at a time: what it takes of them shows whether the other side still reads. */
  writeAtOnceBytes: 1 * MiB,
  /** Connections without a certificate at the same time: enrolling is rare. */
  strangerConnections: 64,
  /** Connections of one peer or user: some for each program of each device; a sixteenth of all. */
  callerConnections: 256,
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
  /** Keys that one answer about a user's own blocks has looked at: some milliseconds of work. */
  ownBlocks: 1024,
  /** Entries of a successor list: half of the peers may die at once and one in 65,536 loses all its successors. */
  successorListLength: 16,
  /** Fingers: one for each bit of an identifier. */
  fingers: 256,
  /** Peers kept for one finger: it and its stand-ins. With half of all peers dead, one finger in 16 leads nowhere. */
  fingerPeers: 4,
  /** Closer peers named in one answer of a lookup step: the best and its stand-ins. With half of all peers dead at once,
   * one answer in 16 million names dead ones only. */
  lookupCandidates: 24,
  /** Steps of one lookup before it gives up: four times the longest path of the published figures for 16,384 peers. */
  lookupSteps: 48,
  /** Times that a lookup is begun where the ring is just changing, and the pause behind the first: a newcomer is taken in
   * within some messages, and together they are longer than a round of stabilize. */
  lookupAttempts: 4,
  lookupPauseMs: 250,
  /** Peers remembered on disk for the next start and for healed partitions. */
  rememberedPeers: 256,
  /** Of these, how many a peer asks in one round who follows it: silent ones cost one wait together, and a peer that
   * remembers all it can has asked each of them after 32 rounds. */
  lookAroundPeers: 8,
  /** Peers in the cache of known ones: a ring of that size is known whole, for a MiB of memory; a ring of a million is
   * crossed in three questions. */
  knownPeers: 4096,
  /** Sources that a full cache has at least: one peer's hearsay is a sixteenth of it, so that it takes that many liars
   * to fill it. */
  peerSourcesMin: 16,
  /** Known peers in one answer: the cache of a newcomer is filled by as many peers as {@link peerSourcesMin}. */
  knownPeersPage: 256,
  /** Dead peers that are not believed to live again because somebody says so. */
  gonePeers: 256,
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
  /** When a caller that met changing ring pointers is asked to come back: about a round trip. */
  unsettledRetryMs: 50,
  /** Newcomers that are called at one time: a silent one holds a worker of the ring, and half of them stay free. */
  callBacks: 32,
  /** References to peers that are kept as they came, to be used again: less than a kilobyte each. */
  keptReferences: 8192,
  /** What stands for a peer's pointers: pointers that differ have another tag. */
  pointersTagBytes: 8,
  /** The deadline of a question for a peer's pointers: the asker's own are not shown in the meantime. */
  pointersTimeoutMs: 1500,
  /** How long a peer is waited for that is only to show that it lives: many round trips of the slowest link. */
  pingTimeoutMs: 1500,
  /** How long a suspect may be silent before it counts as dead for routing: a pause of a few seconds costs nobody its place. */
  suspicionMs: 5 * second,
  /** The same for one that calls others and answers nobody: it lives, and may be slow; but nobody can be sent to it. */
  suspicionOfCallersMs: 30 * second,
  /** The pause between the rounds of an inquiry. */
  inquiryPauseMs: 300,
  /** Rounds in a row in which nobody is at the suspect's address, before it is dead: two pauses, for one that restarts. */
  inquiryRefusals: 3,
  /** Witnesses asked in each round: that three at random are all cut off from a live suspect is rare (SWIM's k). */
  witnesses: 3,
  /** How long a witness may take: its own question and the way there and back. */
  testimonyTimeoutMs: 2500,
  /** Suspects that a peer asks for others at once. Each costs one question; a worker of the ring's lane waits for it. */
  testimoniesAtOnce: 16,
  /** How long a finding holds: a witness's word, and that a peer was not there. Then it is looked into again. */
  doubtMs: 30 * second,
  /** How many times longer a peer waits for others when its own health is bad (Lifeguard's S). */
  healthMultiplierMax: 8,
  /** A timer that fires this late means that the process stood still; so long after, it may be behind with its answers. */
  healthLateMs: 1 * second,
  healthPauseMs: 10 * second,
  /** Somebody who answered so lately shows that our questions get through: a round of an inquiry. */
  healthAnswerMs: 3 * second,
  /** Successors behind a silent one that are asked at the same time whether they live: neighbours often fail together. */
  suspectsAtOnce: 4,
  /** Entries that a newcomer asks at once; silent ones among many remembered peers cost one wait together. */
  joinEntriesAtOnce: 8,
  /** Members that a newcomer looks at on the way to its place. */
  joinSteps: 32,
  /** How long a newcomer tries to get into a ring that is in motion: longer than it takes to drop a silent peer. */
  joinPatienceMs: 30 * second,
  /** The same through remembered peers, where serving alone and going on to look for them is the other way. */
  rejoinPatienceMs: 10 * second,
  /** Times that a copy is offered again to a holder that is busy, and the longest wait before each. */
  copyBusyRetries: 5,
  copyBusyWaitMs: 1 * second,
  /** A holder that keeps a copy waiting for this long is asked whether it lives: a block is on disk long before. */
  copySlowMs: 2 * second,
  /** How long a peer may take to say what record it has, before a newer one is written. */
  latestRecordMs: 1 * second,
  /** How long those that stand in for holders may take to say which blocks they have: else these are sent once more. */
  standInAnswerMs: 3 * second,
  /** Copies still on their way after their writes were acknowledged, each holding a block's bytes. */
  copiesUnderWay: 16,
  /** Connections to the administration socket at once. */
  adminConnections: 16,
  /** A line on the administration socket. */
  adminLineBytes: 1 * MiB,
  /** Peers that a reader asks for a value before there is none, or no newer one: all of a ring that people run for
   * themselves. What was written while the ring was cut lies with whoever stood in. */
  readersAsked: 64,
  /** How long a client tries a request again while peers are busy or the ring closes a gap. */
  clientRetryMs: 30 * second,
  /** Files that a backup reads at once. A small one counts as one, any other by its weight: it has a buffer of its own. */
  backupFilesAtOnce: 32,
  backupLargeFileWeight: 4,
  backupReadBytes: 1 * MiB,
  /** Devices of one user. */
  userDevices: 64,
  /** Notifies, announcements and goodbyes that are looked into. Later ones repeat themselves or are found out. */
  errands: 64,
  /** Parts into which a range of keys is cut that two holders have not the same of. */
  partsOfRange: 16,
  /** Keys of a range that are listed, instead of cutting it once more. */
  itemsOfRange: 64,
  /** Ranges that are compared in one question: their answers fit a header. */
  comparedRanges: 16,
  /** Keys whose copies are looked at in one piece. */
  windowItems: 1024,
  /** Keys in one question who has them. */
  heldItems: 512,
  /** Copies that are made at the same time, by one peer. */
  repairsAtOnce: 4,
  /** Keys in which holders differ that wait until all were looked at. What is found beyond waits for the next survey. */
  casesWaiting: 65_536,
  /** For how long copies are made before all keys are looked at again: somebody may have died meanwhile. */
  repairSliceMs: 2 * minute,
  /** Values that a holder says that it has, and does not give, until it is not asked any more in that survey. */
  valuesWithheld: 64,
  /** Values in a row that a holder's disk fails to keep, until it is given no more in that survey: each may have been sent. */
  valuesFailed: 2,
  /**
   * What was given to other holders and is lacking again is given once more, and then after a pause that doubles. So many
   * gifts are remembered, and for so long.
   */
  giftsRemembered: 65_536,
  giftMemoryMs: 2 * hour,
  giftPauseMs: 1 * minute,
  /** For how long others stand in for a holder that has refused a copy for want of room. */
  refusalMemoryMs: 10 * minute,
  /** The time until it is offered one all the same, which doubles with each that it refuses, up to half of the above. */
  refusalTrialMs: 30 * second,
  /** Ranges about which one side is asked in a comparison: more than ten million keys take that all differ. */
  rangesAsked: 262_144,
  /** Damaged values that are being replaced, of those that were found by reading them. */
  mendsAtOnce: 16,
  /** Bytes that a round of the scrub reads at least. */
  scrubRoundBytes: MiB,
  /** How much of the scrub's progress may be lost, in time. */
  scrubSaveMs: 10 * minute,
  /** How long one copy waits for clients that are being served, at most. */
  repairYieldMs: 250,
  /** Times that a round begins again because a peer was changing its pointers; then it waits for the next one. */
  roundAttempts: 4,
  /** Peers in a row that are asked, each nearer than the one before it, before the rest waits for the next round. */
  nearerPeersAtOnce: 16,
  /** Peers of which it is remembered when they were heard: neighbours, and whoever else asks or is asked. */
  contacts: 1024,
  /** A record's kind and name. */
  recordNameBytes: 255,
  /** A record's value: what is left of a record beside its names, numbers and signature. */
  recordValueBytes: 63 * KiB,
  /** Places on the ring that one peer certificate may carry (virtual nodes): they fit a certificate twice over. */
  certificateNonces: 64,
  /** How long a peer's or device's certificate is good for. */
  certificateValidityMs: 365 * day,
  /** A certificate is good from this long before it was made, for machines whose clocks are behind. */
  certificateBackdateMs: 1 * day,
  /** Addresses in an invite: one and its stand-ins, and the line still fits a message. */
  inviteAddresses: 4,
  /** An invite's line. */
  inviteTextBytes: 4 * KiB,
  /** The longest that an invite may wait to be used. */
  inviteLifetimeMs: 30 * day,
  /** Invites that a peer keeps in mind, used ones included. */
  invitesKept: 1024,
  /** How long an expired invite is kept, so that whoever comes late is told what happened. */
  inviteRetentionMs: 7 * day,
  /** Users of a ring. Their list is written whole with each new one, in a few milliseconds. */
  users: 10_000,
  /** The file with a peer's invites and its list of users. */
  ledgerBytes: 4 * MiB,
  /** A key, certificate or key file: all are a few KiB. */
  identityFileBytes: 64 * KiB,
  /** A passphrase. */
  passphraseBytes: 4 * KiB,
  /** Argon2id for new key files: RFC 9106, section 4, second option, with the one lane that libsodium has. */
  passphraseMemoryBytes: 64 * MiB,
  passphrasePasses: 3,
  /** Argon2id that a key file may ask for: a file from elsewhere must not take the machine's memory or its day. */
  passphraseMemoryMinBytes: 8 * MiB,
  passphraseMemoryMaxBytes: 512 * MiB,
  passphrasePassesMax: 16,
  /** Connections that one listener accepts: a ring of 256 remembered peers and some thousands of clients. */
  acceptedConnections: 4096,
  /** Connections that calls keep open at once; one to each of `rememberedPeers` and room for lookups. */
  pooledConnections: 1024,
  /** When to come back after BUSY: some hundred requests later on a busy peer. */
  busyRetryAfterMs: 100,
  /** The longest wait that an error on the wire may ask for. */
  retryAfterMaxMs: 10 * minute,
  /** How long a closed connection may linger, so that what was written last still arrives. */
  closeLingerMs: 1 * second,
  /** A connection whose other side takes nothing for this long is closed. */
  writeStallMs: 30 * second,
  /** Names that a scan asks the file system about at the same time: keeps Node's threads busy, costs little memory. */
  scanLookupsAtOnce: 64,
  /** Files that a restore writes at the same time. Each may hold a few chunks of content on its way. */
  restoreFilesAtOnce: 16,
  /** A larger file counts as {@link restoreLargeFileWeight} small ones in that number. */
  restoreSmallFileBytes: 1 * MiB,
  /** Two large files at a time: one is written while the other is fetched. */
  restoreLargeFileWeight: 8,
  /** Zeros in a row that become a hole of a restored file. Shorter holes cost more in fragments than they save. */
  holeBytes: 64 * KiB,
  /** A path in a restore. No system takes one as long; a hostile archive must not make us build longer ones. */
  pathBytes: 32 * KiB,
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
  /**
   * A prune spares what was stored or asked for within this time. So a snapshot whose blocks were all touched within half of
   * it, before its record is written, is seen by every prune that could take any of them.
   */
  touchLeaseMs: 6 * hour,
  /** What a prune remembers of the blocks that are needed: 27 bits for each of ten million. */
  pruneFilterBytes: 32 * MiB,
  /**
   * Where a peer has not seen more than half of the machines of these two weeks for these ten minutes, users give nothing up
   * (src/node/majority.ts). Two weeks: longer than most people leave machines to themselves, and twice as long as what was
   * given up by mistake lies in the trash. Ten minutes: a client asks all peers, reads its lists and asks all once more within them.
   */
  majorityOfMs: 14 * day,
  majorityHoldMs: 10 * minute,
  /** Records of which a client remembers the highest number: its profile and the lists of all its devices, several times. */
  seenRecords: 1024,
  /** Answers of one peer to what a user has there: each is about a thousand keys, so that is more than fit any disk. */
  ownBlocksAnswers: 100_000,
  /** How much earlier than by its own clock a holder notes a touch that another one names: what a request may take. */
  touchBehindMs: 5 * minute,
  /** How long a forgotten snapshot stays in the lists. It can be brought back until a day before. */
  forgottenKeptMs: 30 * day,
  undeleteMs: 29 * day,
  /** The target of a symbolic link, and a path of a snapshot: PATH_MAX of Linux. */
  recordedPathBytes: 4 * KiB,
  /** The text that ties the names of one file together. */
  linkGroupBytes: 128,
  /** Texts of a snapshot: the host's name and each tag. */
  snapshotTextBytes: 255,
  /** Paths of one snapshot, and tags. A snapshot has to fit a chunk of the catalog. */
  snapshotPaths: 32,
  snapshotTags: 64,
  /** Bytes that a writer holds between reading them and the ring's answer. */
  archiveBytesInFlight: 32 * MiB,
  /** Plaintext of trees and lists that waits for the packs it refers to. */
  archiveDraftBytes: 8 * MiB,
  /** Plaintext of trees and lists in one open pack: kept until it closes, to name them by where they are. */
  archivePackPlainBytes: 16 * MiB,
  /** Chunks of one file on their way while the next is read. */
  archiveChunksAhead: 16,
  /** Threads that help a backup, at most: there is one less than there are cores. Each takes about 30 MB. */
  backupThreads: 2,
  /** They are started when so many bytes have been sealed without them; a small file that is read counts as some. */
  threadsFromBytes: 4 * MiB,
  threadsFileBytes: 32 * KiB,
  /** Confirmations that a writer remembers: beyond, it asks again. */
  archiveConfirmations: 65_536,
  /** Blocks that a reader keeps whole, in bytes, and the blocks it remembers having read a part of. */
  archiveCacheBytes: 64 * MiB,
  archiveSeenBlocks: 4096,
  /** A sealed chunk from this size on is read by its range even from a pack: it is most of the pack. */
  archiveRangeReadBytes: 1 * MiB,
  /** Bytes of chunks, sealed or opened, whichever are more, that a reader asks for ahead of its consumer. */
  archiveReadAheadBytes: 16 * MiB,
  /** Users that one block may belong to, or did lately: what is known of them fits a few pages of the index. */
  ownersPerBlock: 1024,
  /** How far ahead another machine's clock may be: a time zone set wrong. Times beyond the end of that day count as today. */
  clockSkewMs: 1 * day,
  /** By how much the own clock may go on more or less than time does before nothing is removed by it for so long. The
   * first is more than a night that a machine sleeps, and than times from other clocks that are believed; the second is
   * longer than a time server that is asked several times an hour stays wrong. */
  clockJumpMs: 2 * day,
  clockDoubtMs: 6 * hour,
  /** How long it is remembered that a block was released: a peer that was away for longer may bring it back. */
  tombstoneMs: 90 * day,
  /** Files that a store reads or writes at the same time; each may hold a block in memory. */
  storeFileOperations: 16,
  /** What a value counts for in a store's capacity, at least: its file takes a block of the disk and an inode. */
  storedValueBytesMin: 4 * KiB,
  /** A store says that it is nearly full when less than this is left of its capacity, as a share of it; or less than this
   * of the file system: what a neighbour's lost disk may bring in within minutes. */
  capacityLeftShare: 0.1,
  diskLeftBytes: 1024 * MiB,
  /** Files that a disk could not read or write, within this time, before it is to be replaced: a single bad sector is
   * mended. */
  diskErrorFiles: 3,
  diskErrorsMs: 1 * day,
  /** Files with errors that are remembered for that. */
  diskErrorsKept: 1024,
  /** Damaged values of which it is remembered that they are to be mended, for the count of those that were. */
  damagedKept: 65_536,
  /** The time over which the rate of repair is taken: long enough to bridge a few large blocks on a slow link. */
  repairRateMs: 1 * minute,
  /** Changes in one commit of a store's index: a full HasBlocks touches this many entries. */
  indexCommitChanges: 1024,
  /** Starts that may end inside the reading of the index before it counts as unreadable: 1 may be a power cut. */
  indexOpenAttempts: 3,
  /** Runs that may end without closing their cache before it counts as what ended them: 1 was killed or lost its power. */
  cacheUncleanEnds: 2,
  /** Entries of a cache that are committed together, and after how long fewer are. */
  cacheCommitEntries: 1024,
  cacheCommitMs: 5 * second,
  /** Entries that wait for their commit, or that a cache without a disk remembers; about 30 MiB. */
  cacheWaitingEntries: 65_536,
  /** A cache's file. One that has grown beyond begins anew: it may hold what nobody has asked for in years. */
  cacheFileBytes: 4096 * MiB,
  /** How long a start waits for another one that is opening the same cache. */
  cacheOpenWaitMs: 10 * second,
});
