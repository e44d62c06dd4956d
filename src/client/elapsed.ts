/** How much time has passed, on a machine that may have slept meanwhile or whose clock was set. */
import type { Clock } from '../base/clock.js';

/** @returns in milliseconds, the longer of what the two clocks say: one stands still in sleep, the other can be set back. */
export function startElapsed(clock: Clock): () => number {
  const [monotonicMs, wallMs] = [clock.monotonicMs(), clock.nowMs()];
  return () => Math.max(clock.monotonicMs() - monotonicMs, clock.nowMs() - wallMs);
}
