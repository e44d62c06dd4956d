import { expect } from 'chai';

import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { limits } from '../../src/base/limits.js';
import { Contacts } from '../../src/node/contacts.js';
import { Liveness, type Verdict } from '../../src/node/liveness.js';
import { LocalHealth } from '../../src/node/local-health.js';
import type { PeerRef } from '../../src/ring/peer.js';
import type { Dispatch, IncomingCall, Transport } from '../../src/wire/transport.js';
import { peerAt } from '../ring/fixtures.js';
import { VirtualClock } from '../sim/virtual-clock.js';
import { lateClock } from './late-clock.js';

/** How a call ends, and after how long. */
type Ending = ErrorCode | 'pong' | 'alive' | 'dead';
interface Way {
  readonly end: Ending;
  readonly afterMs?: number;
}

const suspect = peerAt(1);
const refused: Way = { end: 'UNREACHABLE' };
const silent: Way = { end: 'TIMEOUT', afterMs: Infinity };

/** A peer whose questions end as told; those to the suspect in turn, of which the last goes on. */
function accuser(pings: readonly Way[], witnesses: readonly Way[] = []) {
  const clock = new VirtualClock();
  const late = { ms: 0 };
  const held = lateClock(clock, () => late.ms);
  const health = new LocalHealth(clock);
  const contacts = new Contacts(clock, health);
  const verdicts: Verdict[] = [];
  const ended = new AbortController();
  const asked = { pings: 0, witnesses: [] as number[] };
  const call = (
    to: PeerRef,
    method: string,
    _request: unknown,
    { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  ): Promise<unknown> =>
    new Promise((resolve, reject) => {
      let way: Way;
      if (method === 'ping') {
        way = pings[Math.min(asked.pings, pings.length - 1)]!;
        asked.pings += 1;
      } else {
        const at = parseInt(to.id, 16) - 10;
        asked.witnesses.push(at);
        way = witnesses[at]!;
      }
      const { end, afterMs = 10 } = way;
      const onAbort = (): void => reject(new PeerStoreError('CANCELLED', 'called off'));
      signal.addEventListener('abort', onAbort, { once: true });
      held.setTimer(Math.min(afterMs, timeoutMs), () => {
        signal.removeEventListener('abort', onAbort);
        if (afterMs > timeoutMs) reject(new PeerStoreError('TIMEOUT', 'too late'));
        else if (end === 'pong') resolve({ response: {} });
        else if (end === 'alive' || end === 'dead') resolve({ response: { isAlive: end === 'alive' } });
        else reject(new PeerStoreError(end, 'as told'));
      });
    });
  const transport = contacts.noting({ call } as unknown as Transport);
  const liveness = new Liveness({
    self: peerAt(9),
    transport,
    clock: health.watching(held),
    contacts,
    health,
    witnesses: () => witnesses.map((_, at) => peerAt(10 + at)),
    onVerdict: (verdict) => verdicts.push(verdict),
    signal: ended.signal,
  });
  return { clock, late, contacts, liveness, verdicts, ended, asked };
}

type Accuser = ReturnType<typeof accuser>;

/** Holds an inquiry. @returns whether the suspect is dead, and after how long. */
async function inquire({ clock, liveness }: Accuser): Promise<{ isDead: boolean; tookMs: number }> {
  const sinceMs = clock.monotonicMs();
  const isDead = await clock.run(liveness.isDeadForRouting(suspect));
  return { isDead, tookMs: clock.monotonicMs() - sinceMs };
}

describe('node/liveness', () => {
  describe('a suspect', () => {
    it('whose address nobody listens at, as a witness finds too, is dead within a second', async () => {
      const one = accuser([refused], [{ end: 'dead' }]);
      const { isDead, tookMs } = await inquire(one);
      expect(isDead).to.equal(true);
      expect(tookMs).to.be.lessThan(1000);
      expect(one.asked.pings).to.equal(limits.inquiryRefusals);
      expect(one.verdicts).to.deep.equal([
        { peer: suspect, verdict: 'suspected', suspectedAtMs: 0 },
        { peer: suspect, verdict: 'dead', suspectedAtMs: 0 },
      ]);
    });

    for (const [name, witnesses] of [
      ['with nobody to ask', []],
      ['that the witnesses do not know', [{ end: 'NOT_FOUND' }, { end: 'NOT_FOUND' }]],
      ['while the witnesses are busy', [{ end: 'BUSY' }]],
    ] as const) {
      it(`whose address nobody listens at, ${name}, gets the time of a silent one`, async () => {
        const { isDead, tookMs } = await inquire(accuser([refused], witnesses));
        expect(isDead).to.equal(true);
        expect(tookMs).to.be.within(limits.suspicionMs, limits.suspicionMs + 1000);
      });
    }

    it('that is silent, for the witnesses too, is dead after the time of a suspect', async () => {
      const { isDead, tookMs } = await inquire(accuser([silent], [{ end: 'dead', afterMs: 1500 }]));
      expect(isDead).to.equal(true);
      expect(tookMs).to.be.within(limits.suspicionMs, limits.suspicionMs + 2000);
    });

    for (const afterMs of [10, 1200, 1800, 4000]) {
      it(`that answers after ${afterMs} ms is alive, whatever witnesses say`, async () => {
        const one = accuser([{ end: 'pong', afterMs }], [{ end: 'dead' }]);
        const { isDead, tookMs } = await inquire(one);
        expect(isDead).to.equal(false);
        expect(tookMs).to.be.lessThan(afterMs + limits.pingTimeoutMs + limits.inquiryPauseMs);
        expect(one.liveness.isInDoubt(suspect)).to.equal(false);
        expect(one.verdicts.at(-1)?.verdict).to.equal('acquitted');
      });
    }

    it('that answers one of several pings is alive', async () => {
      const one = accuser([silent, refused, { end: 'pong' }], [{ end: 'dead' }]);
      expect((await inquire(one)).isDead).to.equal(false);
    });

    for (const code of ['BUSY', 'FORBIDDEN', 'INTERNAL', 'PROTOCOL'] as const) {
      it(`that refuses with ${code} is alive`, async () => {
        expect((await inquire(accuser([{ end: code }]))).isDead).to.equal(false);
      });
    }

    it('that one of the witnesses reaches is not dead, for as long as a finding holds', async () => {
      const one = accuser([refused], [{ end: 'dead' }, { end: 'BUSY' }, { end: 'alive' }]);
      expect((await inquire(one)).isDead).to.equal(false);
      expect(one.liveness.isVouchedFor(suspect)).to.equal(true);
      const { pings } = one.asked;
      expect((await inquire(one)).isDead, 'at once').to.equal(false);
      expect(one.asked.pings, 'without an inquiry').to.equal(pings);
      await one.clock.runFor(limits.doubtMs);
      expect(one.liveness.isInDoubt(suspect)).to.equal(false);
      await inquire(one);
      expect(one.asked.pings, 'asked anew').to.be.greaterThan(pings);
    });

    it('that answers again is in doubt no longer', async () => {
      const one = accuser([refused, { end: 'pong' }], [{ end: 'alive' }]);
      await inquire(one);
      expect(one.liveness.isInDoubt(suspect)).to.equal(true);
      await one.clock.run(one.liveness.answers(suspect));
      expect(one.liveness.isInDoubt(suspect)).to.equal(false);
    });

    it('that calls us and answers nobody gets more time, and is dead for routing then', async () => {
      const one = accuser([silent], [{ end: 'dead', afterMs: 1500 }]);
      let dispatch: Dispatch | undefined;
      const inner = {
        listen: (_: string, noting: Dispatch) => {
          dispatch = noting;
        },
      };
      const answer = (): never => {
        throw new PeerStoreError('BUSY', 'whatever comes of it');
      };
      await one.contacts.noting(inner as unknown as Transport).listen('', answer);
      const verdict = one.liveness.isDeadForRouting(suspect);
      const caller = { kind: 'peer', ids: [suspect.id], machine: suspect.machine };
      await one.clock.runFor(2000);
      expect(() => dispatch?.({ method: 'ping', caller } as unknown as IncomingCall)).to.throw();
      await one.clock.runFor(limits.suspicionMs + 2000);
      expect(one.verdicts).to.have.length(1);
      expect(await one.clock.run(verdict)).to.equal(true);
      expect(one.clock.monotonicMs()).to.be.within(
        limits.suspicionOfCallersMs,
        limits.suspicionOfCallersMs + 2000,
      );
    });
  });

  it('asks other witnesses in each round, and begins again when all were asked', async () => {
    const witnesses = Array.from({ length: 7 }, (): Way => ({ end: 'NOT_FOUND' }));
    const one = accuser([refused], witnesses);
    await inquire(one);
    expect(one.asked.witnesses.slice(0, 10)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 0, 1, 2]);
  });

  it('holds one inquiry about a peer at a time', async () => {
    const one = accuser([silent], [{ end: 'dead' }]);
    const all = [suspect, suspect, suspect].map((peer) => one.liveness.isDeadForRouting(peer));
    expect(await one.clock.run(Promise.all(all))).to.deep.equal([true, true, true]);
    expect(one.verdicts).to.have.length(2);
  });

  it('whom nobody at all answers takes itself for the slow one and waits longer', async () => {
    const witnesses = Array.from({ length: 9 }, () => silent);
    const { isDead, tookMs } = await inquire(accuser([silent], witnesses));
    expect(isDead).to.equal(true);
    const longestMs = limits.healthMultiplierMax * limits.suspicionMs;
    expect(tookMs).to.be.within(longestMs, longestMs + 4000);
  });

  it('who was paused for a minute during an inquiry counts that minute for nothing', async () => {
    const one = accuser([silent, silent, silent, { end: 'pong' }], [{ end: 'dead' }]);
    const verdict = one.liveness.isDeadForRouting(suspect);
    await one.clock.runFor(3500);
    expect(one.asked.pings).to.equal(2);
    // The third round does not end before the pause does.
    one.late.ms = 60_000;
    await one.clock.runFor(1000);
    one.late.ms = 0;
    expect(one.asked.pings).to.equal(3);
    expect(await one.clock.run(verdict)).to.equal(false);
    expect(one.clock.monotonicMs()).to.be.greaterThan(60_000);
  });

  it('a question that is answered holds no inquiry; one that is not does', async () => {
    const one = accuser([{ end: 'pong' }, silent], [{ end: 'dead' }]);
    expect(await one.clock.run(one.liveness.lives(suspect))).to.equal(true);
    expect(one.verdicts).to.deep.equal([]);
    expect(await one.clock.run(one.liveness.lives(suspect))).to.equal(false);
    expect(one.verdicts).to.have.length(2);
  });

  it('nobody is declared dead when the questions are called off', async () => {
    const one = accuser([silent], [{ end: 'dead' }]);
    const verdict = one.liveness.isDeadForRouting(suspect);
    await one.clock.runFor(limits.inquiryPauseMs + 1);
    one.ended.abort();
    expect(await one.clock.run(verdict)).to.equal(false);
    expect(one.verdicts).to.have.length(1);
  });
});
