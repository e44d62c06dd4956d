/** One good answer out of several sources: the next is asked when one fails, or hangs. */
import type { Clock, Timer } from '../base/clock.js';

export interface FirstAnswerOptions<S> {
  readonly clock: Clock;
  /** After how long, again and again, it is asked whether a source that has not answered hangs. */
  readonly patienceMs: number;
  /** Ends every question. */
  readonly signal?: AbortSignal;
  /**
   * Whether a source that takes long is gone, so that the next one is asked beside it. Time alone does not tell: on a
   * slow link every source takes long, and asking several makes it slower. It does not reject.
   */
  readonly isGone: (source: S) => Promise<boolean>;
}

/** What came of asking: an answer, or every source's failure, in the order in which they failed. */
export type FirstAnswer<T> = { readonly answer: T } | { readonly failures: readonly unknown[] };

/**
 * Asks the sources in their order until one answers.
 * @param ask gives the answer or throws; its signal fires when the answer is not wanted any more
 */
export function firstAnswer<S, T>(
  options: FirstAnswerOptions<S>,
  sources: readonly S[],
  ask: (source: S, signal: AbortSignal) => Promise<T>,
): Promise<FirstAnswer<T>> {
  const { clock, patienceMs, signal, isGone } = options;
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  const waiting = [...sources];
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    let running = 0;
    const end = (result: FirstAnswer<T>): void => {
      timer?.cancel();
      stop.abort();
      resolve(result);
    };
    /** Looks after the source that was asked last, as long as no other was. */
    const watch = (source: S): void => {
      const mine = clock.setTimer(patienceMs, () => {
        void isGone(source).then((gone) => {
          if (timer !== mine || stop.signal.aborted) return;
          if (gone) next();
          else watch(source);
        });
      });
      timer = mine;
    };
    const next = (): void => {
      timer?.cancel();
      timer = undefined;
      const source = waiting.shift();
      if (source === undefined) {
        if (running === 0) end({ failures });
        return;
      }
      running += 1;
      watch(source);
      ask(source, either).then(
        (answer) => end({ answer }),
        (error: unknown) => {
          running -= 1;
          failures.push(error);
          if (!stop.signal.aborted) next();
        },
      );
    };
    next();
  });
}
