/**
 * Feeds a reader with inputs that were made of others, and keeps those as new ones to begin with that made something run
 * which had not run before (as libFuzzer does). To look at what has run takes as long as to read hundreds of inputs, so many
 * are read between two looks; where they bring something new, it is looked for in either half of them.
 */
import type { Random } from '../../src/base/random.js';
import type { Coverage } from './coverage.js';
import { mutated } from './mutate.js';
import type { Target } from './target.js';

const inputsPerLook = 2048;

export interface FuzzOptions {
  readonly target: Target;
  readonly random: Random;
  readonly coverage: Coverage;
  /** Inputs to begin with, beside the target's own. */
  readonly corpus: readonly Uint8Array[];
  /** Called before each input is read, so that it is known should reading it never end. */
  readonly onInput: (input: Uint8Array) => void;
  /** Whether to go on, after so many inputs. */
  readonly goOn: (executions: number) => boolean;
}

/** An input that was read otherwise than planned. */
export interface Finding {
  readonly input: Uint8Array;
  /** What was thrown. */
  readonly error: unknown;
}

export interface FuzzReport {
  readonly executions: number;
  /** Parts of the program that ran. */
  readonly parts: number;
  /** Inputs that made something run which had not. */
  readonly discoveries: readonly Uint8Array[];
  /** The first input that was read otherwise than planned: with it the run is over. */
  readonly finding?: Finding;
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { target, random, coverage, corpus, goOn } = options;
  const pool = [...(await target.seeds()), ...corpus];
  const discoveries: Uint8Array[] = [];
  let executions = 0;
  const report = (finding?: Finding): FuzzReport => ({
    executions,
    parts: coverage.size,
    discoveries,
    ...(finding === undefined ? {} : { finding }),
  });
  /** Reads inputs. @returns a finding. */
  const readAll = (inputs: readonly Uint8Array[]): Finding | undefined => {
    for (const input of inputs) {
      options.onInput(input);
      try {
        // A copy: what a reader does to it is not to come back in other inputs.
        target.read(Uint8Array.from(input));
      } catch (error) {
        return { input, error };
      }
    }
    return undefined;
  };
  /** Reads inputs, and keeps those that bring something new. @returns a finding. */
  const explore = (inputs: readonly Uint8Array[]): Finding | undefined => {
    const finding = readAll(inputs);
    const fresh = coverage.fresh();
    if (finding !== undefined || fresh.length === 0) return finding;
    const [only] = inputs;
    if (inputs.length > 1 || only === undefined) {
      const middle = inputs.length >> 1;
      return explore(inputs.slice(0, middle)) ?? explore(inputs.slice(middle));
    }
    coverage.add(fresh);
    pool.push(only);
    discoveries.push(only);
    return undefined;
  };
  const first = readAll(pool);
  coverage.add(coverage.fresh());
  if (first !== undefined) return report(first);
  while (goOn(executions)) {
    const finding = explore(Array.from({ length: inputsPerLook }, () => mutated(pool, random)));
    if (finding !== undefined) return report(finding);
    executions += inputsPerLook;
  }
  return report();
}
