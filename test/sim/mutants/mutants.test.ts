import { expect } from 'chai';

import { brokenIn, misfit, type Mutant, MutantRuns, seedsFor } from './mutant.js';
import { mutants } from './mutants.js';

/** What became of a mutant: the seed that found it, with what it found, or undefined when none of them did. */
type Fate = { readonly seed: number; readonly broken: readonly string[] } | undefined;

describe('sim: a wrong rule is found', function () {
  this.timeout(600_000);
  const runs = new MutantRuns();
  const fates = new Map<Mutant, Promise<Fate>>();

  /** Looks for a mutant with one seed after the other; each has to pass on the program as it is. */
  async function hunt(mutant: Mutant): Promise<Fate> {
    for (const seed of seedsFor(mutant)) {
      const end = await runs.mutated(mutant, seed);
      if (end.code === 0) continue;
      const sound = await runs.sound(mutant, seed);
      if (sound.code !== 0)
        throw new Error(`${mutant.run} fails as it is, with seed ${seed}:\n${sound.stderr}`);
      return { seed, broken: brokenIn(end) };
    }
    return undefined;
  }

  function fateOf(mutant: Mutant | undefined): Promise<Fate> {
    if (mutant === undefined || misfit(mutant) !== undefined) return Promise.resolve(undefined);
    const fate = fates.get(mutant) ?? hunt(mutant);
    // Whoever waits for it hears of a failure; nobody may wait for it yet.
    fate.catch(() => undefined);
    fates.set(mutant, fate);
    return fate;
  }

  after(() => runs.end());

  for (const [at, mutant] of mutants.entries()) {
    it(mutant.name, async () => {
      expect(misfit(mutant)).to.equal(undefined);
      const fate = fateOf(mutant);
      // Two at a time: the next one is looked for meanwhile.
      void fateOf(mutants[at + 1]);
      const { seed, broken } = (await fate) ?? { seed: 'no seed', broken: [] };
      expect(broken, `found by ${seed}`).to.satisfy((rules: readonly string[]) =>
        rules.some((rule) => mutant.breaks.includes(rule)),
      );
    });
  }
});
