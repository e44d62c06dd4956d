/** How fast something goes on: what was counted within the last while. */
import type { Clock } from '../../base/clock.js';
import { limits } from '../../base/limits.js';

/** What is counted within one step is remembered as one. */
const stepMs = 1000;

export class Rate {
  readonly #clock: Clock;
  /** Counted from `atMs` on, in monotonic time, the oldest first. */
  readonly #steps: { readonly atMs: number; bytes: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(bytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#steps.at(-1);
    if (last !== undefined && nowMs - last.atMs < stepMs) last.bytes += bytes;
    else this.#steps.push({ atMs: nowMs, bytes });
    this.#forget(nowMs);
  }

  /** Bytes a second; null while too little has happened lately to say. */
  get bytesPerS(): number | null {
    const nowMs = this.#clock.monotonicMs();
    this.#forget(nowMs);
    const [first] = this.#steps;
    if (first === undefined || nowMs - first.atMs < stepMs) return null;
    const bytes = this.#steps.reduce((sum, step) => sum + step.bytes, 0);
    return (1000 * bytes) / (nowMs - first.atMs);
  }

  #forget(nowMs: number): void {
    while (this.#steps[0] !== undefined && nowMs - this.#steps[0].atMs >= limits.repairRateMs)
      this.#steps.shift();
  }
}
