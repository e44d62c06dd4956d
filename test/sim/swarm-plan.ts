/**
 * Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each run draws which kinds of fault it has, and how strong
 * each is, from wide ranges. Runs that have everything at once hide what runs with a few kinds show.
 */
import { type Random, randomFraction } from '../../src/base/random.js';
import { calm, type NetworkConditions } from './network-faults.js';

/** Faults that come again and again; `Infinity` is never. Times in milliseconds, on average. */
export interface SwarmPlan {
  readonly network: NetworkConditions;
  readonly crashEveryMs: number;
  /** Crashes that take the machine along, so that nobody is told that its process is gone. */
  readonly powerLossShare: number;
  /** How long a peer stays away after a crash, or after it left for a while. */
  readonly awayMs: number;
  /** Crashed peers that come back with an empty disk. */
  readonly diskLossShare: number;
  /** New peers that come. */
  readonly joinEveryMs: number;
  /** Peers that leave in good order, and the share of them that never come back. */
  readonly leaveEveryMs: number;
  readonly goneForGoodShare: number;
  readonly pauseEveryMs: number;
  readonly pauseMs: number;
  /** Cuts of the network in two, and the share of them that let one direction pass. */
  readonly cutEveryMs: number;
  readonly cutMs: number;
  readonly oneWayShare: number;
  /** Peers whose messages all take this much longer. */
  readonly slowShare: number;
  readonly slowByMs: number;
  /** How much clocks are fast or slow, at most, as a share. */
  readonly driftShare: number;
  /** Somebody sets the wall clock of a peer, by up to an hour, either way. */
  readonly clockJumpEveryMs: number;
  /** Operations of a disk that fail. */
  readonly diskErrorShare: number;
}

/** No fault at all: for runs that choose their own. */
export const noFaults: SwarmPlan = {
  network: calm,
  crashEveryMs: Infinity,
  powerLossShare: 0,
  awayMs: 10_000,
  diskLossShare: 0,
  joinEveryMs: Infinity,
  leaveEveryMs: Infinity,
  goneForGoodShare: 0,
  pauseEveryMs: Infinity,
  pauseMs: 1_000,
  cutEveryMs: Infinity,
  cutMs: 10_000,
  oneWayShare: 0,
  slowShare: 0,
  slowByMs: 0,
  driftShare: 0,
  clockJumpEveryMs: Infinity,
  diskErrorShare: 0,
};

/** Draws a plan: each kind of fault is there or not, as a coin says, and its strength is drawn from a wide range. */
export function drawSwarm(random: Random): SwarmPlan {
  const isOn = (): boolean => random.below(2) === 0;
  /** Every order of magnitude is as likely as the others. */
  const between = (low: number, high: number): number => low * (high / low) ** randomFraction(random);
  const share = (high: number): number => (isOn() ? between(high / 100, high) : 0);
  const every = (low: number, high: number): number => (isOn() ? between(low, high) : Infinity);
  return {
    network: {
      delayMs: between(0.2, 150),
      spikeShare: share(0.05),
      spikeMs: between(100, 3_000),
      lossShare: share(0.05),
      breakShare: share(0.02),
      duplicateShare: share(0.05),
    },
    crashEveryMs: every(2_000, 120_000),
    powerLossShare: isOn() ? randomFraction(random) : 0,
    awayMs: between(500, 120_000),
    diskLossShare: share(0.3),
    joinEveryMs: every(5_000, 120_000),
    leaveEveryMs: every(5_000, 120_000),
    goneForGoodShare: isOn() ? randomFraction(random) : 0,
    pauseEveryMs: every(2_000, 60_000),
    pauseMs: between(200, 40_000),
    cutEveryMs: every(5_000, 120_000),
    cutMs: between(500, 120_000),
    oneWayShare: isOn() ? randomFraction(random) : 0,
    slowShare: share(0.3),
    slowByMs: between(20, 800),
    driftShare: isOn() ? between(0.0001, 0.05) : 0,
    clockJumpEveryMs: every(5_000, 120_000),
    diskErrorShare: share(0.05),
  };
}
