import type { Membership } from '../membership.js';
import { type Handler, requireSelf } from './handler.js';

/** Whether a suspect lives: asked of the suspect itself, or of a witness, which asks the suspect. */
export function probeHandler(membership: Membership): Handler<'probe'> {
  return async ({ request: { suspect, accuser }, caller, signal }) => {
    if (suspect.id === membership.state.self.id) {
      membership.accused(accuser);
      return { response: { isAlive: true } };
    }
    requireSelf(caller, accuser);
    return { response: { isAlive: await membership.testify(suspect, accuser, signal) } };
  };
}
