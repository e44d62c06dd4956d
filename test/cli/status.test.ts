import { expect } from 'chai';

import { showRingStatus } from '../../src/cli/client/status.js';
import { type ServerStatus, serverStatus, showServerStatus } from '../../src/cli/server-status.js';
import type { PeerStatus, RingStatus } from '../../src/client/ring-status.js';
import type { NodeStatus } from '../../src/node/node.js';
import type { RepairStatus } from '../../src/node/repair/repair.js';
import { hashToId } from '../../src/ring/identifier.js';
import { fineDisk } from '../store/store.conformance.js';

const MiB = 1024 ** 2;
const id = hashToId(Buffer.from('peer'));

const idle: RepairStatus = {
  short: [],
  keysShort: 0,
  owedBytes: 0,
  movedBytes: 0,
  bytesPerS: null,
  secondsLeft: 0,
  isAtWork: false,
  lookedAtMs: null,
};
const node: NodeStatus = {
  self: { id, machine: id, address: '127.0.0.1:1' },
  predecessor: null,
  successors: [],
  fingers: [],
  keys: 3,
  bytes: 5 * MiB,
  capacityBytes: null,
  damaged: 0,
  mended: 0,
  disk: fineDisk,
  replicas: 3,
  isLeaving: false,
  pool: { running: 0, waiting: 0, refused: 0 },
};

describe('what peerstore-server status shows', () => {
  const statusOf = (ofNode: Partial<NodeStatus>, repair: Partial<RepairStatus> = {}): ServerStatus =>
    serverStatus({ ...node, ...ofNode }, { ...idle, ...repair }, undefined);
  /** What stands behind a name. */
  const row = (name: string, status: ServerStatus): string =>
    showServerStatus(status)
      .split('\n')
      .find((line) => line.startsWith(`${name} `))!
      .slice(13);

  it('is short of a peer where nothing is the matter', () => {
    const status = statusOf({});
    expect(row('disk', status)).to.equal('fine');
    expect(row('repair', status)).to.equal('nothing to do; 0 B moved since the start');
    expect(row('damaged', status)).to.equal('nothing found');
    expect(status).to.deep.include({ mended: 0, repairSecondsLeft: 0, repairBytesPerSecond: null });
    expect(status.disk).to.deep.equal({ state: 'fine', since: null, reason: null, advice: null, errors: 0 });
  });

  it('tells of a peer that leaves what it has still to hand over', () => {
    const status = statusOf({ isLeaving: true }, { movedBytes: 2 * MiB });
    expect(status.leaving).to.equal(true);
    expect(row('repair', status)).to.equal(
      'leaving for good: 3 keys to hand over; 2.00 MiB moved since the start',
    );
  });

  it('calls a peer alone that has no successors, and no other', () => {
    const alone = 'none: this peer is alone';
    const [status, among] = [statusOf({}), statusOf({ successors: [node.self] })];
    expect([row('predecessor', status), row('successors', status)]).to.deep.equal([alone, alone]);
    expect([row('predecessor', among), row('successors', among)]).to.deep.equal(['not known just now', id]);
    expect(row('predecessor', statusOf({ successors: [node.self], predecessor: node.self }))).to.equal(id);
  });

  it('names the state of the disk, since when, why, and what to do', () => {
    const disk = { state: 'failing', sinceMs: 0, reason: 'EIO', advice: 'replace it', errors: 1 } as const;
    expect(row('disk', statusOf({ disk }))).to.equal(
      'failing since 1970-01-01T00:00:00.000Z: EIO; replace it',
    );
    expect(statusOf({ disk }).disk).to.deep.include({ state: 'failing', since: '1970-01-01T00:00:00.000Z' });
    expect(row('disk', statusOf({ disk: { ...fineDisk, errors: 2 } }))).to.equal(
      'fine; errors with 2 files within the last day',
    );
  });

  for (const [what, repair, shown] of [
    [
      'when it will be done, while it is at work',
      { owedBytes: 1200 * MiB, movedBytes: 300 * MiB, bytesPerS: 20 * MiB, secondsLeft: 60, isAtWork: true },
      'at work; 1.17 GiB owed, 20.0 MiB/s, about 1 min 0 s left; 300 MiB moved since the start',
    ],
    [
      'what is owed, while there is no rate to tell by',
      { owedBytes: MiB, secondsLeft: null },
      'waiting for its next round; 1.00 MiB owed; 0 B moved since the start',
    ],
  ] as const) {
    it(`says of repair ${what}`, () => {
      expect(row('repair', statusOf({}, repair))).to.equal(shown);
    });
  }

  it('counts what was damaged, and what of it is mended', () => {
    expect(row('damaged', statusOf({ damaged: 3, mended: 2 }))).to.equal('3 values set aside, 2 mended');
  });
});

