import { setImmediate as turn } from 'node:timers/promises';

import { expect } from 'chai';

import { hasCode } from '../../src/base/errors.js';
import { Tasks } from '../../src/client/tasks.js';

describe('tasks', () => {
  it('run side by side up to the bound, and one that is heavier than it runs alone', async () => {
    const tasks = new Tasks(4, 'cancelled');
    let weight = 0;
    let heaviest = 0;
    for (const own of [1, 1, 3, 2, 2, 9, 1, 4]) {
      await tasks.start(own, async () => {
        weight += own;
        expect(weight === own || weight <= 4, `${weight} with one of ${own}`).to.equal(true);
        heaviest = Math.max(heaviest, weight);
        await turn();
        weight -= own;
      });
    }
    await tasks.finish();
    expect([weight, heaviest]).to.deep.equal([0, 9]);
  });

  it('leave nothing behind on one that runs for long', async () => {
    const tasks = new Tasks(2, 'cancelled');
    let end = (): void => undefined;
    await tasks.start(1, () => new Promise<void>((resolve) => (end = resolve)));
    const race = Promise.race.bind(Promise);
    let raced = 0;
    Promise.race = ((values: readonly unknown[]) => {
      raced += 1;
      return race(values);
    }) as typeof race;
    try {
      for (let at = 0; at < 100; at += 1) await tasks.start(1, () => turn());
    } finally {
      Promise.race = race;
      end();
    }
    await tasks.finish();
    // Every race that a promise takes part in stays with it until it is settled.
    expect(raced).to.equal(0);
  });

  it('end with the first that fails, and start no more', async () => {
    const tasks = new Tasks(1, 'cancelled');
    const failure = new Error('no');
    await tasks.start(1, async () => {
      await turn();
      throw failure;
    });
    expect(await tasks.start(1, turn as () => Promise<void>).catch((error: unknown) => error)).to.equal(
      failure,
    );
    expect(await tasks.finish().catch((error: unknown) => error)).to.equal(failure);
    expect(tasks.signal.aborted).to.equal(true);
  });

  it('end with CANCELLED when the signal fires', async () => {
    const stop = new AbortController();
    const tasks = new Tasks(1, 'the test was cancelled', stop.signal);
    await tasks.start(1, () => turn());
    stop.abort();
    const error = await tasks.start(1, () => turn()).catch((reason: unknown) => reason);
    expect(hasCode(error, 'CANCELLED')).to.equal(true);
    await tasks.finish();
  });
});
