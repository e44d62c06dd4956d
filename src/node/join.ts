/**
 * Finding a newcomer's place: the member that it belongs right behind.
 *
 * A peer that has restarted may still stand in the others' lists under its own id. Then the ring takes it for its own
 * successor's predecessor, so the place is looked for from before it, and what members say is read without it.
 */
import { type Clock, sleep } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';
import { jittered, type Random } from '../base/random.js';
import { between, inHalfOpen } from '../ring/interval.js';
import { lookup } from '../ring/lookup.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import type { LookupStep } from '../ring/routing.js';
import type { Neighbourhood } from '../ring/state.js';
import { isPlaceOf } from '../ring/steps.js';
import { without } from '../ring/whole-ring.js';
import type { Endpoint, Transport } from '../wire/transport.js';
import { meansNoAnswer } from '../wire/errors.js';
import { neighbourhoodOf } from './neighbourhood.js';

export interface PlaceTools {
  readonly self: PeerRef;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The pause before joining is tried again. */
const pauseMs = 200;

/**
 * Finds a place and goes there, again and again while the ring is in motion.
 * @param entries whom to ask, at each attempt anew: after the first one more may be known
 * @param patienceMs after this long no new attempt is begun
 * @param enter goes behind the member that was found
 * @throws PeerStoreError what the last attempt said.
 */
export async function enterPatiently(
  entries: () => readonly Endpoint[],
  patienceMs: number,
  { self, transport, clock, random, log, signal }: PlaceTools,
  enter: (member: PeerRef) => Promise<void>,
): Promise<void> {
  const sinceMs = clock.monotonicMs();
  for (;;) {
    try {
      const { self: member } = await findPlace(self, entries(), transport, signal);
      await enter(member);
      return;
    } catch (error) {
      log.debug('could not join yet', { error: messageOf(error) });
      if (!isPassing(error) || clock.monotonicMs() - sinceMs >= patienceMs) throw error;
    }
    await sleep(clock, jittered(random, pauseMs, 0.5), signal);
  }
}

/**
 * Finds the member that a newcomer belongs behind.
 * @param entries whom to ask; the ids may be unknown, as of an address from an invite
 * @returns that member's pointers, without the newcomer.
 * @throws PeerStoreError UNSETTLED, BUSY or TIMEOUT when it is worth trying again; otherwise why no entry leads to a
 *   ring.
 */
export async function findPlace(
  self: PeerRef,
  entries: readonly Endpoint[],
  transport: Transport,
  signal: AbortSignal,
): Promise<Neighbourhood> {
  const start = await firstSteps(self, entries, transport, signal);
  try {
    const { answeredBy } = await lookup(self.id, start, {
      signal,
      except: self.id,
      ask: async (peer, key) => (await transport.call(peer, 'successor', { key }, { signal })).response,
    });
    let place = answeredBy;
    for (let step = 0; step < limits.joinSteps; step += 1) {
      const member = without(await neighbourhoodOf(transport, place, signal), self.id);
      if (isPlaceOf(self, member)) return member;
      place = nearerPlace(self.id, member);
    }
  } catch (error) {
    if (!meansNoAnswer(error)) throw error;
    // There is a ring, with a gap on our way: its members are about to close it.
    throw new PeerStoreError('UNSETTLED', `the ring is closing a gap: ${messageOf(error)}`, { cause: error });
  }
  throw new PeerStoreError('UNSETTLED', 'the ring is changing; found no place in it yet');
}

/** Peers of the ring to begin with: what the first entries that answer name. */
async function firstSteps(
  self: PeerRef,
  entries: readonly Endpoint[],
  transport: Transport,
  signal: AbortSignal,
): Promise<readonly PeerRef[]> {
  let failure: unknown = new PeerStoreError('UNREACHABLE', 'there is no peer to join through');
  let hope: unknown;
  for (let from = 0; from < entries.length; from += limits.joinEntriesAtOnce) {
    const ask = async (entry: Endpoint): Promise<LookupStep> =>
      (await transport.call(entry, 'successor', { key: self.id }, { signal })).response;
    const answers = await Promise.allSettled(entries.slice(from, from + limits.joinEntriesAtOnce).map(ask));
    const peers: PeerRef[] = [];
    for (const answer of answers) {
      if (answer.status === 'fulfilled') {
        peers.push(...answer.value.peers.filter(({ id }) => id !== self.id));
      } else {
        failure = answer.reason;
        if (isPassing(failure)) hope = failure;
      }
    }
    if (peers.length > 0) return peers;
    if (answers.some(({ status }) => status === 'fulfilled')) {
      hope = new PeerStoreError('UNSETTLED', 'the peers that answer know nobody in the ring yet');
    }
  }
  throw hope ?? failure;
}

/** Whether an attempt to join that failed this way may succeed in a moment. */
function isPassing(error: unknown): boolean {
  return hasCode(error, 'UNSETTLED', 'BUSY', 'TIMEOUT');
}

/** Where to look next when the newcomer does not belong right behind this member. */
function nearerPlace(self: Id, { self: member, predecessor, successors }: Neighbourhood): PeerRef {
  if (predecessor !== null && inHalfOpen(predecessor.id, self, member.id)) return predecessor;
  const before = successors.findLast(({ id }) => between(member.id, id, self));
  if (before === undefined) throw new PeerStoreError('UNSETTLED', 'the ring leads nowhere just now');
  return before;
}
