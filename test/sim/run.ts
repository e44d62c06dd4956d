/**
 * `npm run sim -- SCENARIO --seed N [--peers N] [--steps N] [--OWN VALUE]`: one simulation. The last line of its output is
 * JSON; a broken rule ends with 1 and names the command that repeats the run.
 */
import { parseArgs } from 'node:util';

import { replayCommand } from './drawn-run.js';
import type { CommonOptions, Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';

const common = ['seed', 'peers', 'steps'] as const;
/** Broken rules that are printed; the first ones say what is to be known. */
const violationsShown = 10;

function main(): Promise<number> {
  const name = process.argv[2] ?? '';
  const scenario = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  if (scenario === undefined) {
    return refuse(`there is no scenario "${name}"; there are:\n${listOfScenarios()}`);
  }
  let given: Record<string, number>;
  try {
    given = readNumbers([...common, ...Object.keys(scenario.own)], process.argv.slice(3));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
  // Without a seed every run is another one; what it was is printed.
  return runOne(name, scenario, { seed: Math.floor(Date.now() / 1000), ...given });
}

async function runOne(name: string, scenario: Scenario, options: CommonOptions): Promise<number> {
  const again = `again: ${replayCommand(name, { ...options })}`;
  try {
    const { violations, figures } = await scenario.run({ ...scenario.own, ...options });
    for (const { rule, what, atMs } of violations.slice(0, violationsShown)) {
      console.error(`broken at ${atMs.toFixed(1)} ms: ${rule}: ${what}`);
    }
    if (violations.length > 0) console.error(again);
    console.log(JSON.stringify(figures));
    return violations.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(error);
    console.error(again);
    return 1;
  }
}

function readNumbers(names: readonly string[], args: string[]): Record<string, number> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args, options });
  return Object.fromEntries(
    Object.entries(values).map(([name, text]) => {
      const value = Number(text);
      const isWhole = (common as readonly string[]).includes(name);
      if (
        typeof text !== 'string' ||
        text === '' ||
        !(isWhole ? Number.isSafeInteger(value) : value >= 0) ||
        value < 0
      )
        throw new Error(`--${name} takes a ${isWhole ? 'whole ' : ''}number from 0, not "${String(text)}"`);
      return [name, value];
    }),
  );
}

function listOfScenarios(): string {
  return Object.entries(scenarios)
    .map(([name, { summary, own }]) => {
      const options = Object.entries(own).map(([option, value]) => ` [--${option} ${value ?? 'N'}]`);
      return `  ${name}${options.join('')}: ${summary}`;
    })
    .join('\n');
}

function refuse(why: string): Promise<number> {
  console.error(why);
  return Promise.resolve(2);
}

process.exitCode = await main();
