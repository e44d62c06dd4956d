import { expect } from 'chai';

import { limits } from '../../src/base/limits.js';
import { ByteBudget } from '../../src/wire/budget.js';
import { Callers } from '../../src/wire/callers.js';
import type { Identity } from '../../src/wire/identity.js';
import { peerIdentity, userIdentity } from './certificates.js';
import { memoryFor } from './helpers.js';

describe('the callers of a listener', () => {
  const user = userIdentity('eve');
  const stranger: Identity = { kind: 'stranger' };

  for (const [who, identity, most] of [
    ['a user', user, limits.callerConnections],
    ['a peer', peerIdentity('mallory'), limits.callerConnections],
    ['strangers', stranger, limits.strangerConnections],
  ] as const) {
    it(`lets ${most} connections of ${who} in, and the others besides`, () => {
      const callers = new Callers(memoryFor());
      const admitted = Array.from({ length: most }, () => callers.admit(identity));
      expect(() => callers.admit(identity))
        .to.throw()
        .with.property('code', 'BUSY');
      callers.admit(peerIdentity('alice'));
      callers.admit(userIdentity('robert'));
      admitted[0]?.leave();
      callers.admit(identity);
      expect(() => callers.admit(identity))
        .to.throw()
        .with.property('code', 'BUSY');
    });
  }

  it('takes all devices of a user for one caller', () => {
    const callers = new Callers(memoryFor());
    const phone = { ...user, deviceKey: new Uint8Array(32).fill(9) };
    const [one, other] = [callers.admit(user), callers.admit(phone)];
    expect(one.memory).to.equal(other.memory);
  });

  it('leaves memory to the others when one caller has taken its share', () => {
    const callers = new Callers(memoryFor());
    const eve = callers.admit(user).memory;
    const { memory } = callers.admit(peerIdentity('alice'));
    expect(eve.requestBodies.tryTake(limits.callerRequestBodyBytes)).to.equal(true);
    expect(eve.requestBodies.tryTake(1)).to.equal(false);
    expect(memory.requestBodies.tryTake(limits.frameBodyBytes)).to.equal(true);
    expect(eve.answers.tryTake(limits.callerAnswerBytes)).to.equal(true);
    expect(eve.answers.tryTake(1)).to.equal(false);
    expect(memory.answers.tryTake(limits.callerAnswerBytes)).to.equal(true);
  });
});

describe('a budget that is part of another', () => {
  it('takes from both or from none, and gives back to both', () => {
    const whole = new ByteBudget(10);
    const [one, other] = [new ByteBudget(8, whole), new ByteBudget(8, whole)];
    expect(one.tryTake(9)).to.equal(false);
    expect(one.tryTake(8)).to.equal(true);
    expect(other.tryTake(3)).to.equal(false);
    expect(other.tryTake(2)).to.equal(true);
    one.giveBack(8);
    expect(other.tryTake(6)).to.equal(true);
    expect(whole.tryTake(2)).to.equal(true);
    expect(whole.tryTake(1)).to.equal(false);
  });
});
