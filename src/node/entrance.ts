/** How a peer that has just started gets into its ring: by whom it is told, by whom it remembers, or as the first one. */
import { type Clock, sleep } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { shortId } from '../ring/identifier.js';
import type { Endpoint } from '../wire/transport.js';
import type { Membership } from './membership.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface EntranceOptions {
  readonly membership: Membership;
  readonly remembered: RememberedPeers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** How long a newcomer waits for the ring to take it in before it serves all the same, in milliseconds. */
const takenInMs = 15_000;
/** How long it waits before it comes in by another member, in milliseconds: the one that it came by may be dead. */
const joinAnewMs = 3_000;
const takenInPollMs = 100;

/**
 * Joins the ring. Without entries, and without remembered peers that answer, it is a ring of one.
 * @throws PeerStoreError UNREACHABLE or NOT_ADMITTED when entries were named and none of them let it in.
 */
export async function joinRing(
  { membership, remembered, random, log }: EntranceOptions,
  entries: readonly Endpoint[],
): Promise<void> {
  if (entries.length > 0) {
    await membership.join(entries, limits.joinPatienceMs);
    return;
  }
  const peers = remembered.all();
  if (peers.length > 0) {
    try {
      // Peers that all come back at once, after a power cut, do not all lose patience at once: the first one to do so
      // is the ring that the others join.
      await membership.join(peers, jittered(random, limits.rejoinPatienceMs, 0.5));
      return;
    } catch (error) {
      log.warn(
        'none of the remembered peers can be reached; this peer serves alone and goes on looking for them',
        {
          remembered: peers.length,
          error: messageOf(error),
        },
      );
    }
  }
  membership.beInside();
}

/** Waits until the ring has taken this peer in, or for as long as makes sense. */
export async function untilTakenIn(
  { membership, clock, log }: EntranceOptions,
  entries: readonly Endpoint[],
): Promise<void> {
  const since = clock.monotonicMs();
  let triedAtMs = since;
  await membership.stabilize();
  while (!(await membership.isTakenIn())) {
    if (clock.monotonicMs() - since > takenInMs) {
      log.warn('the ring has not taken this peer in yet; it serves all the same', {
        id: shortId(membership.state.self.id),
      });
      membership.beInside();
      return;
    }
    if (clock.monotonicMs() - triedAtMs > joinAnewMs) {
      await membership.joinAnew(entries);
      triedAtMs = clock.monotonicMs();
    }
    await sleep(clock, takenInPollMs);
  }
}
