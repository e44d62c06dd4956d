import { expect } from 'chai';

import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { isDead } from '../../src/node/liveness.js';
import type { Transport } from '../../src/wire/transport.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';

/** A network on which pings end as told, in turn; the last way goes on. */
function answering(...ways: readonly (ErrorCode | 'pong')[]): { transport: Transport; pings: () => number } {
  let pings = 0;
  const call = (): Promise<unknown> => {
    const way = ways[Math.min(pings, ways.length - 1)]!;
    pings += 1;
    return way === 'pong' ? Promise.resolve({ response: {} }) : Promise.reject(new PeerStoreError(way, way));
  };
  return { transport: { call } as unknown as Transport, pings: () => pings };
}

const never = new AbortController().signal;

describe('node/liveness', () => {
  for (const code of ['UNREACHABLE', 'TIMEOUT', 'NOT_ADMITTED'] as const) {
    it(`a peer is dead after ${limits.deathPings} pings that end with ${code}`, async () => {
      const clock = new VirtualClock();
      const { transport, pings } = answering(code);
      expect(await clock.run(isDead(transport, clock, peerAt(1), never))).to.equal(true);
      expect(pings()).to.equal(limits.deathPings);
      expect(clock.monotonicMs()).to.equal(limits.deathPings * limits.deathPingPauseMs);
    });
  }

  it('an answer to the last ping acquits', async () => {
    const clock = new VirtualClock();
    const { transport } = answering('TIMEOUT', 'UNREACHABLE', 'pong');
    expect(await clock.run(isDead(transport, clock, peerAt(1), never))).to.equal(false);
  });

  it('any answer is a sign of life, a refusal too', async () => {
    for (const code of ['BUSY', 'FORBIDDEN', 'INTERNAL', 'PROTOCOL'] as const) {
      const clock = new VirtualClock();
      const { transport, pings } = answering(code);
      expect(await clock.run(isDead(transport, clock, peerAt(1), never))).to.equal(false);
      expect(pings()).to.equal(1);
    }
  });

  it('nobody is declared dead when the question is called off', async () => {
    const clock = new VirtualClock();
    const { transport, pings } = answering('TIMEOUT');
    const asked = new AbortController();
    const verdict = isDead(transport, clock, peerAt(1), asked.signal);
    await clock.runFor(limits.deathPingPauseMs + 1);
    asked.abort();
    expect(await clock.run(verdict)).to.equal(false);
    expect(pings()).to.equal(1);
  });
});
