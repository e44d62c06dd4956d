/** Carries out what swarm-plan.ts draws: things go wrong in a world, and peers come and go, until it is stopped. */
import { messageOf, PeerStoreError } from '../../src/base/errors.js';
import { jittered, randomFraction } from '../../src/base/random.js';
import { Agenda } from './agenda.js';
import { calm } from './network-faults.js';
import type { SimulatedPeer } from './peer.js';
import type { SwarmPlan } from './swarm-plan.js';
import type { World } from './world.js';

/** What a scenario forbids its swarm. */
export interface SwarmLimits {
  /** Whether a peer may crash, or leave in good order, now. By default the last one may not. */
  readonly mayGo?: (peer: SimulatedPeer) => boolean;
  /** Whether a peer that is down may lose what is on its disk, or never come back. By default it may. */
  readonly mayLoseDisk?: (peer: SimulatedPeer) => boolean;
  /** Whether another peer may come. By default it may. */
  readonly mayJoin?: () => boolean;
}

/** How often something was done. */
export interface SwarmFigures {
  crashes: number;
  powerLosses: number;
  diskLosses: number;
  joins: number;
  leaves: number;
  goneForGood: number;
  pauses: number;
  cuts: number;
  clockJumps: number;
  diskErrors: number;
}

const clockJumpMs = 3_600_000;

