import { expect } from 'chai';

import { peerAt } from '../ring/fixtures.js';
import { ConductWatch } from './conduct.js';
import type { Saying } from './rules.js';

const { id } = peerAt(1);
const member = { id, method: 'successorList', question: 0, hasPointers: true, isInside: true } as const;

describe('sim: what peers may ask and answer', () => {
  let watch: ConductWatch;
  let event: number;
  const said = (saying: Partial<Saying> & Pick<Saying, 'what'>): string[] => {
    event += 1;
    watch.said({ ...member, event, ...saying });
    return [...watch.broken()].map(({ rule }) => rule);
  };

  beforeEach(() => {
    watch = new ConductWatch();
    event = 0;
  });

  it('a member may ask one peer after the other, and show its pointers in between', () => {
    for (const question of [1, 2]) {
      expect(said({ what: 'asks', question })).to.deep.equal([]);
      expect(said({ what: 'has asked', question })).to.deep.equal([]);
      expect(said({ what: 'answers' })).to.deep.equal([]);
    }
  });

  it('oneStepAtATime is found broken by a second question, and by pointers that are shown meanwhile', () => {
    said({ what: 'asks', question: 1 });
    expect(said({ what: 'answers' })).to.deep.equal(['oneStepAtATime']);
    expect(said({ what: 'asks', question: 2 })).to.deep.equal(['oneStepAtATime']);
  });

  it('pointers of the very event in which the question is asked may have been shown before', () => {
    said({ what: 'asks', question: 1, event: 7 });
    expect(said({ what: 'answers', event: 7 })).to.deep.equal([]);
    expect(said({ what: 'answers', event: 8 })).to.deep.equal(['oneStepAtATime']);
  });

  it('other questions and answers are no steps', () => {
    said({ what: 'asks', question: 1 });
    expect(said({ what: 'asks', question: 2, method: 'ping' })).to.deep.equal([]);
    expect(said({ what: 'answers', method: 'successor' })).to.deep.equal([]);
  });

  it('what a process had asked that crashed is forgotten', () => {
    said({ what: 'asks', question: 1 });
    const gone = { before: undefined, after: undefined, isUp: false, isInside: false, isLeaving: false };
    watch.changed({ id, atMs: 1, ...gone });
    expect(said({ what: 'asks', question: 2 })).to.deep.equal([]);
  });

  it('a newcomer may ask several, and show the pointers with which it joined', () => {
    said({ what: 'asks', question: 1, isInside: false });
    expect(said({ what: 'asks', question: 2, isInside: false })).to.deep.equal([]);
    expect(said({ what: 'answers', isInside: false })).to.deep.equal([]);
    expect(said({ what: 'answers', method: 'introduce', isInside: false })).to.deep.equal([]);
  });

  it('outsidersAreSilent is found broken by pointers of nobody, and by lookups on the way in', () => {
    const outside = { what: 'answers', isInside: false } as const;
    for (const method of ['successorList', 'introduce'] as const)
      expect(said({ ...outside, method, hasPointers: false })).to.deep.equal(['outsidersAreSilent']);
    expect(said({ ...outside, method: 'successor' })).to.deep.equal(['outsidersAreSilent']);
  });
});
