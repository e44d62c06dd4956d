import { expect } from 'chai';

import { holderOrder, majorityOf } from '../../src/node/placement.js';
import type { PeerRef } from '../../src/ring/peer.js';
import { peerAt } from '../ring/fixtures.js';

const inZone = (place: number, zone?: string, machine = place): PeerRef => ({
  ...peerAt(place),
  machine: peerAt(machine).machine,
  ...(zone === undefined ? {} : { zone }),
});
const places = (peers: readonly PeerRef[]): number[] => peers.map(({ id }) => parseInt(id, 16));

describe('node/placement', () => {
  it('keeps the order of the ring where nothing sets peers apart', () => {
    expect(places(holderOrder([inZone(3), inZone(5), inZone(1)]))).to.deep.equal([3, 5, 1]);
    expect(holderOrder([])).to.deep.equal([]);
  });

  it('counts virtual nodes of one machine once, at the first of them', () => {
    expect(places(holderOrder([inZone(1), inZone(2, undefined, 1), inZone(3)]))).to.deep.equal([1, 3]);
  });

  it('takes a machine of a new zone before one of a zone that has a copy', () => {
    const candidates = [inZone(1, 'a'), inZone(2, 'a'), inZone(3, 'b'), inZone(4, 'b'), inZone(5, 'c')];
    expect(places(holderOrder(candidates))).to.deep.equal([1, 3, 5, 2, 4]);
  });

  it('keeps the one who coordinates first, whatever its zone', () => {
    expect(places(holderOrder([inZone(9, 'a'), inZone(1, 'b'), inZone(2, 'a')]))[0]).to.equal(9);
  });

  it('takes peers without a zone for zones of their own', () => {
    expect(places(holderOrder([inZone(1, 'a'), inZone(2), inZone(3), inZone(4, 'a')]))).to.deep.equal([
      1, 2, 3, 4,
    ]);
  });

  it('a majority is more than half', () => {
    expect([1, 2, 3, 4, 5, 6].map(majorityOf)).to.deep.equal([1, 2, 2, 3, 3, 4]);
  });
});
