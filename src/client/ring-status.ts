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
}

export interface RingStatus {
  readonly peers: readonly PeerStatus[];
  readonly keysShort: number;
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
  const peers = await Promise.all(
    members.map(async ({ id, address, zone }): Promise<PeerStatus> => {
      try {
        const { response } = await transport.call({ id, address }, 'status', {}, options);
        usedBytes += response.usedBytes;
        const { keys, bytes, keysShort } = response;
        return { id, address, zone: zone ?? null, alive: true, problem: null, keys, bytes, keysShort };
      } catch (error) {
        if (hasCode(error, 'CANCELLED')) throw error;
        const nothing = { keys: 0, bytes: 0, keysShort: 0 };
        return { id, address, zone: zone ?? null, alive: false, problem: messageOf(error), ...nothing };
      }
    }),
  );
  return {
    peers,
    keysShort: peers.reduce((most, { keysShort }) => Math.max(most, keysShort), 0),
    usedBytes,
    quotaBytes: ring.quotaBytes,
    replicas: ring.replicas,
  };
}
