/** For every method a few requests with their answers: a method without one does not compile. */
import { utf8 } from '../../src/base/bytes.js';
import { hashToId } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { MethodName, RequestOf, ResponseOf } from '../../src/wire/catalogue.js';

const id = hashToId(utf8('a key'));
const other = hashToId(utf8('another key'));
const peer: PeerRef = { id, machine: other, address: 'attic:3001', zone: 'house' };
const digest = new Uint8Array(16).fill(7);
const item = { id, kind: 'block', digest } as const;
const state = { sizeBytes: 4096, ownerships: [{ owner: other, touchedAtMs: 5, releasedAtMs: 0 }] };
const key = new Uint8Array(32).fill(3);
const signature = new Uint8Array(64).fill(4);
const pointers = { self: peer, predecessor: null, successors: [peer] };

interface Sample<M extends MethodName> {
  readonly request: RequestOf<M>;
  readonly response: ResponseOf<M>;
}

export const samples: { readonly [M in MethodName]: readonly Sample<M>[] } = {
  ping: [{ request: {}, response: {} }],
  successor: [
    { request: { key: id }, response: { found: true, peers: [peer] } },
    { request: { key: other }, response: { found: false, peers: [], after: [peer], predecessor: peer } },
  ],
  predecessor: [
    { request: {}, response: { predecessor: null } },
    { request: {}, response: { predecessor: peer } },
  ],
  successorList: [
    { request: {}, response: pointers },
    { request: { seen: digest.slice(0, 8) }, response: { ...pointers, isSame: true } },
  ],
  notify: [{ request: { peer }, response: {} }],
  announce: [{ request: { peer }, response: {} }],
  probe: [{ request: { suspect: peer, accuser: peer }, response: { isAlive: true } }],
  introduce: [{ request: { peer }, response: { ...pointers, isInside: true, life: 9, absent: [peer] } }],
  knownPeers: [{ request: { after: id }, response: { peers: [peer, peer] } }],
  fingerTable: [{ request: {}, response: { fingers: [peer] } }],
  leave: [{ request: { peer, isForGood: true }, response: {} }],
  postBlock: [{ request: { id, owner: other, touchedAtMs: 5 }, response: { isNew: true, copies: 3 } }],
  getBlock: [
    { request: { id }, response: { sizeBytes: 1 } },
    { request: { id, offset: 1, length: 2, isDoubted: true }, response: { sizeBytes: 4096 } },
  ],
  hasBlocks: [{ request: { ids: [id, other], owner: other }, response: { present: [true, false] } }],
  deleteBlock: [{ request: { id, liveSetAtMs: 6, owner: other }, response: { released: true } }],
  ownBlocks: [
    {
      request: { first: id },
      response: { blocks: [{ id, sizeBytes: 4096, touchedAtMs: 5 }], upTo: other, nowMs: 7 },
    },
  ],
  postRecord: [{ request: { id }, response: { copies: 2 } }],
  getRecord: [{ request: { id }, response: {} }],
  deleteRecord: [{ request: { id }, response: { copies: 2 } }],
  compareRanges: [
    {
      request: { ranges: [{ first: id, last: other, count: 1, sum: digest }] },
      response: {
        answers: [
          { kind: 'same' },
          { kind: 'parts', parts: [{ count: 1, sum: digest }] },
          { kind: 'items', items: [item] },
        ],
      },
    },
  ],
  heldItems: [{ request: { items: [item] }, response: { held: [true] } }],
  getCopy: [{ request: { id, withBytes: true, isDoubted: true }, response: { state, hasBytes: true } }],
  keepCopy: [{ request: { id, state, hasBytes: false, fromTrash: true }, response: { needsBytes: true } }],
  enroll: [
    {
      request: {
        kind: 'user',
        secret: key,
        publicKey: key,
        userKey: key,
        signature,
        userSignature: signature,
      },
      response: { certificate: key, authority: key, peers: [peer] },
    },
  ],
  status: [
    {
      request: {},
      response: {
        self: peer,
        version: '0.1.0',
        keys: 1,
        bytes: 4096,
        capacityBytes: null,
        keysShort: 0,
        replicas: 3,
        usedBytes: 0,
        quotaBytes: null,
        short: [{ copies: 1, keys: 2 }],
        owedBytes: 10,
        disk: { state: 'fine', sinceMs: null },
        lookedAtMs: 8,
      },
    },
  ],
};
