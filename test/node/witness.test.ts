import { expect } from 'chai';

import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { Witness } from '../../src/node/witness.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { Transport } from '../../src/wire/transport.js';
import { peerAt } from '../ring/fixtures.js';
import { Deferred, failureOf } from '../wire/helpers.js';

const suspect = peerAt(1);
const accuser = peerAt(2);
const never = new AbortController().signal;

/** A witness that knows the suspect, on a network where calls end as told. */
function witness(end: () => Promise<unknown>) {
  const calls: (readonly [PeerRef, string, unknown])[] = [];
  const call = (...[to, method, request]: readonly [PeerRef, string, unknown]): Promise<unknown> => {
    calls.push([to, method, request]);
    return end();
  };
  const knows = ({ id, address }: PeerRef): boolean => id === suspect.id && address === suspect.address;
  return { calls, witness: new Witness({ transport: { call } as unknown as Transport, knows }) };
}

const answering = (isAlive: boolean) => () => Promise.resolve({ response: { isAlive } });
const failing = (code: ErrorCode) => () => Promise.reject(new PeerStoreError(code, 'as told'));

describe('node/witness', () => {
  it('asks the suspect once, and tells it who suspects it', async () => {
    const one = witness(answering(true));
    expect(await one.witness.testify(suspect, accuser, never)).to.equal(true);
    expect(one.calls).to.deep.equal([[suspect, 'probe', { suspect, accuser }]]);
  });

  for (const code of ['UNREACHABLE', 'TIMEOUT', 'NOT_ADMITTED'] as const) {
    it(`a suspect whose answer is ${code} was not reached`, async () => {
      expect(await witness(failing(code)).witness.testify(suspect, accuser, never)).to.equal(false);
    });
  }

  for (const code of ['BUSY', 'PROTOCOL', 'INTERNAL'] as const) {
    it(`a suspect that refuses with ${code} lives`, async () => {
      expect(await witness(failing(code)).witness.testify(suspect, accuser, never)).to.equal(true);
    });
  }

  it('calls nobody whom it does not know, nor anybody at another address', async () => {
    const one = witness(answering(true));
    for (const stranger of [peerAt(3), { ...suspect, address: '10.9.9.9:22' }]) {
      expect((await failureOf(one.witness.testify(stranger, accuser, never))).code).to.equal('NOT_FOUND');
    }
    expect(one.calls).to.deep.equal([]);
  });

  it('asks for so many at once and no more, and for others when those are done', async () => {
    const gate = new Deferred<unknown>();
    const one = witness(() => gate.promise);
    const ask = (): Promise<boolean> => one.witness.testify(suspect, accuser, never);
    const asking = Array.from({ length: limits.testimoniesAtOnce }, ask);
    expect((await failureOf(ask())).code).to.equal('BUSY');
    expect(one.calls).to.have.length(limits.testimoniesAtOnce);
    gate.resolve({ response: { isAlive: true } });
    await Promise.all(asking);
    expect(await ask()).to.equal(true);
  });
});
