/**
 * Runs whose options are drawn from their seed: what the soak and `make test` repeat with many seeds. A seed decides
 * the options as well as what happens, and the command that repeats a run names both.
 */
import { seededRandom } from '../../src/base/random.js';
import type { Scenario } from './scenario.js';
import { scenarios } from './scenarios/index.js';

/** The options of one run, `seed` among them. */
export interface RunOptions {
  readonly seed: number;
  readonly [name: string]: number;
}

/** The scenarios that draw their options, by name. */
export const drawingScenarios: readonly string[] = Object.entries(scenarios)
  .filter(([, scenario]) => 'draw' in scenario)
  .map(([name]) => name);

/**
 * The options of a scenario's run with this seed.
 * @param mostPeers where fewer than the drawn ones have to do
 * @throws Error when there is no such scenario, or it draws none.
 */
export function drawnOptions(name: string, seed: number, mostPeers = Infinity): RunOptions {
  const scenario: Scenario | undefined = Object.hasOwn(scenarios, name) ? scenarios[name] : undefined;
  if (scenario?.draw === undefined) throw new Error(`there is no scenario "${name}" that draws its options`);
  // Not the stream that the run itself takes from the same seed: that one begins below 2^32.
  const drawn = scenario.draw(seededRandom(seed + 2 ** 32));
  return {
    seed,
    ...drawn,
    ...(drawn['peers'] === undefined ? {} : { peers: Math.min(drawn['peers'], mostPeers) }),
  };
}

/** What run.js takes for a run. */
export function runArguments(name: string, options: Readonly<Record<string, number>>): readonly string[] {
  return [name, ...Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)])];
}

/** The command that repeats a run. */
export function replayCommand(name: string, options: Readonly<Record<string, number>>): string {
  return ['npm run --silent sim --', ...runArguments(name, options)].join(' ');
}
