/** Intervals on the circle of identifiers. All are clockwise, and wrap around zero. */
import type { Id } from './identifier.js';

/**
 * Whether `x` lies strictly between `a` and `b`, clockwise. When `a` equals `b` the interval is the whole circle but
 * `a` itself. (Zave 2017, `between`.)
 */
export function between(a: Id, x: Id, b: Id): boolean {
  return a < b ? a < x && x < b : a < x || x < b;
}

/** Whether `x` lies in (a, b]: what a peer `b` with predecessor `a` is responsible for. */
export function inHalfOpen(a: Id, x: Id, b: Id): boolean {
  return x === b || between(a, x, b);
}
