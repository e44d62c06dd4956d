/** What the tests of identity share: a clock that stands still, and people and peers to begin with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import type { Clock } from '../../src/base/clock.js';
import { type ErrorCode, PeerStoreError } from '../../src/base/errors.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { RingAuthority } from '../../src/identity/authority.js';
import { SigningKey } from '../../src/identity/keys.js';

export const startMs = Date.UTC(2030, 0, 15, 12);
export const minuteMs = 60_000;
export const dayMs = 24 * 60 * minuteMs;

/** A clock that a test sets. */
export interface TestClock extends Clock {
  timeMs: number;
}

export function testClock(timeMs: number = startMs): TestClock {
  return {
    timeMs,
    nowMs() {
      return this.timeMs;
    },
    monotonicMs() {
      return this.timeMs;
    },
    setTimer: () => ({ cancel: () => undefined }),
  };
}

/** A key that is the same in every run. */
export function keyNumber(seed: number): SigningKey {
  return SigningKey.generate(seededRandom(seed));
}

export interface TestRing {
  readonly clock: TestClock;
  readonly random: Random;
  readonly authority: RingAuthority;
}

/** A ring's authority; another seed makes another ring. */
export async function testRing(seed = 1): Promise<TestRing> {
  const clock = testClock();
  const random = seededRandom(seed);
  return {
    clock,
    random,
    authority: await RingAuthority.create(SigningKey.generate(random), { clock, random }),
  };
}

/** Runs with a directory of its own, which is removed behind it. */
export async function withDirectory(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'peerstore-identity-'));
  try {
    await run(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Expects a failure with this code, and returns it. */
export async function failure(code: ErrorCode, run: () => unknown): Promise<PeerStoreError> {
  try {
    await run();
  } catch (error) {
    expect(error, String(error)).to.be.instanceOf(PeerStoreError);
    expect((error as PeerStoreError).code, (error as PeerStoreError).message).to.equal(code);
    return error as PeerStoreError;
  }
  throw new Error(`no failure where ${code} was expected`);
}

/** A copy with one bit turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
