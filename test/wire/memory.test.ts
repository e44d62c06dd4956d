import { expect } from 'chai';

import { seededRandom } from '../../src/base/random.js';
import { hashToId } from '../../src/ring/identifier.js';
import { type Fault, type MemoryMessage, MemoryNetwork } from '../../src/wire/memory.js';
import type { IncomingCall, Listener, Transport } from '../../src/wire/transport.js';
import { peerIdentity, userIdentity } from './certificates.js';
import { dispatchWith, failureOf, settled } from './helpers.js';
import { ManualClock } from './manual-clock.js';

const key = hashToId(new Uint8Array(1));

describe('the network in memory', () => {
  let clock: ManualClock;
  let messages: MemoryMessage[];
  let fault: (message: MemoryMessage) => Fault | undefined;
  let network: MemoryNetwork;
  let client: Transport;
  let listener: Listener;
  let calls: IncomingCall[];

  const build = (seed: number): void => {
    clock = new ManualClock();
    messages = [];
    fault = () => undefined;
    network = new MemoryNetwork({
      clock,
      random: seededRandom(seed),
      delayMs: (from, to) => (from < to ? 10 : 20),
      fault: (message) => {
        messages.push(message);
        return fault(message);
      },
    });
    client = network.transport(userIdentity('client'), 'a:1');
  };

  beforeEach(async () => {
    build(1);
    calls = [];
    listener = await network.transport(peerIdentity('server')).listen(
      'b:1',
      dispatchWith((call) => {
        calls.push(call);
        return Promise.resolve({ response: {} as never });
      }),
    );
  });

  it('lets messages travel as long as it is told, each way', async () => {
    let isAnswered = false;
    void client.call({ address: 'b:1' }, 'ping', {}).then(() => (isAnswered = true));
    clock.advance(9);
    expect(calls).to.have.length(0);
    clock.advance(1);
    expect(calls).to.have.length(1);
    await settled();
    clock.advance(19);
    await settled();
    expect(isAnswered).to.equal(false);
    clock.advance(1);
    await settled();
    expect(isAnswered).to.equal(true);
    expect(clock.timers).to.equal(0);
    expect(messages.map(({ from, to, kind }) => `${from} ${to} ${kind}`)).to.deep.equal([
      'a:1 b:1 request',
      'b:1 a:1 answer',
    ]);
  });

  it('loses what is sent to and from a paused address: the call ends with TIMEOUT by the clock', async () => {
    network.pause('b:1');
    const failure = failureOf(client.call({ address: 'b:1' }, 'ping', {}, { timeoutMs: 500 }));
    clock.advance(499);
    await settled();
    expect(calls).to.have.length(0);
    clock.advance(1);
    expect((await failure).code).to.equal('TIMEOUT');
    network.resume('b:1');
    void client.call({ address: 'b:1' }, 'ping', {});
    clock.advance(10);
    expect(calls).to.have.length(1);
  });

  it('silences the calls of a paused peer too, by the address where it listens', async () => {
    const peer = network.transport(peerIdentity('other'));
    await peer.listen(
      'c:1',
      dispatchWith(() => Promise.resolve({ response: {} as never })),
    );
    network.pause('c:1');
    const failure = failureOf(peer.call({ address: 'b:1' }, 'ping', {}, { timeoutMs: 500 }));
    clock.advance(500);
    expect((await failure).code).to.equal('TIMEOUT');
    expect(calls).to.have.length(0);
  });

  for (const [kind, what, code, carriedOut] of [
    ['request', 'lose', 'TIMEOUT', 0],
    ['request', 'break', 'UNREACHABLE', 0],
    ['answer', 'lose', 'TIMEOUT', 1],
    ['answer', 'break', 'UNREACHABLE', 1],
  ] as const) {
    it(`ends a call whose ${kind} meets the fault "${what}" with ${code}`, async () => {
      fault = (message) => (message.kind === kind ? what : undefined);
      const failure = failureOf(client.call({ address: 'b:1' }, 'ping', {}, { timeoutMs: 500 }));
      clock.advance(10);
      await settled();
      clock.advance(490);
      expect((await failure).code).to.equal(code);
      expect(calls).to.have.length(carriedOut);
    });
  }

  it('fires the signal of a handler at its deadline when the word that the caller gave up is lost', async () => {
    await listener.close(0);
    let signal: AbortSignal | undefined;
    await network.transport(peerIdentity('server')).listen(
      'b:1',
      dispatchWith((call) => {
        signal = call.signal;
        return new Promise(() => undefined);
      }),
    );
    fault = ({ kind }) => (kind === 'cancel' ? 'lose' : undefined);
    const failure = failureOf(client.call({ address: 'b:1' }, 'ping', {}, { timeoutMs: 500 }));
    clock.advance(509);
    expect((await failure).code).to.equal('TIMEOUT');
    expect(signal?.aborted).to.equal(false);
    clock.advance(1);
    expect(signal?.aborted).to.equal(true);
  });

  it('does the same again with the same seed', async () => {
    const ports: string[] = [];
    for (const seed of [5, 5, 6]) {
      build(seed);
      const peer = network.transport(peerIdentity('server'));
      const { address } = await peer.listen(
        ':0',
        dispatchWith(() => Promise.resolve({ response: {} as never })),
      );
      ports.push(address);
    }
    expect(ports[0]).to.equal(ports[1]);
    expect(ports[0]).to.not.equal(ports[2]);
  });

  it('gives each of many listeners at port 0 a port of its own', async () => {
    const peer = network.transport(peerIdentity('server'));
    const dispatch = dispatchWith(() => Promise.resolve({ response: {} as never }));
    const made = await Promise.all(Array.from({ length: 2000 }, () => peer.listen('h:0', dispatch)));
    expect(new Set(made.map(({ address }) => address)).size).to.equal(2000);
  });

  it('sees a body as it was when the call was made', async () => {
    const body = new Uint8Array([1, 2, 3]);
    void client.call({ address: 'b:1' }, 'postBlock', { id: key }, { body }).catch(() => undefined);
    body[0] = 9;
    clock.advance(10);
    expect([...calls[0]!.body]).to.deep.equal([1, 2, 3]);
    await settled();
  });
});
