/**
 * Whether this peer sees enough of its ring for users to give anything up.
 *
 * What a user gives up he first finds out by reading: what nobody names is not needed. Beside a peer that is cut off, or
 * has been started alone, nobody names what the others hold, and what is given up there is given up for all of them as
 * soon as they meet again. So such a peer does not take part in it: of the machines that it has seen within the last
 * weeks it has to see more than half, and that for a while already, so that whoever asks before he reads and once more
 * afterwards knows that it was so while he read.
 *
 * Weeks, because a part of a ring may be cut off for as long, and the machines of the other part are there all the same; a
 * machine that is lost for good counts for as long, unless it has handed everything over. Who said goodbye to
 * come back counts like any other. Only machines that have called or answered count: others can be invented.
 */
import type { Clock } from '../base/clock.js';
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import { between } from '../ring/interval.js';
import { type RingState, seesWholeRing } from '../ring/state.js';
import type { RememberedPeers } from './remembered-peers.js';

export interface MajorityOptions {
  readonly membership: { readonly state: RingState; readonly isInside: boolean };
  readonly remembered: Pick<RememberedPeers, 'seenWithin'>;
  readonly clock: Clock;
}

/** Machines that are named to a person at the most. */
const namedMost = 3;

export class Majority {
  readonly #options: MajorityOptions;
  #lookedAt: RingState | undefined;
  #isLacking = false;
  /** Until when less than a majority was seen, on the clock that only grows. */
  #lackedAtMs = -Infinity;

  constructor(options: MajorityOptions) {
    this.#options = options;
  }

  /** The pointers have changed: how they were counts as well, up to now. */
  changed(before: RingState): void {
    // Nobody is told anything of the ring by a peer that is on its way into it.
    if (!this.#options.membership.isInside) return;
    // It was looked at when it came, unless this peer came in with it.
    if (this.#lookedAt !== before) this.#look(before);
    this.#look(this.#options.membership.state);
  }

  #look(state: RingState): void {
    const { absent, count } = this.#machines(state);
    const wasLacking = this.#isLacking;
    this.#lookedAt = state;
    this.#isLacking = 2 * absent.length >= count;
    if (wasLacking || this.#isLacking) this.#lackedAtMs = this.#options.clock.monotonicMs();
  }

  /** @throws PeerStoreError UNSETTLED when less than a majority is seen, or was a moment ago. */
  require(): void {
    const { state } = this.#options.membership;
    this.#look(state);
    const leftMs = this.#lackedAtMs + limits.majorityHoldMs - this.#options.clock.monotonicMs();
    if (leftMs <= 0) return;
    const { absent, count } = this.#machines(state);
    const seen = `this peer sees ${count - absent.length} of the ${count} machines of its ring`;
    const named = absent.slice(0, namedMost).join(', ') + (absent.length > namedMost ? ' and others' : '');
    throw new PeerStoreError(
      'UNSETTLED',
      this.#isLacking
        ? `${seen} (not ${named}); while it may be cut off from those that know more, nothing can be given up: start ` +
            'them, or put other machines in the place of those that are lost (docs/operations.md, "Deleting")'
        : `${seen}, but was cut off or served alone lately: try again in ${Math.ceil(leftMs / 60_000)} min`,
      { retryAfterMs: leftMs },
    );
  }

  /** How many machines count, this one among them, and the addresses of those that are not there. */
  #machines(state: RingState): { readonly absent: readonly string[]; readonly count: number } {
    const { remembered } = this.#options;
    const { self, predecessor, successors } = state;
    const present = new Set(
      [self, ...(predecessor === null ? [] : [predecessor]), ...successors].map(machineOf),
    );
    const known = [...remembered.seenWithin(limits.majorityOfMs)].sort((a, b) =>
      clockwise(self.id, a.id, b.id),
    );
    // In a large ring the list names the nearest only: of those behind nobody can tell here whether they are there.
    const counted = seesWholeRing(state) ? known : known.slice(0, limits.successorListLength);
    const machines = new Set([self, ...counted].map(machineOf));
    const absent = new Map(
      counted
        .filter(({ machine }) => !present.has(machine))
        .map(({ machine, address }) => [machine, address]),
    );
    return { absent: [...absent.values()], count: machines.size };
  }
}

function machineOf({ machine }: { readonly machine: Id }): Id {
  return machine;
}

/** The order of the ring from a place on. */
function clockwise(from: Id, a: Id, b: Id): number {
  if (a === b) return 0;
  return between(from, a, b) ? -1 : 1;
}
