import type { Membership } from '../membership.js';
import type { Handler } from './handler.js';

/** The distinct peers that the fingers point to. */
export function fingerTableHandler(membership: Membership): Handler<'fingerTable'> {
  return () => ({ response: { fingers: membership.fingers } });
}
