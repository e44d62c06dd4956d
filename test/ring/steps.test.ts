import { expect } from 'chai';
import fc from 'fast-check';

import { type Random, seededRandom } from '../../src/base/random.js';
import type { Id } from '../../src/ring/identifier.js';
import { between } from '../../src/ring/interval.js';
import { aloneState, faultIn, firstSuccessor, type RingState, seesWholeRing } from '../../src/ring/state.js';
import * as steps from '../../src/ring/steps.js';
import { idAt, peerAt } from './fixtures.js';

const listLength = 3;

/** A ring whose peers ask each other directly: every question is answered at once, or its peer is dead. */
class DirectRing {
  readonly states = new Map<Id, RingState>();

  found(place: number): void {
    this.states.set(idAt(place), aloneState(peerAt(place)));
  }

  join(place: number, through: Id): boolean {
    const member = this.states.get(through);
    if (member === undefined || !steps.isPlaceOf(peerAt(place), member)) return false;
    this.states.set(idAt(place), steps.join(peerAt(place), member, listLength));
    return true;
  }

  crash(id: Id): void {
    this.states.delete(id);
  }

  /**
   * Whether the protocol's assumptions would still hold without this peer: every other one has a live successor, and
   * there are more principals (members that no list skips) than a list is long. Below that number rings can part for
   * good by the steps alone; what brings them together again then is that peers remember each other.
   */
  mayCrash(id: Id): boolean {
    const rest = [...this.states.values()].filter(({ self }) => self.id !== id);
    const lives = (peer: Id): boolean => peer !== id && this.states.has(peer);
    if (rest.some(({ successors }) => !successors.some((peer) => lives(peer.id)))) return false;
    const isSkipped = (peer: Id): boolean =>
      rest.some(({ self, successors }) =>
        [self, ...successors].some((before, at, all) => {
          const after = all[at + 1];
          return after !== undefined && between(before.id, peer, after.id);
        }),
      );
    return rest.filter(({ self }) => !isSkipped(self.id)).length > listLength;
  }

  stabilize(id: Id): void {
    const state = this.states.get(id);
    if (state === undefined) return;
    const answer = this.states.get(firstSuccessor(state).id);
    const step =
      answer === undefined ? steps.stabilizeWithoutAnswer(state) : steps.stabilize(state, answer, listLength);
    this.apply(id, step);
  }

  apply(id: Id, { state, next }: steps.Step): void {
    this.states.set(id, state);
    if (next.do === 'ask') {
      const answer = this.states.get(next.peer.id);
      this.apply(
        id,
        answer === undefined
          ? steps.stabilizeFromPredecessorWithoutAnswer(state)
          : steps.stabilizeFromPredecessor(state, answer, listLength),
      );
    } else if (next.do === 'notify') {
      this.notify(next.peer.id, id);
    }
  }

  notify(id: Id, from: Id): void {
    const state = this.states.get(id);
    const candidate = this.states.get(from)?.self;
    if (state === undefined || candidate === undefined) return;
    const rectified = steps.rectify(state, candidate, listLength);
    if (rectified !== undefined) this.states.set(id, rectified);
    else if (state.predecessor !== null && !this.states.has(state.predecessor.id)) {
      this.states.set(id, steps.forgetPredecessor(state));
    }
  }

  checkPredecessor(id: Id): void {
    const state = this.states.get(id);
    if (state === undefined || state.predecessor === null || this.states.has(state.predecessor.id)) return;
    this.states.set(id, steps.forgetPredecessor(state));
  }

  round(): void {
    for (const id of [...this.states.keys()]) {
      this.stabilize(id);
      this.checkPredecessor(id);
    }
  }

  /** All members on one ring, each pointing at its true neighbours, with full lists. */
  isIdeal(): boolean {
    const ids = [...this.states.keys()].sort();
    return ids.every((id, at) => {
      const state = this.states.get(id)!;
      const behind = [...ids.slice(at + 1), ...ids.slice(0, at)].slice(0, listLength);
      const before = ids.length === 1 ? undefined : ids.at(at - 1);
      return (
        state.predecessor?.id === before &&
        JSON.stringify(state.successors.map((p) => p.id)) === JSON.stringify(behind)
      );
    });
  }
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)]!;
}

