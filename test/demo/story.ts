/** What the demo prints: numbered steps, how long each took, and the whole. */
import { showDuration } from '../../src/cli/units.js';

/** Escape sequences of a terminal; nothing where the output is not one. */
interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

export class Story {
  readonly #out: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;
  readonly #style: Style;
  readonly #sinceMs = performance.now();
  #steps = 0;

  constructor(out: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>) {
    this.#out = out;
    const wrap = (code: number) => (text: string) => (out.isTTY ? `\u001b[${code}m${text}\u001b[0m` : text);
    this.#style = { bold: wrap(1), dim: wrap(2), good: wrap(32), bad: wrap(31) };
  }

  title(text: string): void {
    this.#line(`\n${this.#style.bold(text)}`);
  }

  /** One step: its heading, what it has to say, and how long it took. */
  async step<T>(heading: string, action: () => Promise<T>): Promise<T> {
    this.#steps += 1;
    this.#line(`\n${this.#style.bold(`${this.#steps}. ${heading}`)}`);
    const sinceMs = performance.now();
    const result = await action();
    this.#line(
      `   ${this.#style.good('done')} ${this.#style.dim(`in ${showDuration(performance.now() - sinceMs)}`)}`,
    );
    return result;
  }

  /** A remark on the step. */
  say(text: string): void {
    this.#line(`   ${text}`);
  }

  picture(lines: readonly string[]): void {
    this.#line('');
    for (const line of lines) this.#line(`   ${line}`);
  }

  end(text: string): void {
    this.#line(
      `\n${this.#style.bold(text)} ${this.#style.dim(`(${showDuration(performance.now() - this.#sinceMs)})`)}\n`,
    );
  }

  fail(reason: string): void {
    this.#line(`   ${this.#style.bad('failed:')} ${reason}\n`);
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`);
  }
}
