/**
 * The catalogue of requests: every method with its request, its answer, who may call it, the body that goes with it
 * and the time it is given. Handlers are in src/node/handlers, one file each; docs/protocol.md says the same in prose.
 */
import {
  binary,
  boolean,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  printable,
  struct,
} from '../base/codec.js';
import { limits } from '../base/limits.js';
import { idCodec } from '../ring/identifier.js';
import { peerCodec } from '../ring/peer-codec.js';
import { method, type MethodSpec } from './method-spec.js';

const nothing = struct({});
const peers = list(peerCodec, limits.successorListLength + 1);
const timeMs = integer(0, Number.MAX_SAFE_INTEGER);
const sizeBytes = integer(0, Number.MAX_SAFE_INTEGER);
/** Bytes of what stands for a key and what is known of it, and for a range of keys. */
export const keyDigestBytes = 16;

const fingerprint = struct({ count: sizeBytes, sum: binary(keyDigestBytes) });
const keyItem = struct({ id: idCodec, kind: oneOf('block', 'record'), digest: binary(keyDigestBytes) });
/** "The bytes came wrong before: check them first." A peer leaves that to those who get them otherwise, for they do it anyway. */
const isDoubted = optional(boolean);
const blockState = struct({
  sizeBytes: integer(0, limits.blockBytes),
  ownerships: list(
    struct({ owner: idCodec, touchedAtMs: timeMs, releasedAtMs: timeMs }),
    limits.ownersPerBlock,
  ),
});

