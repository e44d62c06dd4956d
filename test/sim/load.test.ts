import { expect } from 'chai';

import { chanceOf } from './scenarios/load.js';

describe('sim: how evenly keys fall', () => {
  it('is judged by how likely a number of hits is', () => {
    expect(chanceOf(0, 10, 0.5)).to.be.closeTo(1 / 1024, 1e-12);
    expect(chanceOf(10, 10, 0.5)).to.be.closeTo(1 / 1024, 1e-12);
    expect(chanceOf(1, 10, 0.5)).to.be.closeTo(11 / 1024, 1e-12);
    expect(chanceOf(5, 10, 0.5)).to.be.greaterThan(0.5);
    expect(chanceOf(9_900, 10_000, 0.99)).to.be.greaterThan(0.4);
    // As many as five standard errors too few.
    expect(chanceOf(9_850, 10_000, 0.99)).to.be.lessThan(1e-5);
  });
});
