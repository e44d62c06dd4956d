import type { Membership } from '../membership.js';
import { type Handler, requireSelf } from './handler.js';

/** A newcomer makes itself known: it is taken into the list, and told whom it has to make itself known to besides. */
export function introduceHandler(membership: Membership): Handler<'introduce'> {
  return async ({ request, caller }) => {
    requireSelf(caller, request.peer);
    return { response: await membership.introduced(request.peer) };
  };
}
