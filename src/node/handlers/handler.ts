/** What a handler is: one method, and the collaborators that it names. */
import { PeerStoreError } from '../../base/errors.js';
import type { Id } from '../../ring/identifier.js';
import type { PeerRef } from '../../ring/peer.js';
import type { MethodName } from '../../wire/catalogue.js';
import type { Identity } from '../../wire/identity.js';
import type { IncomingCall, Outcome } from '../../wire/transport.js';

export type Handler<M extends MethodName> = (call: IncomingCall<M>) => Outcome<M> | Promise<Outcome<M>>;

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
 * Checks that a peer speaks of itself: nobody sets a pointer to somebody else.
 * @throws PeerStoreError FORBIDDEN.
 */
export function requireSelf(caller: Identity, peer: PeerRef): void {
  if (caller.kind === 'peer' && caller.machine === peer.machine && caller.ids.includes(peer.id)) return;
  throw new PeerStoreError('FORBIDDEN', 'a peer may only speak for itself');
}
