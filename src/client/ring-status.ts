/** The ring as the client sees it. */
import { messageOf } from '../base/errors.js';
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

/** Asks every peer that is known for its status. */
export async function ringStatus(session: Session): Promise<RingStatus> {
  const { view, transport, ring } = session;
  const known = [...view.peers].sort((a, b) => (a.id < b.id ? -1 : 1));
  let usedBytes = 0;
  const peers = await Promise.all(
    known.map(async ({ id, address, zone }): Promise<PeerStatus> => {
      try {
        const { response } = await transport.call({ id, address }, 'status', {}, { timeoutMs: 5_000 });
        usedBytes += response.usedBytes;
        const { keys, bytes, keysShort } = response;
        return { id, address, zone: zone ?? null, alive: true, problem: null, keys, bytes, keysShort };
      } catch (error) {
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
