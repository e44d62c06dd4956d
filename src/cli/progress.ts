/** A line on the terminal that says how far a long command is. Only where a person looks at it. */
import type { Clock } from '../base/clock.js';
import { showCount, showDuration, showSize } from './units.js';

/** The least time between two changes of the line. */
const everyMs = 100;

export interface Progress {
  /** Adds what has been done since the last call. */
  readonly add: (done: { readonly files: number; readonly bytes: number }) => void;
  /** Writes a line for people without disturbing the progress line. */
  readonly line: (text: string) => void;
  /** Takes the line away. */
  readonly end: () => void;
}

/**
 * Shows progress, or nothing where it is not wanted or nobody looks.
 * @param verb what is being done: `backing up`
 * @param noun what is counted
 */
export function startProgress(
  verb: string,
  wanted: boolean,
  clock: Clock,
  terminal: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
  line: (text: string) => void,
  noun = 'file',
): Progress {
  if (!wanted || !terminal.isTTY) return { add: () => undefined, line, end: () => undefined };
  const since = clock.monotonicMs();
  let files = 0;
  let bytes = 0;
  let shownMs = -everyMs;
  const clear = '\r\u001b[K';
  return {
    add: (done) => {
      files += done.files;
      bytes += done.bytes;
      const nowMs = clock.monotonicMs();
      if (nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      const rate = showSize(Math.round((bytes / Math.max(1, nowMs - since)) * 1000));
      terminal.write(
        `${clear}${verb}: ${showCount(files, noun)}, ${showSize(bytes)} in ${showDuration(nowMs - since)} (${rate}/s)`,
      );
    },
    line: (text) => {
      terminal.write(clear);
      line(text);
    },
    end: () => terminal.write(clear),
  };
}
