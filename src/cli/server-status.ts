/** What `peerstore-server status` shows. */
import { version } from '../base/version.js';
import type { NodeStatus } from '../node/node.js';
import { showCount, showSize } from './units.js';

/** The JSON that scripts read. Ids are 64 hexadecimal digits, sizes bytes. */
export interface ServerStatus {
  readonly id: string;
  readonly address: string;
  readonly zone: string | null;
  readonly predecessor: string | null;
  readonly successors: readonly string[];
  readonly fingers: readonly string[];
  readonly keys: number;
  readonly bytes: number;
  readonly capacityBytes: number | null;
  readonly keysShort: number;
  readonly damaged: number;
  readonly replicas: number;
  readonly requests: { readonly running: number; readonly waiting: number; readonly refused: number };
  readonly version: string;
}

export function serverStatus(status: NodeStatus): ServerStatus {
  return {
    id: status.self.id,
    address: status.self.address,
    zone: status.self.zone ?? null,
    predecessor: status.predecessor?.id ?? null,
    successors: status.successors.map(({ id }) => id),
    fingers: status.fingers.map(({ id }) => id),
    keys: status.keys,
    bytes: status.bytes,
    capacityBytes: status.capacityBytes,
    keysShort: status.keysShort,
    damaged: status.damaged,
    replicas: status.replicas,
    requests: status.pool,
    version,
  };
}

/** The same, for people. */
export function showServerStatus(status: ServerStatus): string {
  const of = status.capacityBytes === null ? '' : ` of ${showSize(status.capacityBytes)}`;
  const rows: readonly (readonly [string, string])[] = [
    ['id', status.id],
    ['address', status.zone === null ? status.address : `${status.address} in ${status.zone}`],
    ['predecessor', status.predecessor ?? 'none: this peer is alone'],
    [
      'successors',
      status.successors.length === 0 ? 'none: this peer is alone' : status.successors.join('\n  '),
    ],
    ['fingers', showCount(status.fingers.length, 'distinct peer')],
    ['held', `${showCount(status.keys, 'key')}, ${showSize(status.bytes)}${of}`],
    [
      'copies',
      status.keysShort === 0
        ? `${status.replicas} of each key wanted; none is short`
        : `${status.replicas} of each key wanted; ${showCount(status.keysShort, 'key')} short: too few machines in the ring`,
    ],
    ['damaged', status.damaged === 0 ? 'nothing found' : `${showCount(status.damaged, 'block')} set aside`],
    [
      'requests',
      `${status.requests.running} running, ${status.requests.waiting} waiting, ${status.requests.refused} refused`,
    ],
    ['version', status.version],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`).join('\n');
}
