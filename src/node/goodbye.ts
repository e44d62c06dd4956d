/** What a peer says when it leaves in good order. */
import { messageOf } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import { type RingState, seesWholeRing } from '../ring/state.js';
import type { Transport } from '../wire/transport.js';

/** Tells those who have a gap to close: the neighbours, and where everybody names everybody, everybody. */
export async function sayGoodbye(
  state: RingState,
  { transport, log }: { readonly transport: Transport; readonly log: Logger },
  isForGood = false,
): Promise<void> {
  const { self, predecessor, successors } = state;
  const told = new Map<Id, PeerRef>();
  if (predecessor !== null) told.set(predecessor.id, predecessor);
  for (const peer of seesWholeRing(state) ? successors : successors.slice(0, 1)) told.set(peer.id, peer);
  await Promise.all(
    [...told.values()].map(async (peer) => {
      try {
        await transport.call(peer, 'leave', { peer: self, isForGood });
      } catch (error) {
        log.info('a neighbour could not be told that this peer leaves', {
          peer: peer.address,
          error: messageOf(error),
        });
      }
    }),
  );
}
