import type { Membership } from '../membership.js';
import { type Handler, requireSelf } from './handler.js';

/** A peer says that it may be our predecessor: answered at once, looked into in turn. */
export function notifyHandler(membership: Membership): Handler<'notify'> {
  return ({ request, caller }) => {
    requireSelf(caller, request.peer);
    membership.notified(request.peer);
    return { response: {} };
  };
}
