/** A console that keeps what is written to it. */
import type { Console } from '../../src/cli/run.js';

export interface FakeConsole extends Console {
  readonly outLines: string[];
  readonly errLines: string[];
  readonly bytes: Uint8Array[];
}

export function fakeConsole(env: Readonly<Record<string, string>> = {}): FakeConsole {
  const outLines: string[] = [];
  const errLines: string[] = [];
  const bytes: Uint8Array[] = [];
  return {
    outLines,
    errLines,
    bytes,
    out: (line) => void outLines.push(line),
    outBytes: (piece) => {
      bytes.push(Uint8Array.from(piece));
      return Promise.resolve();
    },
    err: (line) => void errLines.push(line),
    env,
  };
}
