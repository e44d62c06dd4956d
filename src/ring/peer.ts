/** What one peer knows of another: enough to call it and to choose it as a holder. */
import type { Id } from './identifier.js';

/** A node of the ring, and how to reach it. What it says is proved by the TLS handshake with `address`. */
export interface PeerRef {
  /** Its place on the ring. */
  readonly id: Id;
  /** The machine it runs on: peers with one machine are virtual nodes of it, and hold one copy between them. */
  readonly machine: Id;
  /** Where it listens: `host:port`. */
  readonly address: string;
  /** What fails together with it (a room, a house, a provider), if its operator said so. */
  readonly zone?: string;
}

/** Whether two references are to one peer at one address. */
export function isSamePeer(a: PeerRef | null | undefined, b: PeerRef): boolean {
  return a?.id === b.id && a.address === b.address;
}

/** Whether two references say the same in every field. */
export function isSameReference(a: PeerRef | null, b: PeerRef | null): boolean {
  if (a === null || b === null) return a === b;
  return isSamePeer(a, b) && a.machine === b.machine && a.zone === b.zone;
}
