/** What the two ends of a TLS connection have in common. */
import { constants, X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

import type { Clock } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import type { Identity } from './identity.js';
import { canonicalAddress } from './address.js';
import { BodyMemory } from './body-memory.js';
import { ByteBudget, type ConnectionMemory } from './budget.js';
import { keyFingerprint, type Trust } from './tls-verify.js';

/** Our own place in the ring. */
export interface TlsCredentials {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
  readonly authorityPem: string;
}

export interface TlsTransportOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Left out by a stranger, who may only enroll. */
  readonly credentials?: TlsCredentials;
  /** For a stranger: SHA-256 of the DER of the authority's public key (SubjectPublicKeyInfo), from an invite. */
  readonly authorityFingerprint?: Uint8Array;
  /** Reads the identity in a certificate that the authority has signed. @throws PeerStoreError NOT_ADMITTED. */
  readonly identify: (leafDer: Uint8Array, authorityDer: Uint8Array) => Identity;
  /** Addresses whose peers must have these raw Ed25519 public keys (32 bytes), however an address is spelled. */
  readonly pinnedKeys?: ReadonlyMap<string, Uint8Array>;
}

/** What both halves of the transport work with. */
export interface TlsContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** Versions, key and certificates. */
  readonly secure: SecureContextOptions;
  readonly trust: Trust;
  readonly memory: ConnectionMemory;
  readonly hasCredentials: boolean;
  /** By canonical address. */
  readonly pinnedKeys: ReadonlyMap<string, Uint8Array>;
}

/** What went wrong underneath, in OpenSSL's short words where it is OpenSSL that complains. */
export function tlsReason(error: unknown): string {
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string') return error.reason;
  return messageOf(error);
}

/**
 * Reads keys and certificates.
 * @throws PeerStoreError USAGE when there is neither a certificate nor a fingerprint to know the ring by, or a key is
 * pinned to something that is no address.
 */
export function createTlsContext(options: TlsTransportOptions): TlsContext {
  const { clock, log, credentials, identify } = options;
  const authority = credentials && new X509Certificate(credentials.authorityPem);
  const authorityFingerprint = authority ? keyFingerprint(authority) : options.authorityFingerprint;
  if (authorityFingerprint === undefined) {
    throw new PeerStoreError(
      'USAGE',
      "neither a certificate nor the fingerprint of a ring's authority was given",
    );
  }
  return {
    clock,
    log,
    secure: {
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      secureOptions: constants.SSL_OP_NO_TICKET,
      // The authority's certificate goes with our own, for strangers who know only its fingerprint.
      ...(credentials && {
        key: credentials.privateKeyPem,
        cert: `${credentials.certificatePem.trimEnd()}\n${credentials.authorityPem}`,
      }),
    },
    trust: { clock, authorityFingerprint, identify, ...(authority && { authority }) },
    memory: {
      requestBodies: new ByteBudget(limits.requestBodyBytesInFlight),
      bodies: new BodyMemory(),
      answers: new ByteBudget(limits.answerBytesUnsent),
    },
    hasCredentials: credentials !== undefined,
    pinnedKeys: new Map(
      [...(options.pinnedKeys ?? [])].map(([address, key]) => [canonicalAddress(address), key]),
    ),
  };
}
