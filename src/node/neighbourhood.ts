/** Asking a peer for its pointers, and believing only what can be true. */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { PeerRef } from '../ring/peer.js';
import { faultIn, type Neighbourhood } from '../ring/state.js';
import type { Transport } from '../wire/transport.js';

/**
 * A peer's pointers as of one moment.
 * @throws PeerStoreError UNSETTLED while it is changing them, PROTOCOL when they cannot be a peer's pointers, or what
 *   the network said.
 */
export async function neighbourhoodOf(
  transport: Transport,
  peer: PeerRef,
  signal: AbortSignal,
): Promise<Neighbourhood> {
  const options = { timeoutMs: limits.pointersTimeoutMs, signal };
  const { response } = await transport.call(peer, 'successorList', {}, options);
  const fault = response.self.id === peer.id ? faultIn(response) : 'they are not its own';
  if (fault !== undefined) {
    throw new PeerStoreError('PROTOCOL', `the pointers of ${peer.address} are refused: ${fault}`);
  }
  return response;
}
