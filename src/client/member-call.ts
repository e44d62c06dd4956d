/**
 * Calls that end when the ring gives the peer up.
 *
 * A machine that stops leaves its callers waiting until a deadline that is long, because slow links need it. Its
 * neighbours know sooner: they look after each other all the time and close the gap within seconds. So whoever has
 * waited a while asks the ring whether the peer is still there.
 */
import { type Clock, type Timer } from '../base/clock.js';
import { messageOf, PeerStoreError } from '../base/errors.js';
import type { Logger } from '../base/log.js';
import type { Id, PeerRef } from '../wire/index.js';
import type { RingView } from './ring-view.js';

export interface MemberCallOptions {
  readonly view: RingView;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the call. */
  readonly signal?: AbortSignal;
}

/** After how long, again and again, the ring is asked. */
const patienceMs = 4_000;

/**
 * Calls a peer as one of the holders of a key.
 * @param call its signal fires when the answer is not waited for any more
 * @throws what the call throws; PeerStoreError UNREACHABLE when the ring does not name the peer among the holders any
 *   more.
 */
export async function whileMember<T>(
  options: MemberCallOptions,
  peer: PeerRef,
  key: Id,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, signal } = options;
  const stop = new AbortController();
  let timer: Timer | undefined;
  const given = new Promise<never>((_, reject) => {
    const watch = (): void => {
      timer = clock.setTimer(patienceMs, () => {
        void isGone(options, peer, key).then((gone) => {
          if (stop.signal.aborted) return;
          if (!gone) watch();
          else reject(new PeerStoreError('UNREACHABLE', `${peer.address} has stopped answering`));
        });
      });
    };
    watch();
  });
  try {
    const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    return await Promise.race([call(until), given]);
  } finally {
    timer?.cancel();
    stop.abort();
  }
}

async function isGone({ view, log }: MemberCallOptions, peer: PeerRef, key: Id): Promise<boolean> {
  view.invalidate();
  try {
    return !(await view.holders(key)).some(({ id }) => id === peer.id);
  } catch (error) {
    log.debug('cannot tell whether a peer is gone', { peer: peer.address, error: messageOf(error) });
    return false;
  }
}
