import { expect } from 'chai';

import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { Contacts } from '../../src/node/contacts.js';
import { LocalHealth } from '../../src/node/local-health.js';
import type { PeerIdentity } from '../../src/wire/identity.js';
import { MemoryNetwork } from '../../src/wire/memory.js';
import type { Transport } from '../../src/wire/transport.js';
import { seededRandom } from '../../src/base/random.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { failureOf } from '../wire/helpers.js';

/** A transport on which every call ends like this. */
function ending(way: ErrorCode | 'answer'): Transport {
  const call = (): Promise<unknown> =>
    way === 'answer'
      ? Promise.resolve({ response: {} })
      : Promise.reject(new PeerStoreError(way, 'as it was told'));
  return { call } as unknown as Transport;
}

const identityOf = (place: number): PeerIdentity => {
  const { id, machine } = peerAt(place);
  return { kind: 'peer', ids: [id], machine };
};

describe('node/contacts', () => {
  for (const way of ['answer', 'BUSY', 'UNSETTLED', 'FORBIDDEN', 'INTERNAL', 'NOT_FOUND'] as const) {
    it(`a call that ends with ${way} is a sign of life`, async () => {
      const clock = new VirtualClock();
      const contacts = new Contacts(clock, new LocalHealth(clock));
      expect(contacts.silentMs(peerAt(1).id)).to.equal(Infinity);
      await contacts
        .noting(ending(way))
        .call(peerAt(1), 'ping', {})
        .catch(() => undefined);
      await clock.runFor(700);
      expect(contacts.silentMs(peerAt(1).id)).to.equal(700);
      expect(contacts.unansweredMs(peerAt(1).id)).to.equal(700);
      expect(contacts.silentMs(peerAt(2).id)).to.equal(Infinity);
    });
  }

  for (const way of ['UNREACHABLE', 'TIMEOUT', 'NOT_ADMITTED', 'CANCELLED', 'USAGE'] as const) {
    it(`a call that ends with ${way} is none, and the error is handed on`, async () => {
      const clock = new VirtualClock();
      const contacts = new Contacts(clock, new LocalHealth(clock));
      const failure = await failureOf(contacts.noting(ending(way)).call(peerAt(1), 'ping', {}));
      expect(failure.code).to.equal(way);
      expect(contacts.silentMs(peerAt(1).id)).to.equal(Infinity);
      expect(contacts.unansweredMs(peerAt(1).id)).to.equal(Infinity);
    });
  }

  it('a request is a sign of life of who has proved to make it', async () => {
    const clock = new VirtualClock();
    const contacts = new Contacts(clock, new LocalHealth(clock));
    const network = new MemoryNetwork({ clock, random: seededRandom(1) });
    const { address, id } = peerAt(1);
    await contacts
      .noting(network.transport(identityOf(1)))
      .listen(address, () => Promise.reject(new PeerStoreError('BUSY', 'whatever comes of it')));
    await clock.run(failureOf(network.transport(identityOf(2)).call({ address, id }, 'ping', {})));
    expect(contacts.silentMs(peerAt(2).id)).to.be.lessThan(1);
    expect(contacts.unansweredMs(peerAt(2).id)).to.equal(Infinity);
    expect(contacts.silentMs(peerAt(3).id)).to.equal(Infinity);
  });

  it('remembers so many peers and no more', async () => {
    const clock = new VirtualClock();
    const contacts = new Contacts(clock, new LocalHealth(clock));
    const transport = contacts.noting(ending('answer'));
    for (let place = 0; place <= limits.contacts; place += 1) {
      await transport.call(peerAt(place), 'ping', {});
      await transport.call(peerAt(1), 'ping', {});
    }
    expect(contacts.silentMs(peerAt(0).id)).to.equal(Infinity);
    expect(contacts.silentMs(peerAt(1).id)).to.equal(0);
    expect(contacts.silentMs(peerAt(limits.contacts).id)).to.equal(0);
  });
});
