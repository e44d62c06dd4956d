/** A hash of everything that happens in a run: two runs of one seed have the same, or something is left to chance. */
import { createHash } from 'node:crypto';

/** Lines that are hashed together; one by one they would cost more than what they tell of. */
const linesAtOnce = 512;

export class Trace {
  readonly #hash = createHash('sha256');
  #lines: string[] = [];

  /** Writes something that happened at a moment of virtual time. */
  note(atMs: number, what: string): void {
    this.#lines.push(`${atMs} ${what}\n`);
    if (this.#lines.length >= linesAtOnce) this.#flush();
  }

  /** The hash so far, in hexadecimal. */
  get digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#lines.join(''));
    this.#lines = [];
  }
}
