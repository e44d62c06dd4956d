import type { Membership } from '../membership.js';
import { answerTo } from '../neighbourhood.js';
import type { Handler } from './handler.js';

/** All pointers of one moment. Peers, who build their own on them, are refused while they are changing. */
export function successorListHandler(membership: Membership): Handler<'successorList'> {
  return ({ caller, request }) => ({
    response: answerTo(
      request.seen,
      caller.kind === 'peer' ? membership.settledState() : membership.insideState,
    ),
  });
}
