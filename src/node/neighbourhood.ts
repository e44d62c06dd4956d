/**
 * Asking a peer for its pointers, and believing only what can be true.
 *
 * In a quiet ring everybody asks its first successor all the time, and hears the same again. So who asks says what it
 * has heard, by a tag, and gets the pointers only if they are others by now.
 */
import { bytesEqual, sha256, utf8 } from '../base/bytes.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { PeerRef } from '../ring/peer.js';
import { faultIn, type Neighbourhood } from '../ring/state.js';
import type { ResponseOf } from '../wire/catalogue.js';
import type { Transport } from '../wire/transport.js';

const tags = new WeakMap<Neighbourhood, Uint8Array>();

/** What stands for a peer's pointers. */
export function tagOf(pointers: Neighbourhood): Uint8Array {
  const known = tags.get(pointers);
  if (known !== undefined) return known;
  const { self, predecessor, successors } = pointers;
  const fields = [self, predecessor, ...successors].map(
    (peer) => peer && [peer.id, peer.machine, peer.address, peer.zone],
  );
  const tag = sha256(utf8(JSON.stringify(fields))).subarray(0, limits.pointersTagBytes);
  tags.set(pointers, tag);
  return tag;
}

/** What a peer answers to somebody who has heard this tag; undefined when it has heard nothing yet. */
export function answerTo(seen: Uint8Array | undefined, pointers: Neighbourhood): ResponseOf<'successorList'> {
  if (seen === undefined || !bytesEqual(seen, tagOf(pointers))) return pointers;
  return { self: pointers.self, predecessor: null, successors: [], isSame: true };
}

/**
 * A peer's pointers as of one moment.
 * @param heard what it answered before: given back when it is still so
 * @throws PeerStoreError UNSETTLED while it is changing them, PROTOCOL when they cannot be a peer's pointers, or what
 *   the network said.
 */
export async function neighbourhoodOf(
  transport: Transport,
  peer: PeerRef,
  signal: AbortSignal,
  heard?: Neighbourhood,
): Promise<Neighbourhood> {
  const options = { timeoutMs: limits.pointersTimeoutMs, signal };
  const request = heard === undefined ? {} : { seen: tagOf(heard) };
  const { response } = await transport.call(peer, 'successorList', request, options);
  const fault = response.self.id === peer.id ? faultIn(response) : 'they are not its own';
  if (fault !== undefined) {
    throw new PeerStoreError('PROTOCOL', `the pointers of ${peer.address} are refused: ${fault}`);
  }
  if (response.isSame !== true) return response;
  if (heard !== undefined) return heard;
  throw new PeerStoreError(
    'PROTOCOL',
    `${peer.address} says that its pointers are those that nobody has seen`,
  );
}
