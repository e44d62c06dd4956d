/** What a handler is: one method, and the collaborators that it names. */
import type { Clock } from '../../base/clock.js';
import { PeerStoreError } from '../../base/errors.js';
import { limits } from '../../base/limits.js';
import type { Id } from '../../ring/identifier.js';
import type { PeerRef } from '../../ring/peer.js';
import type { Store } from '../../store/store.js';
import type { MethodName } from '../../wire/catalogue.js';
import type { Identity } from '../../wire/identity.js';
import type { IncomingCall, Outcome, Transport } from '../../wire/transport.js';
import type { Replication } from '../replication.js';

export type Handler<M extends MethodName> = (call: IncomingCall<M>) => Outcome<M> | Promise<Outcome<M>>;

/** What a handler needs that keeps values here for a peer, and at all holders for a user. */
export interface SpreadingDeps {
  readonly store: Store;
  readonly replication: Replication;
  readonly transport: Transport;
  readonly clock: Clock;
  /** This machine: what is to be kept here needs no call. */
  readonly machine: Id;
}

/**
 * Whose block a request is about: the calling user's, or the one that a peer names when it passes a user's request on.
 * @throws PeerStoreError PROTOCOL when a peer names nobody.
 */
export function ownerOf(caller: Identity, named: Id | undefined): Id {
  if (caller.kind === 'user') return caller.userId;
  if (named === undefined) throw new PeerStoreError('PROTOCOL', 'a peer has to say whose block it is about');
  return named;
}

/**
 * When a block was touched: now, or, where a peer passes a request on, as that one says, so that all holders note the same;
 * but not much earlier than now, for its clock may be behind, and a touch that is noted too early protects from nothing.
 */
export function touchedAt(caller: Identity, named: number | undefined, clock: Clock): number {
  const nowMs = clock.nowMs();
  return caller.kind === 'peer' && named !== undefined
    ? Math.max(named, nowMs - limits.touchBehindMs)
    : nowMs;
}

/**
 * Checks that a peer speaks of itself: nobody sets a pointer to somebody else.
 * @throws PeerStoreError FORBIDDEN.
 */
export function requireSelf(caller: Identity, peer: PeerRef): void {
  if (caller.kind === 'peer' && caller.machine === peer.machine && caller.ids.includes(peer.id)) return;
  throw new PeerStoreError('FORBIDDEN', 'a peer may only speak for itself');
}
