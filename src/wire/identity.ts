/** Who is calling. It comes from the certificate of the TLS handshake, never from a request. */
import type { Id } from '../ring/identifier.js';

/** A peer of the ring. */
export interface PeerIdentity {
  readonly kind: 'peer';
  /** Its places on the ring; one for each virtual node, at least one. */
  readonly ids: readonly Id[];
  /** SHA-256 of its certified public key. */
  readonly machine: Id;
}

/** A device of a user. */
export interface UserIdentity {
  readonly kind: 'user';
  /** SHA-256 of the user's public key: what owns blocks. */
  readonly userId: Id;
  /** The user's name, as certified. */
  readonly name: string;
  /** The user's Ed25519 public key, 32 bytes. */
  readonly userKey: Uint8Array;
  /** The device's Ed25519 public key, 32 bytes: the key of the connection, and the writer of the device's records. */
  readonly deviceKey: Uint8Array;
}

/** Somebody without a certificate, who may only enroll. */
export interface StrangerIdentity {
  readonly kind: 'stranger';
}

export type Identity = PeerIdentity | UserIdentity | StrangerIdentity;
export type CallerKind = Identity['kind'];
