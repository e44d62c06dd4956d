/**
 * `npm run --silent mutants -- [--seeds N] [--jobs N] [TEXT]`: every mutant, or those whose name contains a text, with
 * many seeds: how many of them find it, and which rules they find broken. Seeds that fail as it is are left out.
 */
import { parseArgs } from 'node:util';

import { brokenIn, misfit, type Mutant, MutantRuns, seedsTried } from './mutant.js';
import { mutants } from './mutants.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seeds: { type: 'string' }, jobs: { type: 'string' } },
  });
  const seeds = Number(values.seeds ?? seedsTried);
  const jobs = Number(values.jobs ?? 2);
  const waiting = mutants.filter(({ name }) => name.includes(positionals.join(' ')));
  const runs = new MutantRuns();
  let survivors = 0;
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      if (!(await examine(runs, mutant, seeds))) survivors += 1;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return survivors > 0 ? 1 : 0;
}

/** @returns whether some seed found it by a rule that it breaks. */
async function examine(runs: MutantRuns, mutant: Mutant, seeds: number): Promise<boolean> {
  const fault = misfit(mutant);
  if (fault !== undefined) {
    console.log(`${mutant.name}: ${fault}`);
    return false;
  }
  const counts = new Map<string, number>();
  let [found, tried] = [0, 0];
  for (let seed = 1; seed <= seeds; seed += 1) {
    if ((await runs.sound(mutant, seed)).code !== 0) continue;
    tried += 1;
    const end = await runs.mutated(mutant, seed);
    const broken = end.code === 0 ? [] : brokenIn(end);
    for (const rule of end.code === 0 || broken.length > 0 ? broken : [`exit ${end.code ?? end.signal}`]) {
      counts.set(rule, (counts.get(rule) ?? 0) + 1);
    }
    if (broken.some((rule) => mutant.breaks.includes(rule))) found += 1;
  }
  const rules = [...counts].sort(([, a], [, b]) => b - a).map(([rule, count]) => `${rule} ${count}`);
  console.log(`${found} of ${tried}  ${mutant.name}: ${rules.join(', ')}`);
  return found > 0;
}

process.exitCode = await main();
