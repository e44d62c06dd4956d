import type { Membership } from '../membership.js';
import type { Handler } from './handler.js';

/** The peers that this one knows behind a place on the ring. */
export function knownPeersHandler(membership: Membership): Handler<'knownPeers'> {
  return ({ request }) => ({ response: { peers: membership.knownPeers(request.after) } });
}
