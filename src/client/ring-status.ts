/** The ring as the client sees it. */
import { hasCode, messageOf } from '../base/errors.js';
import type { Session } from './session.js';

export interface PeerStatus {
  readonly id: string;
  readonly address: string;
  readonly zone: string | null;
  readonly alive: boolean;
  /** Why it is not alive, for people. */
  readonly problem: string | null;
  readonly keys: number;
  readonly bytes: number;
  readonly keysShort: number;
  /** When it last compared its keys with all their holders, ISO; null when it has not, or has not said. */
  readonly keysLookedAt: string | null;
  /** How its disk is; null where it has not said. */
  readonly disk: DiskState | null;
}

/** How a peer's disk is: `fine`, `nearly full`, `full`, `read-only`, `failing`. */
export interface DiskState {
  readonly state: string;
  /** Since when, ISO; null while it is fine. */
  readonly since: string | null;
}

/** Keys that are short of copies, of which so many are left. */
export interface ShortKeys {
  readonly copies: number;
  readonly keys: number;
}

export interface RingStatus {
  readonly peers: readonly PeerStatus[];
  readonly keysShort: number;
  /** Whether that is all: every peer has answered, and has compared its keys since it started. */
  readonly keysShortKnown: boolean;
  /** The same, by how many copies are left, the fewest first. */
  readonly short: readonly ShortKeys[];
  /** Bytes of the copies that are still to be made. */
  readonly owedBytes: number;
  /** Bytes of the user's blocks on all peers, all copies. */
  readonly usedBytes: number;
  readonly quotaBytes: number | null;
  readonly replicas: number;
}

/** How long a peer may take to say how it is. */
const statusTimeoutMs = 5_000;

/** Asks every member of the ring for its status. @throws PeerStoreError UNREACHABLE when none answers, CANCELLED. */
export async function ringStatus(session: Session): Promise<RingStatus> {
  const { view, transport, ring, signal } = session;
  const members = [...(await view.members())].sort((a, b) => (a.id < b.id ? -1 : 1));
  const options = { timeoutMs: statusTimeoutMs, ...(signal === undefined ? {} : { signal }) };
  let usedBytes = 0;
  let owedBytes = 0;
  const short = new Map<number, number>();
  const peers = await Promise.all(
    members.map(async ({ id, address, zone }): Promise<PeerStatus> => {
      try {
        const { response } = await transport.call({ id, address }, 'status', {}, options);
        usedBytes += response.usedBytes;
        owedBytes += response.owedBytes ?? 0;
        for (const { copies, keys } of response.short ?? [])
          short.set(copies, (short.get(copies) ?? 0) + keys);
        const { keys, bytes, keysShort } = response;
        const keysLookedAt = timeOf(response.lookedAtMs ?? null);
        const said = { keys, bytes, keysShort, keysLookedAt, disk: diskOf(response.disk) };
        return { id, address, zone: zone ?? null, alive: true, problem: null, ...said };
      } catch (error) {
        if (hasCode(error, 'CANCELLED')) throw error;
        const nothing = { keys: 0, bytes: 0, keysShort: 0, keysLookedAt: null, disk: null };
        return { id, address, zone: zone ?? null, alive: false, problem: messageOf(error), ...nothing };
      }
    }),
  );
  return {
    peers,
    keysShort: peers.reduce((sum, { keysShort }) => sum + keysShort, 0),
    keysShortKnown: peers.every(({ keysLookedAt }) => keysLookedAt !== null),
    short: [...short].sort(([a], [b]) => a - b).map(([copies, keys]) => ({ copies, keys })),
    owedBytes,
    usedBytes,
    quotaBytes: ring.quotaBytes,
    replicas: ring.replicas,
  };
}

function diskOf(
  disk: { readonly state: string; readonly sinceMs: number | null } | undefined,
): DiskState | null {
  return disk === undefined ? null : { state: disk.state, since: timeOf(disk.sinceMs) };
}

/** Another machine's word: any number may come, and not every one is a time. */
function timeOf(ms: number | null): string | null {
  const time = ms === null ? null : new Date(ms);
  return time === null || Number.isNaN(time.getTime()) ? null : time.toISOString();
}
