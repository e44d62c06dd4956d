/** `npm run sim -- SCENARIO --seed N [--peers N]`: one simulation. The last line of its output is JSON. */
import { parseArgs } from 'node:util';

import { grow } from './scenarios/grow.js';
import type { Scenario } from './scenario.js';

const scenarios: Readonly<Record<string, Scenario>> = { grow };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, peers: { type: 'string' } },
});
const [name = ''] = positionals;
const scenario = scenarios[name];
if (scenario === undefined) {
  console.error(`there is no scenario "${name}"; there are: ${Object.keys(scenarios).join(', ')}`);
  process.exit(2);
}
const seed = wholeNumber('seed', values.seed) ?? Math.floor(Date.now() / 1000);
const peers = wholeNumber('peers', values.peers);
const replay = `npm run --silent sim -- ${name} --seed ${seed}${peers === undefined ? '' : ` --peers ${peers}`}`;
try {
  const { world, figures } = await scenario.run({ seed, ...(peers === undefined ? {} : { peers }) });
  for (const { rule, what, atMs } of world.violations.slice(0, 10)) {
    console.error(`broken at ${atMs.toFixed(1)} ms: ${rule}: ${what}`);
  }
  if (world.violations.length > 0) {
    console.error(`again: ${replay}`);
    process.exitCode = 1;
  }
  console.log(JSON.stringify(figures));
} catch (error) {
  console.error(error);
  console.error(`again: ${replay}`);
  process.exitCode = 1;
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    console.error(`--${option} takes a whole number, not "${text}"`);
    process.exit(2);
  }
  return Number(text);
}
