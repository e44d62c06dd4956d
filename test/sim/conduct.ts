/**
 * What peers may ask and answer, and when. The protocol is proved for steps that are atomic: an answer is applied to the
 * pointers under which it was asked for, and nobody builds on pointers that are about to change. What comes of a step that
 * is not is seldom seen, so the questions and answers themselves are looked at.
 *
 * - `oneStepAtATime`: a member asks one peer at a time for its pointers, and shows its own to no peer meanwhile.
 * - `outsidersAreSilent`: who has no pointers shows none, and who is on its way in answers no lookup.
 */
import { type Id, shortId } from '../../src/ring/identifier.js';
import type { Broken, Change, Saying, Watch } from './rules.js';

export class ConductWatch implements Watch {
  /** The questions for pointers that members wait for, with the events in which they were asked. */
  readonly #open = new Map<Id, Map<number, number>>();
  #broken: Broken[] = [];

  changed({ id, isUp }: Change): void {
    // Nothing of a process that has ended comes to an end.
    if (!isUp) this.#open.delete(id);
  }

  said(saying: Saying): void {
    if (saying.what === 'answers') this.#answers(saying);
    else if (saying.method !== 'successorList') return;
    else if (saying.what === 'has asked') this.#open.get(saying.id)?.delete(saying.question);
    else this.#asks(saying);
  }

  *broken(): Iterable<Broken> {
    const broken = this.#broken;
    this.#broken = [];
    yield* broken;
  }

  /** A newcomer, which looks for its place, may ask as it likes: it applies what it is told when it is introduced. */
  #asks({ id, question, event, isInside }: Saying): void {
    if (!isInside) return;
    const open = this.#open.get(id) ?? new Map<number, number>();
    if (open.size > 0)
      this.#note('oneStepAtATime', `${shortId(id)} asks two peers for their pointers at a time`);
    this.#open.set(id, open.set(question, event));
  }

  #answers({ id, method, event, hasPointers, isInside }: Saying): void {
    if (method === 'successor' && !isInside)
      this.#note('outsidersAreSilent', `${shortId(id)} answers a lookup on its way in`);
    if ((method === 'successorList' || method === 'introduce') && !hasPointers)
      this.#note('outsidersAreSilent', `${shortId(id)} shows pointers and has none`);
    if (method !== 'successorList') return;
    // What it says in the event in which it asks, it may have said before it asked.
    for (const since of this.#open.get(id)?.values() ?? [])
      if (since < event)
        this.#note('oneStepAtATime', `${shortId(id)} shows pointers that are about to change`);
  }

  #note(rule: string, what: string): void {
    this.#broken.push({ rule, what });
  }
}
