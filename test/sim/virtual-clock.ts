/**
 * Virtual time: a clock that only moves when the simulation says so.
 *
 * Timers fire one after the other, in the order of their times and, at one time, in the order in which they were set.
 * Before the next one fires, every promise job that the last one caused has run: what a run does depends on nothing but
 * its timers, never on how fast the machine is.
 */
import type { Clock, Timer } from '../../src/base/clock.js';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  action: (() => void) | undefined;
}

/** Where virtual time begins for people: any fixed moment will do. */
const startMs = Date.UTC(2030, 0, 1);
/** Events after which the real event loop has a turn, for signals and time-outs of whoever runs the simulation. */
const eventsATurn = 8192;

export class VirtualClock implements Clock {
  /** Called after every event, when all that it caused at once is done. */
  onEvent: () => void = () => undefined;
  readonly #heap: Pending[] = [];
  #nowMs = 0;
  #order = 0;
  #events = 0;

  nowMs(): number {
    return startMs + Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  setTimer(delayMs: number, action: () => void): Timer {
    this.#order += 1;
    const pending: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, action };
    this.#push(pending);
    return {
      cancel: () => {
        pending.action = undefined;
      },
    };
  }

  /** Lets this much time pass. */
  async runFor(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await drainPromiseJobs();
    while (await this.#fireNext(untilMs));
    this.#nowMs = untilMs;
  }

  /** Lets time pass until something is so. @throws Error when it still is not after `withinMs`. */
  async runUntil(what: string, isSo: () => boolean, withinMs: number): Promise<void> {
    const untilMs = this.#nowMs + withinMs;
    await drainPromiseJobs();
    while (!isSo()) {
      if (!(await this.#fireNext(untilMs))) {
        this.#nowMs = untilMs;
        if (isSo()) return;
        throw new Error(`after ${withinMs} ms of virtual time it still is not so: ${what}`);
      }
    }
  }

  /** Lets time pass until a promise is settled. @throws what it rejects with. */
  async run<T>(work: Promise<T>, withinMs = 600_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    work.then(settled, settled);
    await this.runUntil('the work has ended', () => isSettled, withinMs);
    return work;
  }

  async #fireNext(untilMs: number): Promise<boolean> {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      const { action } = next;
      if (action === undefined) continue;
      this.#nowMs = next.atMs;
      this.#events += 1;
      action();
      await (this.#events % eventsATurn === 0 ? turnOfTheEventLoop() : drainPromiseJobs());
      this.onEvent();
      return true;
    }
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(pending);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(pending, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pending;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * Node calls what a promise job puts off to the next tick when no promise job is left, however long their chain is. (What
 * is put off outside of promise jobs, it calls before them: hence the first wait.)
 */
function drainPromiseJobs(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
