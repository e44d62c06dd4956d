/**
 * A peer's part in the inquiries of others: it asks a suspect whom the accuser cannot reach, and when it is suspected
 * itself, it shows the accuser that it lives.
 *
 * Nobody is sent anywhere by a stranger's word: only peers ask, only for themselves, about peers that this one knows by
 * that very address; one question causes one, and only so many at once.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { shortId } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import type { Transport } from '../wire/transport.js';
import { meansNoAnswer } from '../wire/errors.js';

export interface WitnessOptions {
  readonly transport: Transport;
  /** Whether a peer is known by its id and at its address. */
  readonly knows: (peer: PeerRef) => boolean;
}

export class Witness {
  readonly #options: WitnessOptions;
  #underWay = 0;

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /**
   * Asks the suspect in the accuser's stead.
   * @returns whether it answered.
   * @throws PeerStoreError NOT_FOUND when it is not known here, BUSY when too many are being asked.
   */
  async testify(suspect: PeerRef, accuser: PeerRef, signal: AbortSignal): Promise<boolean> {
    const { transport, knows } = this.#options;
    if (!knows(suspect)) throw new PeerStoreError('NOT_FOUND', `${shortId(suspect.id)} is not known here`);
    if (this.#underWay >= limits.testimoniesAtOnce) {
      throw new PeerStoreError('BUSY', 'this peer is asking for others already', {
        retryAfterMs: limits.busyRetryAfterMs,
      });
    }
    this.#underWay += 1;
    try {
      const options = { timeoutMs: limits.pingTimeoutMs, signal };
      return (await transport.call(suspect, 'probe', { suspect, accuser }, options)).response.isAlive;
    } catch (error) {
      // A refusal is an answer too.
      return !meansNoAnswer(error);
    } finally {
      this.#underWay -= 1;
    }
  }
}
