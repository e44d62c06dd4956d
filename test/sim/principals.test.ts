import { expect } from 'chai';

import { aloneState, type RingState } from '../../src/ring/state.js';
import { idAt, peerAt } from '../ring/fixtures.js';
import { principalRules, principals, smallRingRules } from './principals.js';
import { brokenRules } from './rules.js';
import { type Member, RingShape } from './shape.js';

/** A member at a place with its predecessor and its list; `dead` ones have crashed. */
function member(place: number, predecessor: number | null, list: readonly number[], alive = true): Member {
  const before = predecessor === null ? null : peerAt(predecessor);
  const state: RingState = { self: peerAt(place), predecessor: before, successors: list.map(peerAt) };
  return { state, alive };
}

const principalsOf = (...members: readonly Member[]) => principals(RingShape.of(members));
const brokenOf = (...members: readonly Member[]) => [
  ...brokenRules(members, principalRules).keys(),
  ...brokenRules(members, smallRingRules).keys(),
];

const ideal = [member(1, 9, [4, 9]), member(4, 1, [9, 1]), member(9, 4, [1, 4])];

describe('sim: principals', () => {
  it('are all members of an ideal ring, and the only one of a ring of one', () => {
    expect(principalsOf(...ideal)).to.deep.equal([idAt(1), idAt(4), idAt(9)]);
    expect(principalsOf({ state: aloneState(peerAt(5)), alive: true })).to.deep.equal([idAt(5)]);
    expect(principalsOf()).to.deep.equal([]);
  });

  it('are those whom nobody skips: not with a list, nor with a predecessor, nor as a ring of one', () => {
    expect(principalsOf(member(1, 9, [9]), ...ideal.slice(1))).to.deep.equal([idAt(1), idAt(9)]);
    expect(principalsOf(...ideal.slice(0, 2), member(9, 1, [1, 4]))).to.deep.equal([idAt(1), idAt(9)]);
    expect(principalsOf({ state: aloneState(peerAt(1)), alive: true }, member(4, 1, [1]))).to.deep.equal([
      idAt(1),
    ]);
  });

  it('are not skipped by the dead, and are not dead', () => {
    expect(principalsOf(...ideal, member(11, 1, [1], false))).to.have.length(3);
    expect(principalsOf(...ideal.slice(0, 2), member(9, 4, [1, 4], false))).to.deep.equal([idAt(1), idAt(4)]);
  });

  it('are needed: two pairs that know only each other have none', () => {
    const two = [member(1, 4, [4]), member(4, 1, [1]), member(9, 12, [12]), member(12, 9, [9])];
    expect(principalsOf(...two)).to.deep.equal([]);
    expect(brokenOf(...two)).to.include('sufficientPrincipals');
  });
});

describe('sim: the rules of small rings', () => {
  it('hold in an ideal ring, with dead entries, in a ring of one, and where nobody is', () => {
    expect(brokenOf(...ideal)).to.deep.equal([]);
    expect(brokenOf(...ideal.slice(0, 2), member(9, 4, [1, 4], false))).to.deep.equal([]);
    expect(brokenOf({ state: aloneState(peerAt(5)), alive: true })).to.deep.equal([]);
    expect(brokenOf()).to.deep.equal([]);
  });

  it('completeLists is found broken by a member that is not named', () => {
    expect(brokenOf(member(1, 9, [9]), ...ideal.slice(1))).to.deep.equal(['completeLists']);
  });

  it('completeLists is found broken by a member that does not see the whole ring', () => {
    expect(brokenOf(member(1, 9, [4]), ...ideal.slice(1))).to.deep.equal(['completeLists']);
  });

  it('nearestPredecessors is found broken by one that is farther than a member, or missing', () => {
    expect(brokenOf(...ideal.slice(0, 2), member(9, 1, [1, 4]))).to.include('nearestPredecessors');
    expect(brokenOf(...ideal.slice(0, 2), member(9, null, [1, 4]))).to.include('nearestPredecessors');
  });
});
