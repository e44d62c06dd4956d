import { utf8 } from '../../src/base/bytes.js';
import { hashToId, type Id } from '../../src/ring/identifier.js';
import type { PeerRef } from '../../src/ring/peer.js';

/** An identifier with this number in its last digits: small circles that a person can follow. */
export function idAt(place: number): Id {
  return place.toString(16).padStart(64, '0') as Id;
}

/** A peer at this place. */
export function peerAt(place: number): PeerRef {
  const id = idAt(place);
  return { id, machine: hashToId(utf8(`machine ${place}`)), address: `127.0.0.1:${10_000 + place}` };
}
