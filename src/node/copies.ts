/**
 * Doing one thing at several holders at once, until enough of them have done it.
 *
 * Where a holder cannot be reached, the next one stands in for it. A holder that refuses the value itself is not
 * replaced: somebody who has not heard of the better value would take this one, and a majority could be made of peers
 * who know nothing.
 */
import type { Clock } from '../base/clock.js';
import { hasCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Random } from '../base/random.js';
import type { Id } from '../ring/identifier.js';
import type { PeerRef } from '../ring/peer.js';
import { untilNotBusy } from './patience.js';

/** Does one thing at one holder; the signal says that it is wanted no more. */
export type AtHolder<T> = (holder: PeerRef, signal: AbortSignal) => Promise<T>;

export interface CopyJob<T> {
  /** Holders and those that stand in for them, in order. */
  readonly candidates: readonly PeerRef[];
  /** How many of them should do it. */
  readonly wanted: number;
  readonly majority: number;
  readonly atHolder: AtHolder<T>;
  /** Whether what is done is enough, so that the rest need not be waited for. */
  readonly isEnough: (done: readonly T[]) => boolean;
  /** Fires when whoever asked for it gave up. */
  readonly signal: AbortSignal;
  readonly onFailure: (holder: PeerRef, error: unknown) => void;
  /** Called when nothing of the job is under way any more. @param allDone whether nothing of it failed */
  readonly onSettled?: ((allDone: boolean) => void) | undefined;
}

/** The failures of a job that did not reach a majority, and how many did it. */
export class TooFew extends Error {
  constructor(
    readonly done: number,
    readonly failures: readonly unknown[],
  ) {
    super('a majority was not reached');
  }
}

interface Copy {
  readonly holder: Id;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
}

export interface CopiesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Told of a holder that has kept a copy waiting for longer than writing a block takes: it may be dead. */
  readonly onSlow: (holder: PeerRef) => void;
}

/** All copies of a peer that are on their way. */
export class Copies {
  readonly #tools: CopiesOptions;
  readonly #underWay = new Set<Copy>();
  /** Those whose job has got its answer already. */
  readonly #late = new Set<Copy>();
  /** Whether nothing new begins any more. */
  #hasGivenUp = false;

  constructor(tools: CopiesOptions) {
    this.#tools = tools;
  }

  /**
   * Carries out a job. When many copies of earlier jobs are still late, each holding its bytes in memory, it waits for
   * some of them before it returns, so that writers go no faster than the holders.
   * @returns what the holders that did it so far answered.
   * @throws TooFew, or PeerStoreError CANCELLED.
   */
  async run<T>(job: CopyJob<T>): Promise<readonly T[]> {
    const done = await this.#run(job);
    while (this.#late.size > limits.copiesUnderWay) {
      await Promise.race([...this.#late].map(({ ended }) => ended));
    }
    return done;
  }

  /** Gives up the copies to a peer that was found dead: it would keep jobs waiting until their deadlines. */
  giveUpOn(holder: Id): void {
    for (const copy of this.#underWay) {
      if (copy.holder === holder) {
        copy.controller.abort(new PeerStoreError('UNREACHABLE', 'the holder was found dead'));
      }
    }
  }

  /**
   * Resolves when no copy is on its way any more; after `graceMs` those that are left are given up, and from then on nobody
   * stands in, nor does any other job begin.
   */
  async settle(graceMs: number): Promise<void> {
    const timer = this.#tools.clock.setTimer(graceMs, () => {
      this.#hasGivenUp = true;
      for (const { controller } of this.#underWay) controller.abort();
    });
    while (this.#underWay.size > 0) await Promise.all([...this.#underWay].map(({ ended }) => ended));
    timer.cancel();
  }

  #run<T>(job: CopyJob<T>): Promise<readonly T[]> {
    const { wanted, majority, signal } = job;
    const waiting = [...job.candidates];
    const done: T[] = [];
    const failures: unknown[] = [];
    const own = new Set<Copy>();
    let refusals = 0;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let hasFailed = false;
      const over = (settle: () => void): void => {
        isOver = true;
        signal.removeEventListener('abort', onAbort);
        for (const copy of own) this.#late.add(copy);
        settle();
        settled();
      };
      let hasSettled = false;
      const settled = (): void => {
        if (!isOver || own.size > 0 || hasSettled) return;
        hasSettled = true;
        job.onSettled?.(failures.length === 0);
      };
      const fail = (error: Error): void => {
        hasFailed = true;
        over(() => reject(error));
      };
      const onAbort = (): void => {
        fail(new PeerStoreError('CANCELLED', 'the caller gave up'));
        for (const { controller } of own) controller.abort();
      };
      const goOn = (): void => {
        // Who asked for it was told that it has failed: nobody is to have it from now on who has not been asked yet.
        const isEnding = signal.aborted || hasFailed || this.#hasGivenUp;
        while (own.size + done.length + refusals < wanted && !isEnding) {
          const holder = waiting.shift();
          if (holder === undefined) break;
          start(holder);
        }
        if (isOver) return;
        const enough = done.length >= majority && (own.size === 0 || job.isEnough(done));
        if (enough) over(() => resolve([...done]));
        else if (own.size === 0 || wanted - refusals < majority) fail(new TooFew(done.length, failures));
      };
      const start = (holder: PeerRef): void => {
        const controller = new AbortController();
        const slow = this.#tools.clock.setTimer(limits.copySlowMs, () => this.#tools.onSlow(holder));
        const ended = untilNotBusy(() => job.atHolder(holder, controller.signal), {
          ...this.#tools,
          signal: controller.signal,
        }).then(
          (answer) => {
            done.push(answer);
          },
          (error: unknown) => {
            if (refusesValue(error)) refusals += 1;
            failures.push(error);
            job.onFailure(holder, error);
          },
        );
        const copy: Copy = { holder: holder.id, controller, ended };
        own.add(copy);
        this.#underWay.add(copy);
        if (isOver) this.#late.add(copy);
        void ended.then(() => {
          slow.cancel();
          own.delete(copy);
          this.#underWay.delete(copy);
          this.#late.delete(copy);
          goOn();
          settled();
        });
      };
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener('abort', onAbort, { once: true });
        goOn();
      }
    });
  }
}

/** Whether a holder's error is about the value, so that other holders should say the same. */
function refusesValue(error: unknown): boolean {
  return hasCode(error, 'CONFLICT', 'DAMAGED', 'FORBIDDEN', 'PROTOCOL');
}

/** What to tell the caller of a job that failed. */
export function failureOf(what: string, { done, failures }: TooFew, majority: number): PeerStoreError {
  const telling =
    failures.find((error) => refusesValue(error)) ?? failures.find((error) => hasCode(error, 'NO_SPACE'));
  if (telling instanceof PeerStoreError) return telling;
  const last = failures.at(-1);
  return new PeerStoreError(
    'TOO_FEW_COPIES',
    `${what}: ${done} of the ${majority} copies that make a majority are on disk; too few peers can be reached` +
      (last === undefined ? '' : ` (${messageOf(last)})`),
    { cause: last, retryAfterMs: tooFewRetryMs },
  );
}

/** About a round of stabilize: then the pointers have caught up. */
const tooFewRetryMs = 500;
