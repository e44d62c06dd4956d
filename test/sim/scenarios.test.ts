import { randomInt } from 'node:crypto';

import { expect } from 'chai';

import { drawingScenarios, drawnOptions, replayCommand } from './drawn-run.js';
import type { Outcome } from './scenario.js';
import { scenarios } from './scenarios/index.js';

const fixedSeeds = [1, 2] as const;
/** Another one each time: what `make test` has not seen yet. Its test's name says what it was. */
const freshSeed = randomInt(2 ** 32);
/** More than a successor list names, and few enough for a second. */
const mostPeers = 20;

describe('sim: every scenario', function () {
  // Runs are about a second long. Where others work on the same machine, they take their time.
  this.timeout(300_000);

  it('draws the options of a short run', () => {
    expect(drawingScenarios).to.have.members(Object.keys(scenarios));
  });

  for (const name of drawingScenarios) {
    const run = (seed: number): Promise<Outcome> => {
      const scenario = scenarios[name]!;
      return scenario.run({ ...scenario.own, ...drawnOptions(name, seed, mostPeers) });
    };
    const outcomes = new Map<number, Promise<Outcome>>();

    for (const seed of [...fixedSeeds, freshSeed]) {
      it(`keeps the rules: ${replayCommand(name, drawnOptions(name, seed, mostPeers))}`, async () => {
        const outcome = run(seed);
        outcomes.set(seed, outcome);
        expect((await outcome).violations).to.deep.equal([]);
      });
    }

    it(`depends on nothing but its seed: ${name}`, async () => {
      const [seed] = fixedSeeds;
      const before = await (outcomes.get(seed) ?? run(seed));
      const { figures, violations } = await run(seed);
      expect(figures).to.deep.equal(before.figures);
      expect(violations).to.deep.equal(before.violations);
    });
  }
});
