import { expect } from 'chai';

import {
  brokenIn,
  explore,
  type Exploration,
  largePromise,
  type RingPromise,
  runSeeds,
  smallPromise,
  successorsOnly,
} from './small-explore.js';
import * as mutants from './small-mutants.js';
import { type Event, type Protocol, SmallModel } from './small-model.js';

function exploration(
  places: number,
  length: number,
  promise: RingPromise,
  maxWorlds: number,
  protocol?: Protocol,
): Exploration {
  const model = new SmallModel({ places, length, ...(protocol === undefined ? {} : { protocol }) });
  return explore(model, promise, maxWorlds);
}

/** Takes one way and no other. @returns where it ends too early, and why. */
function follow(way: readonly string[], protocol?: Protocol): string {
  const model = new SmallModel({ places: 4, length: 4, ...(protocol === undefined ? {} : { protocol }) });
  let world = model.founded();
  for (const what of way) {
    const event = [...model.events(world)].find((one) => one.what.startsWith(what) && isEntry(one));
    if (event === undefined) return `${what}: not possible`;
    world = event.world;
    const [rule] = brokenIn(model, world, smallPromise) ?? [];
    if (rule !== undefined) return `${what}: ${rule}`;
  }
  return '';
}

function isEntry({ kind }: Event): boolean {
  return kind === 'enter' || kind === 'entry' || kind === 'end';
}

function expectSound({ found }: Exploration): void {
  expect(found === undefined ? '' : [found.rule, ...found.story].join('\n')).to.equal('');
}

describe('a small ring, from one peer up', () => {
  it('of three places knows all its members in every world there is, whoever crashes or comes again', () => {
    const all = exploration(3, 3, smallPromise, 1_000_000);
    expectSound(all);
    expect(all.isComplete).to.equal(true);
    expect(all.worlds).to.be.greaterThan(10_000);
  });

  it('of four places does so in all worlds near the beginning', () => {
    expectSound(exploration(4, 4, smallPromise, 30_000));
  });

  it('that outgrows its lists stays one ring as long as one principal lives', () => {
    const all = exploration(3, 1, largePromise, 1_000_000);
    expectSound(all);
    expect(all.isComplete).to.equal(true);
    expectSound(exploration(4, 2, largePromise, 15_000));
  });

  it('does so on long random ways, and becomes ideal after each', () => {
    runSeeds(1, 40);
  });

  describe('goes wrong', () => {
    it('by the steps of the paper alone: appendages that know only each other and the dead part from the ring', () => {
      const { found } = exploration(4, 4, successorsOnly, 100_000, mutants.paper);
      expect(found?.rule).to.be.oneOf(['orderedRing', 'atMostOneRing', 'connectedAppendages']);
      expect(found?.story.at(-1)).to.match(/^[A-D] (crashes|leaves)/);
    });

    const takenOut: readonly (readonly [what: string, protocol: Protocol, places: number])[] = [
      ['when newcomers do not introduce themselves', mutants.withoutIntroductions, 3],
      ['when a witness that has restarted is believed', mutants.withoutLives, 3],
      ['when lists forget the living', mutants.forgettingTheLiving, 4],
      ['when rectify adopts without asking', mutants.rectifyingUnasked, 4],
    ];
    for (const [what, protocol, places] of takenOut) {
      it(what, () => {
        const { found } = exploration(places, places, smallPromise, 100_000, protocol);
        expect(found).not.to.equal(undefined);
      });
    }

    it('when newcomers do not ask their witness again, and the witnesses die one after the other', () => {
      const way = [
        'B asks A to let it in',
        'B is done',
        'C asks A to let it in',
        'A crashes',
        'D asks B to let it in',
        'D introduces itself to A',
        'D is done',
        'B crashes',
        'C introduces itself to B',
        'C is done',
      ];
      expect(follow(way, mutants.withoutAskingAgain)).to.equal('C is done: oneLiveSuccessor');
      // With the rule, C finds that its witness is gone, and begins again.
      const asking = way.map((what) => what.replace(/(.) is done/, '$1 asks'));
      expect(follow(asking)).to.equal('C introduces itself to B: not possible');
    });

    it('when the dead stay in lists: it never becomes ideal', () => {
      expect(() => runSeeds(1, 40, mutants.keepingTheDead)).to.throw('does not become ideal');
    });
  });
});
