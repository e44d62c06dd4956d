/** The newcomer's side of enrolling, over the network. */
import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { PeerRef } from '../ring/peer.js';
import type { PeerIdentity, UserIdentity } from '../wire/identity.js';
import { createTlsTransport } from '../wire/tls.js';
import type { Transport } from '../wire/transport.js';
import { type AuthorityCertificate, identify, readAuthority } from './certificate.js';
import { checkGranted, enrollRequest, type NewcomerKeys } from './enrollment.js';
import type { Invite } from './invite.js';

/** What an invite was traded for. */
export interface Enrolled {
  /** The certificate, DER. */
  readonly certificate: Uint8Array;
  readonly authority: AuthorityCertificate;
  readonly identity: PeerIdentity | UserIdentity;
  /** The address whose peer did it. */
  readonly through: string;
  /** Peers to begin with. */
  readonly peers: readonly PeerRef[];
}

export interface EnrollTools {
  readonly clock: Clock;
  readonly log: Logger;
  /** Addresses whose peers must have these raw Ed25519 public keys. */
  readonly pinnedKeys?: ReadonlyMap<string, Uint8Array>;
}

/** A transport for somebody who has nothing but an invite: it knows the ring by the fingerprint in it. */
export function strangerTransport(fingerprint: Uint8Array, tools: EnrollTools): Transport {
  return createTlsTransport({
    clock: tools.clock,
    log: tools.log,
    authorityFingerprint: fingerprint,
    // Only a peer may be shown the invite's secret, not a user who answers in its place: so the role is read here too.
    identify: (leafDer, authorityDer) =>
      identify(leafDer, readAuthority(authorityDer, "the ring's certificate"), tools.clock.nowMs()),
    ...(tools.pinnedKeys === undefined ? {} : { pinnedKeys: tools.pinnedKeys }),
  });
}

/**
 * Shows an invite to the peers at these addresses, one after the other, until one of them may admit and answers.
 * @throws PeerStoreError NOT_ADMITTED when the invite is refused or the ring is not the one that it names; CONFLICT when
 *   the user's name is taken; UNREACHABLE, naming every address, when no peer that may admit answers.
 */
export async function enrollThrough(
  transport: Transport,
  addresses: readonly string[],
  invite: Invite,
  keys: NewcomerKeys,
  nowMs: number,
): Promise<Enrolled> {
  const failures: string[] = [];
  for (const address of addresses) {
    try {
      const { response } = await transport.call({ address }, 'enroll', enrollRequest(invite, keys));
      const authority = readAuthority(response.authority, "the ring's certificate");
      const identity = checkGranted(response.certificate, authority, invite, keys, nowMs);
      return {
        certificate: response.certificate,
        authority,
        identity,
        through: address,
        peers: response.peers,
      };
    } catch (error) {
      if (!hasCode(error, 'UNREACHABLE', 'TIMEOUT', 'BUSY', 'NOT_RESPONSIBLE')) throw error;
      failures.push(`${address} (${messageOf(error)})`);
    }
  }
  throw new PeerStoreError(
    'UNREACHABLE',
    `no peer that can admit anybody answered: ${failures.join('; ')}. Is peerstore-server running there?`,
  );
}
