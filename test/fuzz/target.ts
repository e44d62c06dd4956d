/** What can be fuzzed: a reader of bytes that a stranger, a peer or a disk may have written. */
import { type ErrorCode, hasCode } from '../../src/base/errors.js';

export interface Target {
  /** What it reads. */
  readonly what: string;
  /** Inputs to begin with, at least some of them without a fault. */
  readonly seeds: () => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Reads an input, which is its own. What it throws is a finding: refusals that are planned are not thrown. */
  readonly read: (input: Uint8Array) => void;
}

/**
 * Reads, and takes a planned refusal for an answer.
 * @returns what was read, or undefined when it was refused.
 * @throws whatever else is thrown: a finding.
 */
export function unlessRefused<T>(codes: readonly ErrorCode[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, ...codes)) return undefined;
    throw error;
  }
}