describe('the steps of the ring', () => {
  it('make one ring of two out of one peer and a newcomer', () => {
    const ring = new DirectRing();
    ring.found(7);
    expect(ring.join(3, idAt(7))).to.equal(true);
    for (let round = 0; round < 3; round += 1) ring.round();
    expect(ring.isIdeal()).to.equal(true);
    expect(seesWholeRing(ring.states.get(idAt(7))!)).to.equal(true);
  });

  it('leave a ring of one behind when the other of two dies', () => {
    const ring = new DirectRing();
    ring.found(7);
    ring.join(3, idAt(7));
    for (let round = 0; round < 3; round += 1) ring.round();
    ring.crash(idAt(3));
    for (let round = 0; round < 3; round += 1) ring.round();
    expect(ring.states.get(idAt(7))).to.deep.equal(aloneState(peerAt(7)));
  });

  it('keep every list in order, and come to the ideal ring when churn stops', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fffffff }), (seed) => {
        const random = seededRandom(seed);
        const ring = new DirectRing();
        ring.found(random.below(64));
        for (let step = 0; step < 200; step += 1) {
          const ids = [...ring.states.keys()];
          const chance = random.below(10);
          const place = random.below(64);
          if (chance === 0 && !ring.states.has(idAt(place))) ring.join(place, pick(random, ids));
          else if (chance === 1) {
            const victim = pick(random, ids);
            if (ring.mayCrash(victim)) ring.crash(victim);
          } else if (chance < 4) ring.checkPredecessor(pick(random, ids));
          else ring.stabilize(pick(random, ids));
          for (const state of ring.states.values())
            expect(faultIn(state), `seed ${seed}`).to.equal(undefined);
        }
        for (let round = 0; round < 4 * ring.states.size + 4 && !ring.isIdeal(); round += 1) ring.round();
        expect(
          ring.isIdeal(),
          `seed ${seed}: ${JSON.stringify([...ring.states.values()], null, 1)}`,
        ).to.equal(true);
        const before = JSON.stringify([...ring.states.entries()]);
        ring.round();
        expect(JSON.stringify([...ring.states.entries()]), 'an ideal ring is quiet').to.equal(before);
      }),
      { numRuns: 300 },
    );
  });

  it('ask on, from one that was missing to the next before it, until nobody is missing', () => {
    const state = { self: peerAt(1), predecessor: peerAt(9), successors: [peerAt(9)] };
    const answer = { self: peerAt(7), predecessor: peerAt(4), successors: [peerAt(9), peerAt(1)] };
    const step = steps.stabilizeFromPredecessor(state, answer, listLength);
    expect(step.state.successors).to.deep.equal([peerAt(7), peerAt(9)]);
    expect(step.next).to.deep.equal({ do: 'ask', peer: peerAt(4) });
    for (const predecessor of [null, peerAt(1), peerAt(9)]) {
      const { next } = steps.stabilizeFromPredecessor(state, { ...answer, predecessor }, listLength);
      expect(next).to.deep.equal({ do: 'notify', peer: peerAt(7) });
    }
  });

  it('take whoever says that it leaves out of the pointers, and believe nothing else of it', () => {
    const [a, b, c, d] = [peerAt(1), peerAt(2), peerAt(3), peerAt(4)];
    expect(steps.afterLeave({ self: a, predecessor: d, successors: [b, c] }, b.id)).to.deep.equal({
      self: a,
      predecessor: d,
      successors: [c],
    });
    expect(steps.afterLeave({ self: c, predecessor: b, successors: [d, a] }, b.id)).to.deep.equal({
      self: c,
      predecessor: null,
      successors: [d, a],
    });
    expect(steps.afterLeave({ self: a, predecessor: b, successors: [b] }, b.id)).to.deep.equal(aloneState(a));
    const lost = { self: a, predecessor: d, successors: [b] };
    expect(steps.afterLeave(lost, b.id), 'it is to come in again').to.deep.equal(lost);
  });
});
