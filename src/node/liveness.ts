/**
 * Whether a peer that did not answer is dead. One lost answer proves nothing: a peer may be paused, overloaded or
 * restarting, and a false accusation costs more than a late one (Dadgar et al., "Lifeguard", 2017). So it is asked again
 * and given time, and any sign of life acquits it.
 */
import { type Clock, sleep } from '../base/clock.js';
import { limits } from '../base/limits.js';
import type { PeerRef } from '../ring/peer.js';
import { meansNoAnswer } from '../wire/errors.js';
import type { Transport } from '../wire/transport.js';

/**
 * Asks a suspected peer whether it lives, several times.
 * @param signal ends the questions; nobody is declared dead then
 * @returns true when it never answered.
 */
export async function isDead(
  transport: Transport,
  clock: Clock,
  peer: PeerRef,
  signal: AbortSignal,
): Promise<boolean> {
  for (let attempt = 0; attempt < limits.deathPings; attempt += 1) {
    try {
      await sleep(clock, limits.deathPingPauseMs, signal);
      await transport.call(peer, 'ping', {}, { timeoutMs: limits.deathPingTimeoutMs, signal });
      return false;
    } catch (error) {
      if (!meansNoAnswer(error)) return false;
    }
  }
  return true;
}
