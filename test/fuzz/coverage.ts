/** Which parts of the program have run, as V8 counts them. */
import { type Profiler, Session } from 'node:inspector';

export class Coverage {
  readonly #session = new Session();
  readonly #within: string;
  /** Parts that have run before. */
  readonly #seen = new Set<string>();

  /** @param within the beginning of the urls of the modules that count */
  constructor(within: string) {
    this.#within = within;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Forgets what ran since the last call. @returns the parts of it that had never run before, until {@link add}. */
  fresh(): readonly string[] {
    let found: readonly Profiler.ScriptCoverage[] = [];
    // The answer is there when the call returns: the session is to this very thread.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      found = answer.result;
    });
    return found
      .filter(({ url }) => url.startsWith(this.#within))
      .flatMap(({ url, functions }) =>
        functions
          .flatMap(({ ranges }) => ranges)
          .filter(({ count }) => count > 0)
          .map(({ startOffset, endOffset }) => `${url} ${startOffset} ${endOffset}`),
      )
      .filter((part) => !this.#seen.has(part));
  }

  /** Counts parts as seen. */
  add(parts: readonly string[]): void {
    for (const part of parts) this.#seen.add(part);
  }

  /** Parts that have run. */
  get size(): number {
    return this.#seen.size;
  }

  end(): void {
    this.#session.disconnect();
  }
}
