import type { Membership } from '../membership.js';
import { type Handler, requireSelf } from './handler.js';

/** A peer says that it may be our first successor, or is and has news: answered at once, looked into in turn. */
export function announceHandler(membership: Membership): Handler<'announce'> {
  return ({ request, caller }) => {
    requireSelf(caller, request.peer);
    membership.announced(request.peer);
    return { response: {} };
  };
}
