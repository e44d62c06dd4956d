import type { Membership } from '../membership.js';
import type { Handler } from './handler.js';

/** One step of a lookup. */
export function successorHandler(membership: Membership): Handler<'successor'> {
  return ({ request }) => ({ response: membership.lookupStep(request.key) });
}