export const methods = {
  /** Is the peer there? Answered at once, whatever else it is doing. */
  ping: method({ request: nothing, response: nothing, callers: ['peer', 'user'], lane: 'ring' }),

  /**
   * One step of a lookup. `found`: `peers` begins with the peer responsible for `key` and goes on with its successors,
   * as far as the answering peer knows. Otherwise `peers` are closer to the key than the answering peer, best first;
   * `after` is what its list names from the key on, and `predecessor` who is before it.
   */
  successor: method({
    request: struct({ key: idCodec }),
    response: struct({
      found: boolean,
      peers: list(peerCodec, limits.lookupCandidates),
      after: optional(peers),
      predecessor: optional(peerCodec),
    }),
    callers: ['peer', 'user'],
    lane: 'ring',
  }),

  /** The peer's predecessor, or null while it knows none. */
  predecessor: method({
    request: nothing,
    response: struct({ predecessor: nullable(peerCodec) }),
    callers: ['peer', 'user'],
    lane: 'ring',
  }),

  /**
   * The peer's pointers as of one moment: what stabilize, join and a look at the ring need. Who has `seen` them, by their
   * tag (src/node/neighbourhood.ts), is only told so where they are the same: `isSame`, and nothing but `self` counts.
   */
  successorList: method({
    request: struct({ seen: optional(binary(limits.pointersTagBytes)) }),
    response: struct({
      self: peerCodec,
      predecessor: nullable(peerCodec),
      successors: peers,
      isSame: optional(boolean),
    }),
    callers: ['peer', 'user'],
    lane: 'ring',
  }),

  /** "I may be your predecessor." The caller has to be `peer`. */
  notify: method({
    request: struct({ peer: peerCodec }),
    response: nothing,
    callers: ['peer'],
    lane: 'ring',
  }),

  /** "I may be your first successor, or I am and my pointers have changed: ask me." The caller has to be `peer`. */
  announce: method({
    request: struct({ peer: peerCodec }),
    response: nothing,
    callers: ['peer'],
    lane: 'ring',
  }),

  /**
   * Whether a suspect lives. The accuser asks a witness, which asks the suspect by the same method; the suspect answers, and
   * shows the accuser that it lives. An accuser speaks for itself; NOT_FOUND when the witness does not know the suspect.
   */
  probe: method({
    request: struct({ suspect: peerCodec, accuser: peerCodec }),
    response: struct({ isAlive: boolean }),
    callers: ['peer'],
    lane: 'ring',
  }),

  /**
   * "I am coming into the ring: take me into your list." The caller has to be `peer`. Answered with the pointers as they
   * were before; `isInside`: whether the answering peer speaks for the ring itself; `life`: a number that it draws when it
   * starts, so that a caller notices that it has restarted between two answers; `absent`: where it sees the whole ring,
   * those that it remembers besides (src/node/remembered-peers.ts).
   */
  introduce: method({
    request: struct({ peer: peerCodec }),
    response: struct({
      self: peerCodec,
      predecessor: nullable(peerCodec),
      successors: peers,
      isInside: boolean,
      life: integer(0, 0xffff_ffff),
      absent: peers,
    }),
    callers: ['peer'],
    lane: 'ring',
  }),

  /**
   * The peers that the peer knows behind a place on the ring, in order, once round at most: what a newcomer begins with.
   * Hearsay: some may be gone, and some be missing.
   */
  knownPeers: method({
    request: struct({ after: idCodec }),
    response: struct({ peers: list(peerCodec, limits.knownPeersPage) }),
    callers: ['peer', 'user'],
    lane: 'ring',
  }),

  /** The distinct peers that the fingers point to, nearest first. */
  fingerTable: method({
    request: nothing,
    response: struct({ fingers: list(peerCodec, limits.fingers) }),
    callers: ['peer', 'user'],
    lane: 'ring',
  }),

  /**
   * "I am leaving": the caller's neighbours close the gap at once. The caller has to be `peer`. `isForGood`: it hands over
   * what it holds, and nobody is to wait until it is back.
   */
  leave: method({
    request: struct({ peer: peerCodec, isForGood: optional(boolean) }),
    response: nothing,
    callers: ['peer'],
    lane: 'ring',
  }),

  /**
   * Keeps a block; the body is its bytes. From a user: the peer responsible for `id` also hands it to the other
   * holders, and answers when a majority of them has it on disk. From a peer: it is kept here, for `owner`, who touched
   * it at `touchedAtMs` by the clock of the peer responsible for it.
   */
  postBlock: method({
    request: struct({ id: idCodec, owner: optional(idCodec), touchedAtMs: optional(timeMs) }),
    response: struct({ isNew: boolean, copies: integer(1, limits.replicasMax) }),
    callers: ['peer', 'user'],
    requestBodyBytes: limits.blockBytes,
    timeoutMs: 60_000,
    lane: 'data',
  }),

  /** A block's bytes, or `length` of them from `offset`. NOT_FOUND when this peer does not hold it. */
  getBlock: method({
    request: struct({
      id: idCodec,
      offset: optional(integer(0, limits.blockBytes)),
      length: optional(integer(0, limits.blockBytes)),
      isDoubted,
    }),
    response: struct({ sizeBytes }),
    callers: ['peer', 'user'],
    responseBodyBytes: limits.blockBytes,
    timeoutMs: 60_000,
    lane: 'data',
  }),

  /**
   * Which of these blocks are kept. A hit touches: a delete that was decided before now spares it, and the user counts
   * as an owner. From a user, true means that a majority of the holders has it; from a peer, that this peer has it.
   */
  hasBlocks: method({
    request: struct({
      ids: list(idCodec, limits.hasBlocksIds),
      owner: optional(idCodec),
      touchedAtMs: optional(timeMs),
    }),
    response: struct({ present: list(boolean, limits.hasBlocksIds) }),
    callers: ['peer', 'user'],
    lane: 'data',
  }),

  /**
   * Gives up a user's ownership of a block, unless it was touched after `liveSetAtMs`, when the caller took stock of
   * what it still needs. Without owners the block goes to the trash.
   */
  deleteBlock: method({
    request: struct({ id: idCodec, liveSetAtMs: timeMs, owner: optional(idCodec) }),
    response: struct({ released: boolean }),
    callers: ['peer', 'user'],
    lane: 'data',
  }),

  /**
   * The blocks of the calling user, from an id on, in order, as far as the answering peer is responsible for them: all up to
   * `upTo`, which goes on behind it. `nowMs`: the clock by which their touches are noted here.
   */
  ownBlocks: method({
    request: struct({ first: idCodec }),
    response: struct({
      blocks: list(struct({ id: idCodec, sizeBytes, touchedAtMs: timeMs }), limits.ownBlocks),
      upTo: idCodec,
      nowMs: timeMs,
    }),
    callers: ['user'],
    lane: 'data',
  }),

  /** Keeps a signed record (the body), as postBlock does a block. CONFLICT names the sequence number that is held. */
  postRecord: method({
    request: struct({ id: idCodec }),
    response: struct({ copies: integer(1, limits.replicasMax) }),
    callers: ['peer', 'user'],
    requestBodyBytes: limits.recordBytes,
    lane: 'data',
  }),

  /** The record that this peer holds under an id, a tombstone included. NOT_FOUND when there is none. */
  getRecord: method({
    request: struct({ id: idCodec }),
    response: nothing,
    callers: ['peer', 'user'],
    responseBodyBytes: limits.recordBytes,
    lane: 'data',
  }),

  /** Replaces a record by its tombstone: a record signed like any other, marked deleted (the body). */
  deleteRecord: method({
    request: struct({ id: idCodec }),
    response: struct({ copies: integer(1, limits.replicasMax) }),
    callers: ['peer', 'user'],
    requestBodyBytes: limits.recordBytes,
    lane: 'data',
  }),

  /**
   * In what the answering peer differs from the caller, range by range: nothing; or the fingerprints of the parts of the
   * range; or, where it has few keys in it, all of them (src/node/repair/comparison.ts).
   */
  compareRanges: method({
    request: struct({
      ranges: list(
        struct({ first: idCodec, last: idCodec, count: sizeBytes, sum: binary(keyDigestBytes) }),
        limits.comparedRanges,
      ),
    }),
    response: struct({
      answers: list(
        struct({
          kind: oneOf('same', 'parts', 'items'),
          parts: optional(list(fingerprint, limits.partsOfRange)),
          items: optional(list(keyItem, limits.itemsOfRange)),
        }),
        limits.comparedRanges,
      ),
    }),
    callers: ['peer'],
    lane: 'data',
  }),

  /** Which of these very copies, as they are, the answering peer has. */
  heldItems: method({
    request: struct({ items: list(keyItem, limits.heldItems) }),
    response: struct({ held: list(boolean, limits.heldItems) }),
    callers: ['peer'],
    lane: 'data',
  }),

  /** What a holder knows of a block, and its bytes if they are asked for and it has them. NOT_FOUND when it knows nothing. */
  getCopy: method({
    request: struct({ id: idCodec, withBytes: boolean, isDoubted }),
    response: struct({ state: blockState, hasBytes: boolean }),
    callers: ['peer'],
    responseBodyBytes: limits.blockBytes,
    timeoutMs: 60_000,
    lane: 'data',
  }),

  /**
   * What the caller knows of a block: the answering peer adds it to what it knows itself. `needsBytes`: it would have to
   * keep the block and has not got it; then nothing has changed. `fromTrash`: the caller's trash has the bytes, and the other
   * one's is to have them, too.
   */
  keepCopy: method({
    request: struct({ id: idCodec, state: blockState, hasBytes: boolean, fromTrash: optional(boolean) }),
    response: struct({ needsBytes: boolean }),
    callers: ['peer'],
    requestBodyBytes: limits.blockBytes,
    timeoutMs: 60_000,
    lane: 'data',
  }),

  /** Trades an invite for a certificate. The one method for callers without one. */
  enroll: method({
    request: struct({
      kind: oneOf('peer', 'user'),
      /** The invite's one-time secret. */
      secret: binary(32),
      /** The Ed25519 public key of the peer, or of the user's device. The signature below proves its possession. */
      publicKey: binary(32),
      /** For a user: the user's own Ed25519 public key. */
      userKey: optional(binary(32)),
      /** By `publicKey`, over the statement that src/identity/enrollment.ts describes. */
      signature: binary(64),
      /** For a user: by `userKey`, over the same statement. */
      userSignature: optional(binary(64)),
    }),
    response: struct({
      /** The new certificate, DER. */
      certificate: binary(1, limits.certificateBytes),
      /** The ring authority's own certificate, DER. The invite's fingerprint says whether it is the right one. */
      authority: binary(1, limits.certificateBytes),
      /** Peers to begin with. */
      peers: list(peerCodec, limits.successorListLength + 1),
    }),
    callers: ['stranger', 'peer', 'user'],
    lane: 'data',
  }),

  /**
   * What the peer says of itself; `usedBytes` is the caller's share when the caller is a user. `short`: the keys of
   * `keysShort`, by how many copies are left; `owedBytes`: what is to be moved until all have theirs; `disk`: how its disk
   * is, in one word or two, and since when unless it is fine; `lookedAtMs`: when it last compared all its keys with all their
   * holders, absent while it has not since it started: until then its `keysShort` says little.
   */
  status: method({
    request: nothing,
    response: struct({
      self: peerCodec,
      version: printable(64),
      keys: sizeBytes,
      bytes: sizeBytes,
      capacityBytes: nullable(sizeBytes),
      keysShort: sizeBytes,
      replicas: integer(1, limits.replicasMax),
      usedBytes: sizeBytes,
      quotaBytes: nullable(sizeBytes),
      short: optional(
        list(struct({ copies: integer(0, limits.replicasMax), keys: sizeBytes }), limits.replicasMax + 1),
      ),
      owedBytes: optional(sizeBytes),
      disk: optional(struct({ state: printable(32), sinceMs: nullable(timeMs) })),
      lookedAtMs: optional(timeMs),
    }),
    callers: ['peer', 'user'],
    lane: 'data',
  }),
} as const;

/** The name of a method, as it stands in a frame. */
export type MethodName = keyof typeof methods;
export type RequestOf<M extends MethodName> =
  (typeof methods)[M] extends MethodSpec<infer Request, infer _Response> ? Request : never;
export type ResponseOf<M extends MethodName> =
  (typeof methods)[M] extends MethodSpec<infer _Request, infer Response> ? Response : never;

/** Whether a text from a frame names a method. */
export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methods, name);
}
