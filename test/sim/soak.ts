/**
 * `make soak MINUTES=n [JOBS=n] [SCENARIOS="a b"]`: runs of all scenarios in turn, each with a fresh seed in a process of
 * its own, until the time is over. The first run that breaks a rule, fails, or does not end stops it, with the command
 * that repeats that run. The last line of output is a JSON object of what was done.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { type Ended, type Running, start } from '../e2e/processes.js';
import { drawingScenarios, drawnOptions, replayCommand, runArguments, type RunOptions } from './drawn-run.js';
import type { Figures } from './scenario.js';

/** A run takes seconds. One that takes this long, however busy the machine is, will not end. */
const runMs = 300_000;
const progressEveryMs = 30_000;
const program = join(import.meta.dirname, 'run.js');

interface SoakOptions {
  readonly minutes: number;
  /** Runs at one time. */
  readonly jobs: number;
  readonly names: readonly string[];
  /** The seed of the first run; each further run has the next one. */
  readonly firstSeed: number;
}

/** What was done, of one scenario or of all. */
class Done {
  runs = 0;
  steps = 0;
  virtualMs = 0;

  add({ steps, virtualMs }: Pick<Figures, 'steps' | 'virtualMs'>): void {
    this.runs += 1;
    this.steps += steps;
    this.virtualMs += virtualMs;
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #done = new Done();
  readonly #byName = new Map<string, Done>();
  readonly #running = new Set<Running>();
  readonly #sinceMs = performance.now();
  #begun = 0;
  #isOver = false;
  #failures = 0;
  #isInterrupted = false;

  constructor(options: SoakOptions) {
    this.#options = options;
    for (const name of options.names) this.#byName.set(name, new Done());
  }

  /** Soaks until the time is over, something fails, or somebody interrupts it. @returns the exit code. */
  async run(): Promise<number> {
    const { jobs, names, firstSeed } = this.#options;
    console.error(`soak: ${names.join(', ')}; ${jobs} at a time; seeds from ${firstSeed}`);
    const progress = setInterval(() => this.#tell(), progressEveryMs);
    await Promise.all(Array.from({ length: jobs }, () => this.#work()));
    clearInterval(progress);
    console.log(
      JSON.stringify({
        runs: this.#done.runs,
        seeds: this.#begun,
        firstSeed,
        failures: this.#failures,
        seconds: Math.round((performance.now() - this.#sinceMs) / 1000),
        steps: this.#done.steps,
        virtualMs: this.#done.virtualMs,
        scenarios: Object.fromEntries(this.#byName),
      }),
    );
    if (this.#failures > 0) return 1;
    return this.#isInterrupted ? 130 : 0;
  }

  /** Ends it before its time. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#stop();
  }

  /** Ends every run that is under way, and begins no other. */
  #stop(): void {
    this.#isOver = true;
    for (const running of this.#running) running.kill('SIGKILL');
  }

  async #work(): Promise<void> {
    const { minutes, names, firstSeed } = this.#options;
    while (!this.#isOver && performance.now() - this.#sinceMs < minutes * 60_000) {
      const name = names[this.#begun % names.length]!;
      const options = drawnOptions(name, firstSeed + this.#begun);
      this.#begun += 1;
      await this.#one(name, options);
    }
  }

  async #one(name: string, options: RunOptions): Promise<void> {
    const command = [process.execPath, program, ...runArguments(name, options)];
    const running = await start(command, { cwd: process.cwd(), env: process.env });
    this.#running.add(running);
    const deadline = setTimeout(() => running.kill('SIGKILL'), runMs);
    const end = await running.ended;
    clearTimeout(deadline);
    this.#running.delete(running);
    if (this.#isOver) return;
    const figures = figuresOf(end);
    if (figures === undefined) {
      this.#failures += 1;
      this.#stop();
      const how =
        end.signal === 'SIGKILL'
          ? `was killed: it had ${runMs / 1000} s, and what memory there is`
          : `ended with ${end.code ?? end.signal}`;
      console.error(`${end.stderr}soak: a run ${how}; again: ${replayCommand(name, options)}`);
      return;
    }
    this.#done.add(figures);
    this.#byName.get(name)!.add(figures);
  }

  #tell(): void {
    const minutes = Math.round((performance.now() - this.#sinceMs) / 6_000) / 10;
    const { runs, steps } = this.#done;
    console.error(`soak: ${minutes} of ${this.#options.minutes} minutes, ${runs} runs, ${steps} steps`);
  }
}

/** What a run says in its last line; undefined when it did not end well. */
function figuresOf({ code, stdout }: Ended): Figures | undefined {
  if (code !== 0) return undefined;
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Figures;
}

function readOptions(args: string[]): SoakOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { minutes: { type: 'string' }, jobs: { type: 'string' }, seed: { type: 'string' } },
  });
  const number = (text: string | undefined, otherwise: number, least: number): number => {
    const value = text === undefined ? otherwise : Number(text);
    if (text === '' || !(value >= least)) throw new Error(`"${text}" is not a number from ${least}`);
    return value;
  };
  const names = positionals.length > 0 ? positionals : drawingScenarios;
  for (const name of names) drawnOptions(name, 0);
  return {
    minutes: number(values.minutes, 1, 0),
    jobs: Math.floor(number(values.jobs, 2, 1)),
    firstSeed: Math.floor(number(values.seed, randomInt(2 ** 32), 0)),
    names,
  };
}

async function main(): Promise<number> {
  let options: SoakOptions;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
  const soak = new Soak(options);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => soak.interrupt());
  return soak.run();
}

process.exitCode = await main();
