/**
 * A peer's pointers, and the one way to change them.
 *
 * The corrected protocol is correct only if each step is atomic: the answer of another peer is applied to the state under
 * which it was asked for. So steps take turns, and while one of them waits for an answer that it will apply, the pointers
 * are not shown to those who would base their own on them.
 *
 * A peer comes in by two doors. It has joined when it has pointers that others may ask for, so that they can take it in. It
 * is inside when it has been taken in: its predecessor, itself inside, points to it. Between the two it knows the ring only
 * as it was told when it joined, and others may have come in since: so it speaks for no key.
 */
import { PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { PeerRef } from '../ring/peer.js';
import { aloneState, hasSamePointers, type RingState } from '../ring/state.js';

export class Pointers {
  readonly #onChange: (before: RingState, after: RingState) => void;
  #state: RingState;
  #lastTurn: Promise<void> = Promise.resolve();
  #isAsking = false;
  #hasJoined = false;
  #isInside = false;
  #hasLeft = false;

  /** @param onChange told of every change */
  constructor(self: PeerRef, onChange: (before: RingState, after: RingState) => void) {
    this.#state = aloneState(self);
    this.#onChange = onChange;
  }

  /** The pointers of this moment, of a peer that may still be outside. They are one value until they change. */
  get now(): RingState {
    return this.#state;
  }

  /** Whether this peer has pointers that others may ask for. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Whether this peer has left for good. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether this peer is known to be part of a ring, be it a ring of one. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** The pointers of this moment. @throws PeerStoreError UNSETTLED while this peer is outside the ring. */
  get inside(): RingState {
    if (!this.#isInside) throw unsettled('this peer is still on its way into the ring');
    return this.#state;
  }

  /**
   * The pointers, for those who may base their own on them.
   * @throws PeerStoreError UNSETTLED before this peer has joined, and while a step waits for an answer that it will apply.
   */
  get settled(): RingState {
    if (!this.#hasJoined) throw unsettled('this peer is still on its way into the ring');
    if (this.#isAsking) throw unsettled('this peer is just changing its pointers');
    return this.#state;
  }

  /** From now on this peer has pointers that others may ask for. */
  join(): void {
    this.#hasJoined = true;
  }

  /** It has not come in after all: it has no pointers that anybody should ask for. */
  withdraw(): void {
    this.become(aloneState(this.#state.self));
    this.#hasJoined = false;
  }

  /** It has left: nobody is to ask for its pointers, which say where the ring is to be found. */
  leave(): void {
    this.#hasLeft = true;
    this.#hasJoined = false;
    this.#isInside = false;
  }

  /** From now on this peer is part of a ring. */
  enter(): void {
    this.#hasJoined = true;
    this.#isInside = true;
  }

  /** A step without a question, when those before it are over. */
  take<T>(step: () => T | Promise<T>): Promise<T> {
    const result = this.#lastTurn.then(step);
    this.#lastTurn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** A step that begins with a question, when those before it are over. */
  ask<T>(step: () => Promise<T>): Promise<T> {
    return this.take(async () => {
      this.#isAsking = true;
      try {
        return await step();
      } finally {
        this.#isAsking = false;
      }
    });
  }

  /** Sets them; for whoever has the turn. */
  become(state: RingState): void {
    const before = this.#state;
    if (hasSamePointers(before, state)) return;
    this.#state = state;
    this.#onChange(before, state);
  }

  /** Resolves when every step that was begun is over. */
  over(): Promise<void> {
    return this.#lastTurn;
  }
}

function unsettled(why: string): PeerStoreError {
  return new PeerStoreError('UNSETTLED', why, { retryAfterMs: limits.unsettledRetryMs });
}
