/** What `peerstore-server status` shows. */
import { version } from '../base/version.js';
import type { NodeStatus } from '../node/node.js';
import type { RepairStatus } from '../node/repair/repair.js';
import type { ScrubProgress } from '../node/repair/scrubber.js';
import { showShortage } from './shortage.js';
import { showCount, showDuration, showSize } from './units.js';

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
  readonly disk: {
    /** `fine`, `nearly full`, `full`, `read-only` or `failing`. */
    readonly state: string;
    /** Since when, ISO; null while it is fine, as are the next two. */
    readonly since: string | null;
    readonly reason: string | null;
    /** What to do now. */
    readonly advice: string | null;
    /** Files with errors of the disk within the last day. */
    readonly errors: number;
  };
  readonly keysShort: number;
  /** The same, by how many copies are left. */
  readonly short: readonly { readonly copies: number; readonly keys: number }[];
  readonly owedBytes: number;
  readonly repairedBytes: number;
  /** Bytes that repair has moved a second lately, and in how many seconds it is done at that rate; null when not known. */
  readonly repairBytesPerSecond: number | null;
  readonly repairSecondsLeft: number | null;
  readonly repairing: boolean;
  /** Whether it has said goodbye for good, and hands over what it holds. */
  readonly leaving: boolean;
  /** When all keys were looked at last; ISO, null when they have not been yet. */
  readonly keysLookedAt: string | null;
  /** When everything had been read again last; ISO, null when that is still to come. */
  readonly lastScrub: string | null;
  readonly scrubbing: boolean;
  readonly damaged: number;
  /** Of these, those that are whole again. */
  readonly mended: number;
  readonly replicas: number;
  readonly requests: { readonly running: number; readonly waiting: number; readonly refused: number };
  readonly version: string;
}

export function serverStatus(
  status: NodeStatus,
  repair: RepairStatus,
  scrub: ScrubProgress | undefined,
): ServerStatus {
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
    disk: {
      state: status.disk.state,
      since: timeOf(status.disk.sinceMs),
      reason: status.disk.reason,
      advice: status.disk.advice,
      errors: status.disk.errors,
    },
    keysShort: repair.keysShort,
    short: repair.short,
    owedBytes: repair.owedBytes,
    repairedBytes: repair.movedBytes,
    repairBytesPerSecond: repair.bytesPerS === null ? null : Math.round(repair.bytesPerS),
    repairSecondsLeft: repair.secondsLeft,
    repairing: repair.isAtWork,
    leaving: status.isLeaving,
    keysLookedAt: timeOf(repair.lookedAtMs),
    lastScrub: timeOf(scrub?.endedAtMs ?? null),
    scrubbing: scrub !== undefined && scrub.next !== null,
    damaged: status.damaged,
    mended: status.mended,
    replicas: status.replicas,
    requests: status.pool,
    version,
  };
}

/** The same, for people. */
export function showServerStatus(status: ServerStatus): string {
  const of = status.capacityBytes === null ? '' : ` of ${showSize(status.capacityBytes)}`;
  const isAlone = status.successors.length === 0;
  const alone = 'none: this peer is alone';
  const rows: readonly (readonly [string, string])[] = [
    ['id', status.id],
    ['address', status.zone === null ? status.address : `${status.address} in ${status.zone}`],
    ['predecessor', status.predecessor ?? (isAlone ? alone : 'not known just now')],
    ['successors', isAlone ? alone : status.successors.join('\n  ')],
    ['fingers', showCount(status.fingers.length, 'distinct peer')],
    ['held', `${showCount(status.keys, 'key')}, ${showSize(status.bytes)}${of}`],
    ['disk', showDisk(status.disk)],
    [
      'copies',
      status.keysShort === 0
        ? `${status.replicas} of each key wanted; ${status.keysLookedAt === null ? 'not looked yet' : `none was short at ${status.keysLookedAt}`}`
        : `${status.replicas} of each key wanted; short of copies: ${showShortage(status.short)}`,
    ],
    ['repair', showRepair(status)],
    [
      'scrub',
      `${status.scrubbing ? 'at work' : 'waiting for its time'}; ${status.lastScrub === null ? 'not yet through once' : `through at ${status.lastScrub}`}`,
    ],
    [
      'damaged',
      status.damaged === 0
        ? 'nothing found'
        : `${showCount(status.damaged, 'value')} set aside, ${status.mended} mended`,
    ],
    [
      'requests',
      `${status.requests.running} running, ${status.requests.waiting} waiting, ${status.requests.refused} refused`,
    ],
    ['version', status.version],
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`).join('\n');
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function showDisk({ state, since, reason, advice, errors }: ServerStatus['disk']): string {
  if (since !== null) return `${state} since ${since}: ${reason ?? ''}; ${advice ?? ''}`;
  return errors === 0 ? state : `${state}; errors with ${showCount(errors, 'file')} within the last day`;
}

function showRepair(status: ServerStatus): string {
  const { owedBytes, repairBytesPerSecond: bytesPerS, repairSecondsLeft: secondsLeft } = status;
  const moved = `${showSize(status.repairedBytes)} moved since the start`;
  if (status.leaving) return `leaving for good: ${showCount(status.keys, 'key')} to hand over; ${moved}`;
  if (owedBytes === 0) return `nothing to do; ${moved}`;
  const rate = bytesPerS === null ? '' : `, ${showSize(bytesPerS)}/s`;
  const left = secondsLeft === null ? '' : `, about ${showDuration(secondsLeft * 1000)} left`;
  const what = status.repairing ? 'at work' : 'waiting for its next round';
  return `${what}; ${showSize(owedBytes)} owed${rate}${left}; ${moved}`;
}
