/** From errors to exit codes: the one place. The table is part of the interface that scripts rely on. */
import type { ErrorCode } from '../base/errors.js';

export const exitCodes = {
  done: 0,
  unplanned: 1,
  usage: 2,
  incomplete: 3,
  unreachable: 4,
  notAdmitted: 5,
  notFound: 6,
  damaged: 7,
  conflict: 8,
  noSpace: 9,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byError: Readonly<Record<ErrorCode, ExitCode>> = {
  USAGE: exitCodes.usage,
  UNREACHABLE: exitCodes.unreachable,
  TIMEOUT: exitCodes.unreachable,
  CANCELLED: exitCodes.interrupted,
  NOT_ADMITTED: exitCodes.notAdmitted,
  FORBIDDEN: exitCodes.notAdmitted,
  NOT_FOUND: exitCodes.notFound,
  MISSING: exitCodes.damaged,
  DAMAGED: exitCodes.damaged,
  CONFLICT: exitCodes.conflict,
  BUSY: exitCodes.conflict,
  NO_SPACE: exitCodes.noSpace,
  TOO_FEW_COPIES: exitCodes.unreachable,
  NOT_RESPONSIBLE: exitCodes.conflict,
  UNSETTLED: exitCodes.conflict,
  PROTOCOL: exitCodes.unplanned,
  IN_USE: exitCodes.conflict,
  IO: exitCodes.unplanned,
  INTERNAL: exitCodes.unplanned,
};

/** The exit code for an error's code. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return byError[code];
}
