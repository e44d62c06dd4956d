/**
 * Mutants: the program with one rule of the protocol turned wrong, run in the simulator, which has to find it. Nothing in
 * the program knows of them: a mutant is made of the compiled text of one module while Node loads it, in a process of
 * its own.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { type Ended, type Running, start } from '../../e2e/processes.js';
import type { Change } from './hooks.js';

/** A change of the compiled text. */
export interface Edit {
  /** The module, below dist/src. */
  readonly file: string;
  /** A text that occurs in it once, and what stands there instead. */
  readonly was: string;
  readonly becomes: string;
}

export interface Mutant extends Edit {
  /** What it does wrong. */
  readonly name: string;
  /** Where the program keeps the rule in more than one place: the other ones. */
  readonly also?: readonly Edit[];
  /** The scenario that finds it, and its options but the seed. */
  readonly run: string;
  /** Rules: one of them has to be found broken. */
  readonly breaks: readonly string[];
  /** The seed to try first, as it found the mutant before; 1 unless told. */
  readonly seed?: number;
}

/** Seeds after which a mutant counts as one that nobody finds. */
export const seedsTried = 10;

/** The seeds to look for a mutant with, in order. */
export function seedsFor({ seed: first = 1 }: Mutant): readonly number[] {
  const all = Array.from({ length: seedsTried }, (_, at) => at + 1);
  return [first, ...all.filter((seed) => seed !== first)];
}

const compiled = resolve(import.meta.dirname, '../../../src');
const program = resolve(import.meta.dirname, '../run.js');
const tests = pathToFileURL(resolve(import.meta.dirname, '../..')).href;
/** What the rules reckon with, and not only the program. */
const judged = ['ring/interval.js', 'ring/state.js'];
const hooks = pathToFileURL(join(import.meta.dirname, 'hooks.js')).href;
/** A broken protocol may turn in circles. Then it is found in any case. */
const runMs = 120_000;

/** Why a mutant cannot be made of the program as it is now; undefined when it can. */
export function misfit(mutant: Mutant): string | undefined {
  return editsOf(mutant)
    .map(misfitOf)
    .find((fault) => fault !== undefined);
}

function editsOf({ file, was, becomes, also = [] }: Mutant): readonly Edit[] {
  return [{ file, was, becomes }, ...also];
}

function misfitOf({ file, was, becomes }: Edit): string | undefined {
  const times = readFileSync(join(compiled, file), 'utf8').split(was).length - 1;
  if (times === 1 && was !== becomes) return undefined;
  return `the mutation no longer fits: mend it ("${was}" occurs ${times} times in dist/src/${file})`;
}

/** Runs that are under way, so that they can be ended. */
export class MutantRuns {
  readonly #running = new Set<Running>();
  /** Runs of the program as it is, by their arguments: many mutants are looked for by the same ones. */
  readonly #sound = new Map<string, Promise<Ended>>();

  /** One run of a mutant. */
  mutated(mutant: Mutant, seed: number): Promise<Ended> {
    const changes = editsOf(mutant).map(({ file, was, becomes }): Change => {
      const url = pathToFileURL(join(compiled, file)).href;
      return { url, was, becomes, judges: judged.includes(file) ? tests : undefined };
    });
    const loader =
      `import { register } from 'node:module';` +
      `register(${JSON.stringify(hooks)}, { data: ${JSON.stringify(changes)} });`;
    return this.#run(['--import', `data:text/javascript,${encodeURIComponent(loader)}`], mutant.run, seed);
  }

  /** The same run of the program as it is. */
  sound({ run }: Mutant, seed: number): Promise<Ended> {
    const key = `${run} ${seed}`;
    const known = this.#sound.get(key);
    if (known !== undefined) return known;
    const ended = this.#run([], run, seed);
    this.#sound.set(key, ended);
    return ended;
  }

  /** Ends all that are under way. */
  async end(): Promise<void> {
    const running = [...this.#running];
    for (const one of running) one.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
  }

  async #run(nodeOptions: readonly string[], run: string, seed: number): Promise<Ended> {
    const command = [process.execPath, ...nodeOptions, program, ...run.split(' '), '--seed', String(seed)];
    const running = await start(command, { cwd: process.cwd(), env: process.env });
    this.#running.add(running);
    const deadline = setTimeout(() => running.kill('SIGKILL'), runMs);
    const end = await running.ended;
    clearTimeout(deadline);
    this.#running.delete(running);
    return end;
  }
}

/** The rules that a run found broken. */
export function brokenIn({ stderr }: Ended): readonly string[] {
  return [...new Set([...stderr.matchAll(/^broken at [\d.]+ ms: (\w+): /gm)].map(([, rule]) => rule!))];
}
