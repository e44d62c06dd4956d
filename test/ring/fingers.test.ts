import { expect } from 'chai';
import fc from 'fast-check';

import { limits } from '../../src/base/limits.js';
import { FingerTable } from '../../src/ring/fingers.js';
import { distanceBits, type Id, idBits, idPlusPowerOfTwo } from '../../src/ring/identifier.js';
import { inHalfOpen } from '../../src/ring/interval.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { idAt, peerAt } from './fixtures.js';

/** Ids at every scale: a power of two and a little more from each other. */
const id = fc
  .tuple(fc.integer({ min: 0, max: idBits - 1 }), fc.integer({ min: 0, max: idBits - 1 }))
  .map(([high, low]) => idPlusPowerOfTwo(idPlusPowerOfTwo(idAt(0), high), low));
const at = (place: Id): PeerRef => ({ ...peerAt(0), id: place });

/** The other peers in the order in which they follow one. */
function ringBehind(self: Id, ids: Iterable<Id>): PeerRef[] {
  const others = [...new Set(ids)].filter((other) => other !== self).sort();
  return [...others.filter((other) => other > self), ...others.filter((other) => other < self)].map(at);
}

/** By definition: the first peer at or after `self + 2^power`, among those in a list that goes round once at most. */
const fingerOf = (self: Id, power: number, list: readonly PeerRef[]): PeerRef | undefined =>
  list.find((peer) => inHalfOpen(self, idPlusPowerOfTwo(self, power), peer.id));

describe('ring/fingers', () => {
  it('the list answers the powers that it reaches, and the others are asked for', () => {
    fc.assert(
      fc.property(id, fc.array(id, { minLength: 1, maxLength: 40 }), (self, ids) => {
        const successors = ringBehind(self, ids).slice(0, limits.successorListLength);
        const table = new FingerTable(self);
        const beyond = table.fillFromSuccessors({ self: at(self), predecessor: null, successors });
        const near = new Set<PeerRef>();
        for (let power = 0; power < idBits; power += 1) {
          const finger = fingerOf(self, power, successors);
          expect(beyond.includes(power), `power ${power}`).to.equal(finger === undefined);
          if (finger !== undefined) near.add(finger);
        }
        expect(table.heads()).to.deep.equal([...near]);
      }),
    );
  });

  it('keeps those beyond the list with their stand-ins, in the order of the powers, each once', () => {
    const table = new FingerTable(idAt(0));
    const state = { self: peerAt(0), predecessor: null, successors: [peerAt(1), peerAt(2), peerAt(5)] };
    expect(table.fillFromSuccessors(state)[0]).to.equal(3);
    table.set(5, [peerAt(40), peerAt(41), peerAt(42), peerAt(43), peerAt(44)]);
    table.set(4, [peerAt(17), peerAt(40)]);
    const standIns = Array.from({ length: limits.fingerPeers - 1 }, (_, next) => peerAt(41 + next));
    expect(table.heads()).to.deep.equal([1, 2, 5, 17, 40].map(peerAt));
    expect(table.peers()).to.deep.equal([...[1, 2, 5, 17, 40].map(peerAt), ...standIns]);
  });

  it('forgets the dead wherever they stand, and what the list has come to reach', () => {
    const table = new FingerTable(idAt(0));
    const state = { self: peerAt(0), predecessor: null, successors: [peerAt(1), peerAt(2)] };
    table.fillFromSuccessors(state);
    table.set(2, [peerAt(4)]);
    table.set(6, [peerAt(70), peerAt(80)]);
    table.remove(idAt(1));
    table.remove(idAt(70));
    expect(table.heads()).to.deep.equal([2, 4, 80].map(peerAt));
    table.fillFromSuccessors({ ...state, successors: [peerAt(2), peerAt(6)] });
    expect(table.heads()).to.deep.equal([2, 6, 80].map(peerAt));
  });

  it('a distance has as many bits as it has', () => {
    expect(distanceBits(idAt(7), idAt(7))).to.equal(0);
    expect(distanceBits(idAt(7), idAt(8))).to.equal(1);
    expect(distanceBits(idAt(7), idAt(11))).to.equal(3);
    expect(distanceBits(idAt(8), idAt(7)), 'nearly a turn').to.equal(idBits);
  });
});