export class Swarm {
  readonly figures: SwarmFigures = {
    crashes: 0,
    powerLosses: 0,
    diskLosses: 0,
    joins: 0,
    leaves: 0,
    goneForGood: 0,
    pauses: 0,
    cuts: 0,
    clockJumps: 0,
    diskErrors: 0,
  };
  readonly #world: World;
  readonly #plan: SwarmPlan;
  readonly #limits: Required<SwarmLimits>;
  readonly #agenda: Agenda;
  /** Peers that are down and will come back. */
  readonly #away = new Set<SimulatedPeer>();
  readonly #paused = new Set<SimulatedPeer>();
  /** Peers on their way in or out. */
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(world: World, plan: SwarmPlan, limits: SwarmLimits = {}) {
    this.#world = world;
    this.#plan = plan;
    this.#agenda = new Agenda(world.clock, world.random);
    this.#limits = {
      mayGo: () => world.live.length > 1,
      mayLoseDisk: () => true,
      mayJoin: () => true,
      ...limits,
    };
  }

  /** From now on things go wrong. */
  start(): void {
    const plan = this.#plan;
    this.#world.faults.conditions = plan.network;
    for (const peer of this.#world.peers) this.afflict(peer);
    this.#agenda.again(plan.crashEveryMs, () => this.#crash());
    this.#agenda.again(plan.joinEveryMs, () => this.#join());
    this.#agenda.again(plan.leaveEveryMs, () => this.#leave());
    this.#agenda.again(plan.pauseEveryMs, () => this.#pause());
    this.#agenda.again(plan.cutEveryMs, () => this.#cut());
    this.#agenda.again(plan.clockJumpEveryMs, () => this.#jump());
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
    this.#agenda.end();
    const { faults, peers, clock } = this.#world;
    faults.heal();
    faults.conditions = calm;
    for (const peer of peers) {
      faults.slow(peer.address, 0);
      peer.diskFault = () => undefined;
    }
    for (const peer of this.#paused) peer.resume();
    for (const peer of this.#away) this.#comeBack(peer);
    while (this.#underWay.size > 0) await clock.run(Promise.all(this.#underWay));
  }

  #pick(from: readonly SimulatedPeer[]): SimulatedPeer | undefined {
    return from.length === 0 ? undefined : from[this.#world.random.below(from.length)];
  }

  #inside(): readonly SimulatedPeer[] {
    return this.#world.live.filter(({ state }) => state !== undefined);
  }

  #happens(share: number): boolean {
    return randomFraction(this.#world.random) < share;
  }

  #crash(): void {
    const peer = this.#pick(this.#inside());
    if (peer === undefined || !this.#limits.mayGo(peer)) return;
    const isSilent = this.#happens(this.#plan.powerLossShare);
    peer.crash({ isSilent });
    this.figures.crashes += 1;
    if (isSilent) this.figures.powerLosses += 1;
    if (this.#happens(this.#plan.diskLossShare) && this.#limits.mayLoseDisk(peer)) {
      peer.loseDisk();
      this.figures.diskLosses += 1;
    }
    this.#comeBackLater(peer);
  }

  #join(): void {
    if (!this.#limits.mayJoin()) return;
    const peer = this.#world.peer();
    this.afflict(peer);
    this.figures.joins += 1;
    this.#bringIn(peer);
  }

  #leave(): void {
    const peer = this.#pick(this.#inside().filter(({ isLeaving }) => !isLeaving));
    if (peer === undefined || !this.#limits.mayGo(peer)) return;
    this.figures.leaves += 1;
    const isForGood = this.#happens(this.#plan.goneForGoodShare);
    this.#track(
      peer.stop().then(
        () => {
          if (!isForGood || !this.#mayGoForGood(peer)) this.#comeBackLater(peer);
          else {
            peer.loseDisk();
            this.figures.goneForGood += 1;
          }
        },
        // It crashed on the way out, and comes back after that.
        () => undefined,
      ),
    );
  }

  /** Somebody who knows the ring has to be left. */
  #mayGoForGood(peer: SimulatedPeer): boolean {
    const rest = this.#world.peers.filter(
      (other) => other !== peer && other.hasServed && (other.isUp || this.#away.has(other)),
    );
    return rest.length > 0 && this.#limits.mayLoseDisk(peer);
  }

  #comeBackLater(peer: SimulatedPeer): void {
    this.#paused.delete(peer);
    this.#away.add(peer);
    if (this.#agenda.isOver) this.#comeBack(peer);
    else this.#agenda.after(this.#plan.awayMs, () => this.#comeBack(peer));
  }

  /** Who was stopped on its way in is to come back for two reasons, and comes once: two processes would share an address. */
  #comeBack(peer: SimulatedPeer): void {
    if (this.#away.delete(peer)) this.#bringIn(peer);
  }

  /** A peer that has been in the ring finds back by itself; a new one is told of one that is in. */
  #bringIn(peer: SimulatedPeer): void {
    this.#track(
      peer.start(peer.hasServed ? [] : this.#entries()).catch((error: unknown) => {
        this.#world.note(`no way in for ${peer.address}: ${messageOf(error)}`);
        // It crashed on the way, or found nobody: then it tries once more later, as its operator would.
        if (this.#away.has(peer)) return;
        if (peer.isUp) peer.crash();
        this.#comeBackLater(peer);
      }),
    );
  }

  /** Whom a newcomer is told of: somebody who is in, or was and does not answer now. */
  #entries(): readonly SimulatedPeer[] {
    const inside = this.#inside();
    const entry = this.#pick(
      inside.length > 0 ? inside : this.#world.peers.filter(({ hasServed }) => hasServed),
    );
    return entry === undefined ? [] : [entry];
  }

  #track(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.then(() => this.#underWay.delete(work));
  }

  #pause(): void {
    const peer = this.#pick(this.#world.live.filter((one) => !this.#paused.has(one)));
    if (peer === undefined) return;
    peer.pause();
    this.figures.pauses += 1;
    this.#paused.add(peer);
    this.#agenda.after(this.#plan.pauseMs, () => {
      if (this.#paused.delete(peer)) peer.resume();
    });
  }

  /** Cuts the network in two, at any place: half and half, or one peer from all others. */
  #cut(): void {
    const { random, peers, faults } = this.#world;
    const leftShare = randomFraction(random);
    const [left, right]: [string[], string[]] = [[], []];
    for (const { address } of peers) (this.#happens(leftShare) ? left : right).push(address);
    const isOneWay = this.#happens(this.#plan.oneWayShare);
    const cut = isOneWay ? faults.cutOneWay(left, right) : faults.cut(left, right);
    this.figures.cuts += 1;
    this.#agenda.after(this.#plan.cutMs, () => cut.heal());
  }

  #jump(): void {
    const peer = this.#pick(this.#world.peers);
    if (peer === undefined) return;
    peer.quartz.aheadMs += this.#world.random.below(2 * clockJumpMs) - clockJumpMs;
    this.figures.clockJumps += 1;
  }
}
