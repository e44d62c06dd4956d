/**
 * `npm run --silent fuzz -- TARGET [--seconds N] [--seed N] [--keep]`: fuzzes one reader of foreign bytes, or `all` in
 * turn. An input that was read otherwise than planned goes into the corpus, and ends the run with 1. With `--keep`, so do
 * those that made something run which had not.
 */
import { parseArgs } from 'node:util';

import { showCount } from '../../src/cli/units.js';
import { addToCorpus } from './corpus.js';
import { targets } from './targets/index.js';
import { fuzzWatched } from './watched.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
  });
  const [name = ''] = positionals;
  const names = name === 'all' ? Object.keys(targets) : [name];
  const seconds = Number(values.seconds ?? 60);
  // Without a seed every run is another one; what it was is printed.
  const seed = Number(values.seed ?? Math.floor(Date.now() / 1000));
  if (!names.every((each) => Object.hasOwn(targets, each)) || !(seconds > 0) || !Number.isSafeInteger(seed)) {
    const known = Object.entries(targets).map(([each, { what }]) => `  ${each.padEnd(14)} ${what}`);
    console.error('usage: npm run --silent fuzz -- TARGET [--seconds N] [--seed N] [--keep]');
    console.error([...known, '  all            each in turn'].join('\n'));
    return 2;
  }
  let code = 0;
  for (const target of names) {
    const report = await fuzzWatched({ target, seed, executions: Infinity, timeMs: seconds * 1000 });
    const { executions, parts, discoveries, finding } = report;
    if (values.keep === true) addToCorpus(target, discoveries);
    console.log(JSON.stringify({ target, seed, executions, parts, discoveries: discoveries.length }));
    if (finding === undefined) continue;
    console.error(`${target}: ${finding.what}`);
    console.error(
      `${showCount(finding.input.length, 'byte')}, kept as ${addToCorpus(target, [finding.input])}`,
    );
    code = 1;
  }
  return code;
}

process.exitCode = await main();
