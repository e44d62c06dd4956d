import type { Membership } from '../membership.js';
import type { Handler } from './handler.js';

/** The predecessor, if one is known. */
export function predecessorHandler(membership: Membership): Handler<'predecessor'> {
  return () => ({ response: { predecessor: membership.insideState.predecessor } });
}
