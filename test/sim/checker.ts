/**
 * Holds the rules against a ring while it changes. It is told of every change of somebody's pointers and looks again only
 * at what the change can have broken, so that a thousand peers are checked after every step.
 */
import type { Id } from '../../src/ring/identifier.js';
import type { RingState } from '../../src/ring/state.js';
import type { Broken, RuleSet } from './rules.js';
import { bestSuccessor, RingShape } from './shape.js';

export class RingChecker {
  readonly #live = new Map<Id, RingState>();
  readonly #best = new Map<Id, Id>();
  /** Who has a peer for its best successor. */
  readonly #pointing = new Map<Id, Set<Id>>();
  #shape: RingShape | undefined;
  #version = 0;
  /** The version at which the rules about the whole ring were checked last. */
  #checked = -1;

  /** Grows when somebody comes, goes, or has another best successor. */
  get version(): number {
    return this.#version;
  }

  /** The live peers' pointers, by id. */
  get live(): ReadonlyMap<Id, RingState> {
    return this.#live;
  }

  /** The ring as it is. */
  get shape(): RingShape {
    this.#shape ??= new RingShape(this.#live, this.#best);
    return this.#shape;
  }

  /** Notes what a peer has for pointers now; undefined when it is outside the ring or dead. */
  update(id: Id, state: RingState | undefined): void {
    const before = this.#live.get(id);
    if (before === state) return;
    this.#shape = undefined;
    if (before === undefined || state === undefined) this.#version += 1;
    if (state === undefined) {
      this.#live.delete(id);
      this.#point(id, undefined);
      // The last two: whoever is left alone is its own successor.
      if (this.#live.size === 1) this.#recomputeAll();
      else for (const other of [...(this.#pointing.get(id) ?? [])]) this.#recompute(other);
      return;
    }
    this.#live.set(id, state);
    // A newcomer may stand in somebody's list already, from before a restart.
    if (before === undefined) this.#recomputeAll();
    else this.#recompute(id);
  }

  /** The rules are others from now on, or all of them are to be looked at again. */
  forgetChecks(): void {
    this.#checked = -1;
  }

  /**
   * The rules that are broken. A rule about the whole ring that stays broken is said once.
   * @param changed peers whose pointers have changed since the last time
   */
  *broken(rules: RuleSet, changed: Iterable<Id>): Iterable<Broken> {
    for (const id of changed) {
      const state = this.#live.get(id);
      if (state === undefined) continue;
      for (const [rule, check] of Object.entries(rules.states)) {
        const what = check(state);
        if (what !== undefined) yield { rule, what };
      }
    }
    if (this.#checked === this.#version) return;
    this.#checked = this.#version;
    for (const [rule, check] of Object.entries(rules.shapes)) {
      const what = check(this.shape);
      if (what !== undefined) yield { rule, what };
    }
  }

  #recomputeAll(): void {
    for (const id of this.#live.keys()) this.#recompute(id);
  }

  #recompute(id: Id): void {
    const state = this.#live.get(id);
    this.#point(id, state === undefined ? undefined : bestSuccessor(state, this.#live));
  }

  #point(id: Id, to: Id | undefined): void {
    const before = this.#best.get(id);
    if (before === to) return;
    this.#version += 1;
    if (before !== undefined) this.#pointing.get(before)?.delete(id);
    if (to === undefined) {
      this.#best.delete(id);
      return;
    }
    this.#best.set(id, to);
    const pointing = this.#pointing.get(to);
    if (pointing === undefined) this.#pointing.set(to, new Set([id]));
    else pointing.add(id);
  }
}