describe('what peerstore-client status shows', () => {
  const peer: PeerStatus = {
    id,
    address: '127.0.0.1:1',
    zone: null,
    alive: true,
    problem: null,
    keys: 3,
    bytes: 5 * MiB,
    keysShort: 0,
    keysLookedAt: '2026-11-21T22:00:00.000Z',
    disk: { state: 'fine', since: null },
  };
  const ring: RingStatus = {
    peers: [peer],
    keysShort: 0,
    keysShortKnown: true,
    short: [],
    owedBytes: 0,
    usedBytes: MiB,
    quotaBytes: null,
    replicas: 3,
  };

  it('is a line for each peer, one for the copies and one for the user', () => {
    expect(showRingStatus(ring)).to.deep.equal([
      `${id.slice(0, 12)}  127.0.0.1:1  3 keys, 5.00 MiB`,
      'copies: 3 of each key wanted; no key is short of copies as far as the peers can tell',
      'you use 1.00 MiB, all copies counted',
    ]);
  });

  it('says of keys that are short of copies how many are left, and what is owed', () => {
    const short = [
      { copies: 1, keys: 2 },
      { copies: 2, keys: 1000 },
    ];
    expect(showRingStatus({ ...ring, keysShort: 1002, short, owedBytes: 3 * MiB }).at(-2)).to.equal(
      'copies: 3 of each key wanted; 1,002 keys short of copies: 2 keys with one left, 1,000 keys with 2 left; 3.00 MiB owed',
    );
  });

  it('does not say that no key is short before all peers have looked, and have said so', () => {
    const fresh = { ...peer, keysLookedAt: null };
    const silent = { ...fresh, alive: false, problem: 'nobody there', disk: null };
    const shown = (peers: readonly PeerStatus[], more: Partial<RingStatus> = {}): string =>
      showRingStatus({ ...ring, peers, keysShortKnown: false, ...more })
        .at(-2)!
        .slice('copies: 3 of each key wanted; '.length);
    const notKnown = 'whether any key is short of copies is not known yet: ';
    expect(shown([peer, fresh])).to.equal(`${notKnown}1 peer has not compared its keys`);
    expect(shown([fresh, fresh, silent])).to.equal(
      `${notKnown}2 peers have not compared their keys, no answer from ${id.slice(0, 12)}`,
    );
    const short = { keysShort: 2, short: [{ copies: 1, keys: 2 }], owedBytes: MiB };
    expect(shown([peer, silent], short)).to.equal(
      `2 keys short of copies: 2 keys with one left; 1.00 MiB owed; whether more are is not known yet: no answer from ${id.slice(0, 12)}`,
    );
  });

  it('names the peers whose disks are in trouble', () => {
    const failing = { ...peer, disk: { state: 'failing', since: '2026-11-21T22:00:00.000Z' } };
    const silent = { ...peer, disk: null };
    expect(showRingStatus({ ...ring, peers: [peer, failing, silent] }).slice(0, 4)).to.deep.equal([
      `${id.slice(0, 12)}  127.0.0.1:1  3 keys, 5.00 MiB`,
      `${id.slice(0, 12)}  127.0.0.1:1  3 keys, 5.00 MiB; its disk is failing since 2026-11-21T22:00:00.000Z`,
      `${id.slice(0, 12)}  127.0.0.1:1  3 keys, 5.00 MiB`,
      'disks: 1 peer in trouble; peerstore-server status there says what to do',
    ]);
  });
});
