import type { Clock } from '../../src/base/clock.js';

/** The clock of a process that is held up when its timers would fire, for as long as it says when they are set. */
export function lateClock(clock: Clock, lateMs: () => number): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, action) => clock.setTimer(delayMs + lateMs(), action),
  };
}
