/**
 * Which blocks are stored, asked once a run: what wants to know at the same time shares one request. A confirmed block
 * has been touched, so nothing that was decided to be deleted earlier takes it away.
 */
import { assert } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Id } from '../ring/identifier.js';
import type { BlockSink } from './ports.js';

/** Requests at the same time: while they are under way, questions gather for the next. */
const requestsAtOnce = 4;

interface Question {
  readonly id: Id;
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Confirmations {
  readonly #sink: BlockSink;
  /** In the order of their age. An answer of "no" is not kept: the block is stored next. */
  readonly #stored = new Set<Id>();
  readonly #asked = new Map<Id, Promise<boolean>>();
  #questions: Question[] = [];
  #requests = 0;
  #isScheduled = false;

  constructor(sink: BlockSink) {
    this.#sink = sink;
  }

  /** Whether a block is known to be stored, without asking. */
  knows(id: Id): boolean {
    return this.#stored.has(id);
  }

  /** Notes a block that this run has stored. */
  note(id: Id): void {
    this.#stored.add(id);
    if (this.#stored.size <= limits.archiveConfirmations) return;
    for (const oldest of this.#stored) {
      this.#stored.delete(oldest);
      break;
    }
  }

  /** Whether a block is stored. Rejects with the sink's error. */
  ask(id: Id): Promise<boolean> {
    if (this.#stored.has(id)) return Promise.resolve(true);
    let answer = this.#asked.get(id);
    if (answer === undefined) {
      answer = new Promise<boolean>((resolve, reject) => this.#questions.push({ id, resolve, reject }));
      this.#asked.set(id, answer);
      this.#schedule();
    }
    return answer;
  }

  /** Sends what has gathered, once the code that is asking now is through with it. */
  #schedule(): void {
    if (this.#isScheduled || this.#requests >= requestsAtOnce || this.#questions.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const questions = this.#questions.splice(0, limits.hasBlocksIds);
    this.#requests += 1;
    this.#schedule();
    try {
      const answers = await this.#sink.has(questions.map(({ id }) => id));
      assert(answers.length === questions.length, 'a sink answers for every block that it was asked about');
      questions.forEach(({ id, resolve }, at) => {
        this.#asked.delete(id);
        if (answers[at] === true) this.note(id);
        resolve(answers[at] === true);
      });
    } catch (error) {
      for (const { id, reject } of questions) {
        this.#asked.delete(id);
        reject(error);
      }
    } finally {
      this.#requests -= 1;
      this.#schedule();
    }
  }
}
