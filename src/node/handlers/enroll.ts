import { PeerStoreError } from '../../base/errors.js';
import type { RequestOf } from '../../wire/catalogue.js';
import type { Membership } from '../membership.js';
import type { Handler } from './handler.js';

/** Trades invites for certificates: on the peers that hold the ring's authority. */
export interface Admission {
  /** The authority's own certificate, DER. */
  readonly authority: Uint8Array;
  /** Checks a request, uses up its invite, and makes the certificate, DER. */
  admit(request: RequestOf<'enroll'>): Promise<Uint8Array>;
}

/** Lets newcomers in, where this peer may. */
export function enrollHandler(membership: Membership, admission: Admission | undefined): Handler<'enroll'> {
  return async ({ request }) => {
    if (admission === undefined) {
      throw new PeerStoreError(
        'NOT_RESPONSIBLE',
        'this peer cannot admit anybody; use the address in the invite',
      );
    }
    const certificate = await admission.admit(request);
    const { self, successors } = membership.state;
    return { response: { certificate, authority: admission.authority, peers: [self, ...successors] } };
  };
}
