/**
 * Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each run draws which kinds of fault it has, and how strong
 * each is, from wide ranges. Runs that have everything at once hide what runs with a few kinds show.
 */
import { PeerStoreError } from '../../src/base/errors.js';
import { jittered, type Random, randomFraction } from '../../src/base/random.js';
import type { Timer } from '../../src/base/clock.js';
import type { Cut, NetworkConditions } from './network-faults.js';
import type { SimulatedPeer } from './peer.js';
import type { World } from './world.js';

/** Faults that come again and again; `Infinity` is never. Times in milliseconds, on average. */
export interface SwarmPlan {
  readonly network: NetworkConditions;
  readonly crashEveryMs: number;
  /** How long a peer stays away after a crash. */
  readonly awayMs: number;
  /** Crashed peers that come back with an empty disk. */
  readonly diskLossShare: number;
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
  network: { delayMs: 5, spikeShare: 0, spikeMs: 0, lossShare: 0, breakShare: 0, duplicateShare: 0 },
  crashEveryMs: Infinity,
  awayMs: 10_000,
  diskLossShare: 0,
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
    awayMs: between(500, 120_000),
    diskLossShare: share(0.3),
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

/** What a scenario forbids its swarm. */
export interface SwarmLimits {
  /** Whether a peer may crash now. By default the last one may not. */
  readonly mayCrash?: (peer: SimulatedPeer) => boolean;
  /** Whether a peer that crashes now may come back with an empty disk. By default it may. */
  readonly mayLoseDisk?: (peer: SimulatedPeer) => boolean;
}

/** How often something was done. */
export interface SwarmFigures {
  crashes: number;
  diskLosses: number;
  pauses: number;
  cuts: number;
  clockJumps: number;
  diskErrors: number;
}

/** Carries a plan out on a world until it is stopped. */
export class Swarm {
  readonly figures: SwarmFigures = {
    crashes: 0,
    diskLosses: 0,
    pauses: 0,
    cuts: 0,
    clockJumps: 0,
    diskErrors: 0,
  };
  readonly #world: World;
  readonly #plan: SwarmPlan;
  readonly #limits: Required<SwarmLimits>;
  readonly #timers = new Set<Timer>();
  readonly #away = new Set<SimulatedPeer>();
  readonly #paused = new Set<SimulatedPeer>();
  readonly #returning = new Set<Promise<unknown>>();
  #isOver = false;

  constructor(world: World, plan: SwarmPlan, limits: SwarmLimits = {}) {
    this.#world = world;
    this.#plan = plan;
    this.#limits = { mayCrash: () => world.live.length > 1, mayLoseDisk: () => true, ...limits };
  }

  /** From now on things go wrong. */
  start(): void {
    const plan = this.#plan;
    this.#world.faults.conditions = plan.network;
    for (const peer of this.#world.peers) this.afflict(peer);
    this.#again(plan.crashEveryMs, () => this.#crash());
    this.#again(plan.pauseEveryMs, () => this.#pause());
    this.#again(plan.cutEveryMs, () => this.#cut());
    this.#again(plan.clockJumpEveryMs, () => this.#jump());
  }

  /** Gives a peer its share of what is wrong for good: a slow line, a bad quartz, a bad disk. */
  afflict(peer: SimulatedPeer): void {
    const { random, faults } = this.#world;
    const { slowShare, slowByMs, driftShare, diskErrorShare } = this.#plan;
    if (randomFraction(random) < slowShare) faults.slow(peer.address, jittered(random, slowByMs, 0.5));
    peer.quartz.rate = jittered(random, 1, driftShare);
    peer.diskFault = (operation) => {
      if (diskErrorShare === 0 || randomFraction(random) >= diskErrorShare) return undefined;
      this.figures.diskErrors += 1;
      return new PeerStoreError('IO', `the disk of ${peer.address} failed at ${operation}`);
    };
  }

  /** Ends all faults, and brings everybody back who is away. @returns when all of them are in the ring again. */
  async stop(): Promise<void> {
    this.#isOver = true;
    const { faults, peers, clock } = this.#world;
    for (const timer of this.#timers) timer.cancel();
    faults.heal();
    faults.conditions = noFaults.network;
    for (const peer of peers) {
      faults.slow(peer.address, 0);
      peer.diskFault = () => undefined;
    }
    for (const peer of this.#paused) peer.resume();
    for (const peer of this.#away) this.#comeBack(peer);
    while (this.#returning.size > 0) await clock.run(Promise.all(this.#returning));
  }

  #again(everyMs: number, act: () => void): void {
    if (everyMs === Infinity || this.#isOver) return;
    this.#after(jittered(this.#world.random, everyMs, 0.9), () => {
      act();
      this.#again(everyMs, act);
    });
  }

  #after(delayMs: number, act: () => void): void {
    const timer = this.#world.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      if (!this.#isOver) act();
    });
    this.#timers.add(timer);
  }

  #pick(from: readonly SimulatedPeer[]): SimulatedPeer | undefined {
    return from.length === 0 ? undefined : from[this.#world.random.below(from.length)];
  }

  #crash(): void {
    const { random, live } = this.#world;
    const peer = this.#pick(live.filter(({ state }) => state !== undefined));
    if (peer === undefined || !this.#limits.mayCrash(peer)) return;
    peer.crash();
    this.figures.crashes += 1;
    this.#paused.delete(peer);
    this.#away.add(peer);
    if (randomFraction(random) < this.#plan.diskLossShare && this.#limits.mayLoseDisk(peer)) {
      peer.loseDisk();
      this.figures.diskLosses += 1;
    }
    this.#after(jittered(random, this.#plan.awayMs, 0.9), () => this.#comeBack(peer));
  }

  #comeBack(peer: SimulatedPeer): void {
    this.#away.delete(peer);
    const returning = peer.restart().catch((error: unknown) => {
      // It crashed again on the way, or found nobody: then it tries once more later, as its operator would.
      if (peer.isUp) peer.crash();
      this.#world.note(`no way back for ${peer.address}: ${error instanceof Error ? error.message : ''}`);
      this.#away.add(peer);
      if (this.#isOver) this.#comeBack(peer);
      else this.#after(this.#plan.awayMs, () => this.#comeBack(peer));
    });
    this.#returning.add(returning);
    void returning.then(() => this.#returning.delete(returning));
  }

  #pause(): void {
    const { random, live } = this.#world;
    const peer = this.#pick(live.filter((one) => !this.#paused.has(one)));
    if (peer === undefined) return;
    peer.pause();
    this.figures.pauses += 1;
    this.#paused.add(peer);
    this.#after(jittered(random, this.#plan.pauseMs, 0.9), () => {
      if (this.#paused.delete(peer)) peer.resume();
    });
  }

  #cut(): void {
    const { random, peers, faults } = this.#world;
    const sides = peers.map(({ address }) => ({ address, isLeft: random.below(2) === 0 }));
    const left = sides.filter(({ isLeft }) => isLeft).map(({ address }) => address);
    const right = sides.filter(({ isLeft }) => !isLeft).map(({ address }) => address);
    const isOneWay = randomFraction(random) < this.#plan.oneWayShare;
    const cut: Cut = isOneWay ? faults.cutOneWay(left, right) : faults.cut(left, right);
    this.figures.cuts += 1;
    this.#after(jittered(random, this.#plan.cutMs, 0.9), () => cut.heal());
  }

  #jump(): void {
    const { random, peers } = this.#world;
    const peer = this.#pick(peers);
    if (peer === undefined) return;
    peer.quartz.aheadMs += random.below(2 * 3_600_000) - 3_600_000;
    this.figures.clockJumps += 1;
  }
}
