/**
 * The errors of PeerStore.
 *
 * Every failure that somebody planned for is a {@link PeerStoreError} with a stable code. A code becomes a wire error
 * in src/wire/errors.ts and an exit code in src/cli/exit-codes.ts, and nowhere else. The message is for the person who
 * reads it: what was being done, to what, and what can be done now.
 */

/** The stable codes, with what each means. A code is never renamed: it travels on the wire and appears in logs. */
export const errorCodes = {
  USAGE: 'a bad option, value or path',
  UNREACHABLE: 'no connection could be made, or it broke before the answer came',
  TIMEOUT: 'the deadline passed before the answer came',
  CANCELLED: 'the caller gave up',
  NOT_ADMITTED: 'the identity, invite, key or passphrase was refused',
  FORBIDDEN: 'the caller is known, and may not do this',
  NOT_FOUND: 'there is no such value, snapshot, file or user',
  MISSING: 'data that should be there is on no peer that can be reached',
  DAMAGED: 'bytes do not match their id, signature or seal',
  CONFLICT: 'another value was accepted first',
  BUSY: 'the queue is full; come back later',
  NO_SPACE: 'the disk is full or the quota is used up',
  TOO_FEW_COPIES: 'fewer than a majority of the holders have it on disk',
  NOT_RESPONSIBLE: 'the key belongs to another peer; look it up again',
  UNSETTLED: 'the peer is changing its ring pointers; ask again in a moment',
  PROTOCOL: 'the bytes are not of this protocol, or break one of its limits',
  IN_USE: 'the data path or the port is taken',
  IO: 'the local disk or file system failed',
  INTERNAL: 'a fault of ours',
} as const;

/** A stable error code. */
export type ErrorCode = keyof typeof errorCodes;

/** Whether a string is one of our codes: the check for text that came from another machine. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

/** Details that go with an error: small, printable, never secret. */
export interface ErrorDetails {
  /** With BUSY and UNSETTLED: when it makes sense to try again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** What failed underneath. */
  readonly cause?: unknown;
}

/** A failure that somebody planned for. */
export class PeerStoreError extends Error {
  override readonly name = 'PeerStoreError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Whether an error is ours and carries one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is PeerStoreError {
  return error instanceof PeerStoreError && codes.includes(error.code);
}

/**
 * Whether an error is a failure that another attempt, or another peer, may make good: one of ours, and not that the caller
 * gave up.
 */
export function isFailure(error: unknown): error is PeerStoreError {
  return error instanceof PeerStoreError && error.code !== 'CANCELLED';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error (`ENOENT`, `ECONNREFUSED`...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Says that something which our own code guarantees holds. For our bugs only: what another machine, a file or a person
 * can cause is a {@link PeerStoreError}.
 * @throws Error naming the broken rule.
 */
export function assert(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Error(`broken rule: ${rule}`);
}
