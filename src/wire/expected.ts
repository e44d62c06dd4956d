/** Whether the one who answers is the one who was called. */
import { PeerStoreError } from '../base/errors.js';
import { shortId } from '../ring/identifier.js';
import type { Identity } from './identity.js';
import type { Endpoint } from './transport.js';

/**
 * Checks who answers at an address.
 * @throws PeerStoreError NOT_ADMITTED when it is not a peer, or does not have the identifier that was called.
 */
export function checkExpected(identity: Identity, to: Endpoint): void {
  if (identity.kind !== 'peer') throw notAdmitted(to.address, 'it is not a peer of the ring');
  if (to.id === undefined || identity.ids.includes(to.id)) return;
  const shown = identity.ids.slice(0, 3).map(shortId).join(', ');
  throw notAdmitted(to.address, `expected the peer ${shortId(to.id)}, found ${shown}`);
}

/** The error for somebody who has not proved what we asked for. */
export function notAdmitted(remote: string, why: string): PeerStoreError {
  return new PeerStoreError('NOT_ADMITTED', `${remote} was refused: ${why}`);
}
