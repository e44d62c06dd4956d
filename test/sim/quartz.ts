/** What a simulated machine takes for time. */
import type { Clock } from '../../src/base/clock.js';

/** A quartz that is fast or slow, and a wall clock that somebody may set. */
export interface Quartz {
  /** Seconds that it counts in a second. */
  rate: number;
  /** What its wall clock is ahead, in milliseconds. */
  aheadMs: number;
}

/** The clock of a machine with this quartz. */
export function clockOf(quartz: Quartz, clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs() + quartz.aheadMs,
    monotonicMs: () => clock.monotonicMs() * quartz.rate,
    setTimer: (delayMs, action) => clock.setTimer(delayMs / quartz.rate, action),
  };
}
