import type { Membership } from '../membership.js';
import { type Handler, requireSelf } from './handler.js';

/** A neighbour leaves in good order. */
export function leaveHandler(membership: Membership): Handler<'leave'> {
  return ({ request, caller }) => {
    requireSelf(caller, request.peer);
    membership.neighbourLeft(request.peer, request.isForGood === true);
    return { response: {} };
  };
}
