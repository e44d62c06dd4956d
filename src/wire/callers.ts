/**
 * What each caller takes of a listener: how many connections, and how much memory. A caller with a certificate may be
 * hostile too; its share ends where the others still have theirs.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { ByteBudget, type ConnectionMemory } from './budget.js';
import type { Identity } from './identity.js';

interface Share {
  readonly memory: ConnectionMemory;
  connections: number;
}

/** A connection that was let in. */
export interface Admitted {
  readonly memory: ConnectionMemory;
  /** Says, once, that it is gone. */
  leave(): void;
}

/** The callers that are connected to one listener. */
export class Callers {
  readonly #memory: ConnectionMemory;
  readonly #shares = new Map<string, Share>();

  /** @param memory of all callers together */
  constructor(memory: ConnectionMemory) {
    this.#memory = memory;
  }

  /**
   * Lets one more connection of a caller in.
   * @throws PeerStoreError BUSY when it has as many as one caller may have. Those without a certificate are one caller.
   */
  admit(identity: Identity): Admitted {
    const key = keyOf(identity);
    const share = this.#shares.get(key) ?? this.#newShare();
    if (share.connections >= mostConnections(identity)) throw tooMany(identity);
    share.connections += 1;
    this.#shares.set(key, share);
    return {
      memory: share.memory,
      leave: () => {
        share.connections -= 1;
        if (share.connections === 0) this.#shares.delete(key);
      },
    };
  }

  #newShare(): Share {
    return {
      connections: 0,
      memory: {
        requestBodies: new ByteBudget(limits.callerRequestBodyBytes, this.#memory.requestBodies),
        bodies: this.#memory.bodies,
        answers: new ByteBudget(limits.callerAnswerBytes, this.#memory.answers),
      },
    };
  }
}

/** A user's devices are one caller, as are the places of one machine. */
function keyOf(identity: Identity): string {
  switch (identity.kind) {
    case 'peer':
      return `peer ${identity.machine}`;
    case 'user':
      return `user ${identity.userId}`;
    case 'stranger':
      return 'stranger';
  }
}

function mostConnections({ kind }: Identity): number {
  return kind === 'stranger' ? limits.strangerConnections : limits.callerConnections;
}

function tooMany({ kind }: Identity): PeerStoreError {
  return kind === 'stranger'
    ? new PeerStoreError('BUSY', 'too many callers without a certificate are connected; come back later', {
        retryAfterMs: limits.strangerConnectionMs,
      })
    : new PeerStoreError('BUSY', `this ${kind} has ${limits.callerConnections} connections already`, {
        retryAfterMs: limits.busyRetryAfterMs,
      });
}
