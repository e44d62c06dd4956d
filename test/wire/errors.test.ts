import { expect } from 'chai';

import { PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { silentLogger } from '../../src/base/log.js';
import { fromWireError, toWireError } from '../../src/wire/errors.js';

describe('errors on the wire', () => {
  it('become INTERNAL when the code is of another version, and say which it was', () => {
    const error = fromWireError({ code: 'SHINY', message: 'new' });
    expect([error.code, error.message]).to.deep.equal(['INTERNAL', 'SHINY: new']);
    expect(fromWireError({ code: 'toString', message: '' }).code).to.equal('INTERNAL');
  });

  for (const bytes of [
    0,
    limits.errorMessageBytes - 1,
    limits.errorMessageBytes,
    limits.errorMessageBytes + 1,
  ]) {
    it(`have a message cut to its limit: ${bytes} bytes of it`, () => {
      const { message } = toWireError(new PeerStoreError('IO', 'x'.repeat(bytes)), 'ping', silentLogger);
      expect(message.length).to.equal(Math.min(bytes, limits.errorMessageBytes));
    });
  }

  it('are cut between characters', () => {
    const { message } = toWireError(new PeerStoreError('IO', `x${'ä'.repeat(999)}`), 'ping', silentLogger);
    expect(message).to.equal(`x${'ä'.repeat(511)}`);
  });

  for (const [asked, carried] of [
    [-1, 0],
    [0, 0],
    [0.5, 1],
    [limits.retryAfterMaxMs + 1, limits.retryAfterMaxMs],
  ] as const) {
    it(`carry a wait of ${asked} ms as ${carried}`, () => {
      const error = new PeerStoreError('BUSY', 'later', { retryAfterMs: asked });
      expect(toWireError(error, 'ping', silentLogger).retryAfterMs).to.equal(carried);
    });
  }
});
