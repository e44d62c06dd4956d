/** Errors across the wire: the one place that turns an error into what a frame carries, and back. */
import { asBuffer, utf8 } from '../base/bytes.js';
import { hasCode, isErrorCode, messageOf, PeerStoreError } from '../base/errors.js';
import { limits } from '../base/limits.js';
import type { Logger } from '../base/log.js';

/** An error as a frame carries it. */
export interface WireError {
  /** A code of src/base/errors.ts; from another version of the protocol it may be one that we do not know. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/**
 * What the caller is told of a failure. A failure that nobody planned for is logged here, and its message, which may
 * name paths or contents of this machine, does not leave it.
 * @param doing names the work for the log: `postBlock`
 */
export function toWireError(error: unknown, doing: string, log: Logger): WireError {
  if (!(error instanceof PeerStoreError)) {
    log.error('a request failed for an unplanned reason', { request: doing, error: messageOf(error) });
    return { code: 'INTERNAL', message: `${doing} failed at the other side; its log says why` };
  }
  const message = cutToBytes(error.message, limits.errorMessageBytes);
  if (error.retryAfterMs === undefined) return { code: error.code, message };
  const retryAfterMs = Math.min(limits.retryAfterMaxMs, Math.max(0, Math.ceil(error.retryAfterMs)));
  return { code: error.code, message, retryAfterMs };
}

/**
 * The error that a frame carried. An unknown code becomes INTERNAL, and the message says which it was. People see the
 * message in their terminals, which must not obey what the other side wrote into it.
 */
export function fromWireError(wire: WireError): PeerStoreError {
  const message = withoutControls(wire.message);
  const details = wire.retryAfterMs === undefined ? {} : { retryAfterMs: wire.retryAfterMs };
  return isErrorCode(wire.code)
    ? new PeerStoreError(wire.code, message, details)
    : new PeerStoreError('INTERNAL', `${withoutControls(wire.code)}: ${message}`, details);
}

function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}

/** Whether an error of a call means that nobody (or somebody else) is there, as opposed to an answer that is no. */
export function meansNoAnswer(error: unknown): boolean {
  return hasCode(error, 'UNREACHABLE', 'TIMEOUT', 'NOT_ADMITTED', 'USAGE');
}

/** An error as one of ours: INTERNAL for what nobody planned for. */
export function asPeerStoreError(error: unknown): PeerStoreError {
  return error instanceof PeerStoreError
    ? error
    : new PeerStoreError('INTERNAL', messageOf(error), { cause: error });
}

/** The longest beginning of a text that has at most `maxBytes` bytes of UTF-8 and cuts no character. */
function cutToBytes(text: string, maxBytes: number): string {
  const bytes = asBuffer(utf8(text));
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
